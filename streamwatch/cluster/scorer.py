"""A model session that several hosts share, and what a host sees of it: a model like its own.

Frames cross the network then, uint8 at the model's size; what comes back are tokens and scores. Where no scorer
answers, a host scores for itself.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import InferenceError, ScorerLostError
from streamwatch.models.detection import Vector
from streamwatch.models.pack import Pack
from streamwatch.worker import Worker, end_worker

__all__ = ["AGAIN", "Call", "OwnModel", "Scorer", "SharedModel"]

log = logging.getLogger(__name__)

WAITING = 256  # requests; as many as calls may run at a time
PATIENCE = 2.0  # seconds that whoever asks waits: after that he has scored for himself
AGAIN = 5.0  # seconds until scorers are tried again after none answered

Arrays = Sequence[NDArray[Any]]
Call = Callable[[str, Arrays], Arrays]
"""Have ``encode`` or ``score`` done elsewhere: the arrays that it returns. Raises ScorerLostError."""


class OwnModel(Protocol):
    """A session in this process; ``OnnxModel`` is one."""

    provider: str
    max_batch: int

    def encode(self, frames: NDArray[np.uint8]) -> tuple[Vector, Vector, Vector]:
        """See ``Model.encode``."""
        ...

    def score(self, visual: Vector, age: Vector, mask: Vector) -> NDArray[np.float64]:
        """See ``Model.score``."""
        ...

    def warm_up(self, alive: Callable[[], None] = ...) -> None:
        """See ``OnnxModel.warm_up``."""
        ...


@dataclass(slots=True)
class _Asked:
    what: str
    arrays: Arrays
    until: float  # monotonic s; nobody waits for it after that
    done: "Future[Arrays]" = field(default_factory=Future)


class Scorer:
    """Batches what is asked at the same time, up to the model's ``max_batch`` rows. ``ask`` is for any thread.

    ``died`` hears of a fault in its own thread.
    """

    def __init__(self, model: OwnModel, died: Callable[[Worker], None]) -> None:
        self.model = model
        self.rows = 0  # scored so far
        self.batches = 0
        self._waiting: deque[_Asked] = deque(maxlen=WAITING)
        self._news = threading.Condition()
        self._worker = Worker("scorer", self._run, died)
        self._worker.start()

    def ask(self, what: str, arrays: Arrays) -> Arrays:
        """``encode`` of frames, or ``score`` of visual, age and mask. Raises InferenceError."""
        asked = _Asked(what, arrays, time.monotonic() + PATIENCE)
        with self._news:
            if len(self._waiting) == WAITING:
                raise InferenceError(f"{WAITING} batches wait for the scorer")
            self._waiting.append(asked)
            self._news.notify()
        try:
            return asked.done.result(PATIENCE)
        except TimeoutError:
            raise InferenceError(f"the scorer has not come to it within {PATIENCE:.0f} s") from None

    def close(self) -> None:
        """End its thread."""
        end_worker(self._worker, 5.0)

    def _run(self, stop: threading.Event) -> None:
        self.model.warm_up()
        while not stop.is_set():
            with self._news:
                self._news.wait_for(lambda: self._waiting, timeout=0.5)
                batch = self._take()
            if batch:
                self._do(batch)

    def _take(self) -> list["_Asked"]:
        """The longest waiting and those after it that ask for the same, as many as fit; none that nobody waits for."""
        taken: list[_Asked] = []
        rows, now = 0, time.monotonic()
        while self._waiting:
            asked = self._waiting[0]
            if now > asked.until:
                self._waiting.popleft()
                continue
            if taken and (asked.what != taken[0].what or rows + len(asked.arrays[0]) > self.model.max_batch):
                break
            rows += len(asked.arrays[0])
            taken.append(self._waiting.popleft())
        return taken

    def _do(self, batch: list["_Asked"]) -> None:
        what = batch[0].what
        parts = [np.concatenate(columns) for columns in zip(*(asked.arrays for asked in batch), strict=True)]
        try:
            found: Arrays = self.model.encode(parts[0]) if what == "encode" else (self.model.score(*parts),)
        except InferenceError as error:
            for asked in batch:
                asked.done.set_exception(error)
            return
        self.batches += 1
        self.rows += len(parts[0])
        begin = 0
        for asked in batch:
            end = begin + len(asked.arrays[0])
            asked.done.set_result([column[begin:end] for column in found])
            begin = end


class SharedModel:
    """A model for ``Inference``: asks a scorer, which ``find`` gives or None. Where there is none, or the one asked is
    lost, the session that ``own`` opens is used until ``find`` has another. It looks at once, then each AGAIN seconds,
    in a thread of its own: while Ray's head is away that takes until it is back.
    """

    def __init__(self, pack: Pack, find: Callable[[], Call | None], own: Callable[[], OwnModel]) -> None:
        self.card, self.info = pack.card, pack.info
        self._find = find
        self._open_own = own
        self._own: OwnModel | None = None
        self._warm = False
        self._call: Call | None = None
        self._looking: Worker | None = None
        self._look = -AGAIN  # monotonic s: when scorers were last looked for
        self.lost = 0

    @property
    def provider(self) -> str:
        """``scorer``, or what runs the own session."""
        return "scorer" if self._call is not None else self._session().provider

    def warm_up(self, alive: Callable[[], None] = lambda: None) -> None:
        """Of the own session, if it is open; one that is opened later is warmed up then."""
        self._warm = True
        if self._own is not None:
            self._own.warm_up(alive)

    @property
    def max_batch(self) -> int:
        """Clips at once."""
        return self._own.max_batch if self._own is not None else 8

    def encode(self, frames: NDArray[np.uint8]) -> tuple[Vector, Vector, Vector]:
        """See ``Model.encode``."""
        found = self._ask("encode", (frames,))
        return (found[0], found[1], found[2]) if found is not None else self._session().encode(frames)

    def score(self, visual: Vector, age: Vector, mask: Vector) -> NDArray[np.float64]:
        """See ``Model.score``."""
        found = self._ask("score", (visual, age, mask))
        return found[0] if found is not None else self._session().score(visual, age, mask)

    def _ask(self, what: str, arrays: Arrays) -> Arrays | None:
        """What a scorer says; None if there is none now."""
        if (call := self._call) is None:
            self._seek()
            return None
        try:
            return call(what, arrays)
        except ScorerLostError as error:
            log.warning("a scorer is lost: %s", error)
        self.lost += 1
        self._call, self._look = None, -AGAIN  # it may have a neighbour
        self._seek()
        return None

    def _seek(self) -> None:
        """Have scorers looked for, unless that was a moment ago or still goes on."""
        now = time.monotonic()
        if now - self._look < AGAIN or (self._looking is not None and self._looking.alive):
            return
        self._look = now
        self._looking = Worker("scorers", self._find_one, lambda worker: log.error("%s", worker.trace))
        self._looking.start()

    def _find_one(self, stop: threading.Event) -> None:
        self._call = self._find()

    def _session(self) -> OwnModel:
        if self._own is None:
            self._own = self._open_own()
            if self._warm:
                self._own.warm_up()
        return self._own
