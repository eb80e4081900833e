"""Acknowledgements and snoozes from people to the rules thread, and what became of them."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from datetime import UTC, datetime

from streamwatch.document import nearest
from streamwatch.errors import OrderError
from streamwatch.evaluation import Evaluation
from streamwatch.rules.alert import Alert
from streamwatch.rules.order import Acknowledge, Order, Snoozed

__all__ = ["STOPPED", "Answer", "Orders"]

log = logging.getLogger(__name__)

Answer = Callable[[Mapping[str, object]], None]

STOPPED = "stopped before it could be carried out"
_LIMIT = 5.0  # s for the rules thread to answer


class Orders:
    """Has orders about ``cameras`` carried out by ``evaluation``.

    ``answer`` hears what became of those that were requested, on any thread; it must neither block nor raise:
    ``{"order": "acknowledge", "id": "01M8…", "by": "", "note": "", "done": true}`` or ``{"order": "snooze", …,
    "done": false, "error": "no rule is named 'fal'; did you mean 'fall'"}``. ``show`` hears, likewise, which snoozes
    are in force.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        cameras: Collection[str],
        answer: Answer = lambda document: None,
        show: Callable[[Sequence[Snoozed]], None] = lambda snoozes: None,
    ) -> None:
        self.degraded: Sequence[str] = ()  # a line a snooze in force, for /readyz
        self._show = show
        evaluation.on_snoozes = self._on_snoozes
        self._evaluation = evaluation
        self._cameras = cameras
        self._answer = answer

    def __call__(self, order: Order) -> tuple[Alert, ...]:
        """Carry out ``order`` and wait for it: the alerts that it caused. Raises OrderError; nothing changed then."""
        done = self._give(order)
        try:
            return done.result(_LIMIT)
        except TimeoutError:
            if done.cancel():
                raise OrderError("the rules thread does not answer") from None
            return done.result(_LIMIT)  # it began that very moment

    def request(self, order: Order, answer: Answer | None = None) -> None:
        """Have ``order`` carried out soon. From any thread; never blocks. ``answer``, if given, hears of it in the
        place of who hears of all others.
        """
        tell = answer or self._answer
        try:
            self._give(order).add_done_callback(lambda done: tell(_outcome(order, done)))
        except OrderError as error:
            tell(_document(order, str(error)))

    def refuse(self, order: Order, why: str) -> None:
        """Answer that ``order`` was not carried out, and ``why``."""
        self._answer(_document(order, why))

    def _on_snoozes(self, snoozes: Sequence[Snoozed]) -> None:
        moments = [datetime.fromtimestamp(held.until, UTC).isoformat(timespec="seconds") for held in snoozes]
        self.degraded = [f"snoozed until {at}: {held}" for at, held in zip(moments, snoozes, strict=True)]
        self._show(snoozes)

    def _give(self, order: Order) -> "Future[tuple[Alert, ...]]":
        if not isinstance(order, Acknowledge) and order.camera is not None and order.camera not in self._cameras:
            raise OrderError(f"no camera is named {order.camera!r}{nearest(order.camera, list(self._cameras))}")
        return self._evaluation.order(order)


def _outcome(order: Order, done: "Future[tuple[Alert, ...]]") -> Mapping[str, object]:
    if done.cancelled():
        return _document(order, STOPPED)
    error = done.exception()
    return _document(order, None if error is None else str(error))


def _document(order: Order, error: str | None) -> Mapping[str, object]:
    """What is answered, and logged."""
    what = "acknowledge" if isinstance(order, Acknowledge) else "snooze"
    fields = {("for" if name == "span" else name): value for name, value in asdict(order).items()}
    document: dict[str, object] = {"order": what, **fields, "done": error is None}
    if error is None:
        log.info("%s", order)
    else:
        log.warning("%s is refused: %s", order, error)
        document["error"] = error
    return document
