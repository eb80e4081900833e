"""A model shared by hosts: batched, the same numbers, and done without when it is lost."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamwatch.cluster.scorer import Call, Scorer, SharedModel
from streamwatch.errors import InferenceError, ScorerLostError
from streamwatch.models.detection import Vector
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import Pack, load_pack
from streamwatch.worker import Worker
from tests.cluster.stage import wait_for


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack("bundled")


@pytest.fixture(scope="module")
def model(pack: Pack) -> OnnxModel:
    return OnnxModel(pack, "cpu")


@pytest.fixture
def scorer(model: OnnxModel) -> Iterator[Scorer]:
    def died(worker: Worker) -> None:
        raise AssertionError(worker.trace)

    made = Scorer(model, died)
    yield made
    made.close()


def clips(pack: Pack, count: int, seed: int = 1) -> NDArray[np.uint8]:
    card = pack.card
    shape = (count, card.frames, card.size, card.size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def same(found: Sequence[NDArray[Any]], wanted: Sequence[NDArray[Any]]) -> bool:
    return all(np.allclose(a, b, atol=1e-5) for a, b in zip(found, wanted, strict=True))


def test_what_is_asked_at_once_is_done_at_once_and_comes_back_to_who_asked(
    pack: Pack, model: OnnxModel, scorer: Scorer
) -> None:
    asked = [clips(pack, 1, seed) for seed in range(8)]
    found: dict[int, Sequence[NDArray[Any]]] = {}

    def ask(number: int) -> None:
        found[number] = scorer.ask("encode", (asked[number],))

    threads = [threading.Thread(target=ask, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert scorer.rows == 8
    assert scorer.batches < 8
    assert all(same(found[number], model.encode(asked[number])) for number in range(8))


def test_a_scorer_that_fails_says_so_to_all_who_asked(pack: Pack, scorer: Scorer) -> None:
    with pytest.raises(InferenceError):
        scorer.ask("encode", (np.zeros((1, 2, 3), np.uint8),))
    assert len(scorer.ask("encode", (clips(pack, 1),))[0]) == 1


class Slow:
    """A model that takes its time, as one does of which too much is asked."""

    provider, max_batch = "cpu", 1

    def __init__(self) -> None:
        self.begun = 0
        self.go = threading.Event()

    def encode(self, frames: NDArray[np.uint8]) -> tuple[Vector, Vector, Vector]:
        self.begun += 1
        assert self.go.wait(20)
        found = np.zeros((len(frames), 1), np.float32)
        return found, found, found

    def score(self, visual: Vector, age: Vector, mask: Vector) -> NDArray[np.float64]:
        raise NotImplementedError

    def warm_up(self, alive: Callable[[], None] = lambda: None) -> None:
        pass


def test_an_own_session_is_warmed_up_by_the_thread_that_infers(pack: Pack) -> None:
    warmed: list[str] = []

    class Warmed(OnnxModel):
        def warm_up(self, alive: Callable[[], None] = lambda: None) -> None:
            warmed.append(threading.current_thread().name)

    open_now, later = (SharedModel(pack, lambda: None, lambda: Warmed(pack, "cpu")) for _ in range(2))
    assert open_now.provider == "cpu"

    def infer(shared: SharedModel) -> None:
        shared.warm_up()
        shared.encode(clips(pack, 1))

    for shared in (open_now, later):
        worker = threading.Thread(target=infer, args=[shared], name="infers")
        worker.start()
        worker.join(60)
    assert warmed == ["infers", "infers"]


def test_what_nobody_waits_for_any_more_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a scorer that is late would stay so: all its answers would come too late."""
    monkeypatch.setattr("streamwatch.cluster.scorer.PATIENCE", 0.3)
    model = Slow()
    scorer = Scorer(model, lambda worker: None)
    frames = np.zeros((1, 2), np.uint8)
    for _ in range(4):
        with pytest.raises(InferenceError, match="not come to it"):
            scorer.ask("encode", (frames,))
    model.go.set()
    assert len(scorer.ask("encode", (frames,))) == 3
    assert model.begun == 2  # the first, which it had begun, and the last
    scorer.close()


class Line:
    """To a scorer; can be cut."""

    def __init__(self, scorer: Scorer) -> None:
        self.cut = False
        self.found = 0
        self._scorer = scorer

    def find(self) -> Call | None:
        if self.cut:
            return None
        self.found += 1
        return self.call

    def call(self, what: str, arrays: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        if self.cut:
            raise ScorerLostError("cut")
        return self._scorer.ask(what, arrays)


def test_a_host_scores_for_itself_at_once_and_comes_back_later(
    pack: Pack, model: OnnxModel, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamwatch.cluster.scorer.AGAIN", 0.3)
    line = Line(scorer)
    shared = SharedModel(pack, line.find, lambda: OnnxModel(pack, "cpu"))
    assert (shared.card, shared.provider) == (pack.card, "cpu")  # until a scorer was found
    frames, window = clips(pack, 2), np.ones((1, pack.card.window, pack.card.dim), np.float32)
    slots = np.ones((1, pack.card.window), np.float32)
    assert same(shared.encode(frames), model.encode(frames))
    wait_for(lambda: shared.provider == "scorer", "it is found")
    assert scorer.rows == 0
    assert same(shared.encode(frames), model.encode(frames))
    assert same((shared.score(window, slots, slots),), (model.score(window, slots, slots),))
    assert (scorer.rows, shared.provider) == (3, "scorer")
    line.cut = True
    began = time.monotonic()
    assert same(shared.encode(frames), model.encode(frames))
    assert time.monotonic() - began < 5.0
    assert (scorer.rows, shared.lost, shared.provider) == (3, 1, "cpu")
    line.cut = False
    wait_for(lambda: shared.encode(frames) and shared.provider == "scorer", "it is found again")
    before = scorer.rows
    shared.encode(frames)
    assert (scorer.rows, line.found) == (before + 2, 2)


def test_looking_for_scorers_stops_nobody(pack: Pack, model: OnnxModel) -> None:
    """While Ray's head is away that takes until it is back."""
    back, asked = threading.Event(), threading.Event()

    def find() -> Call | None:
        asked.set()
        assert back.wait(60)
        return lambda what, arrays: model.encode(arrays[0])

    shared = SharedModel(pack, find, lambda: model)
    frames = clips(pack, 1)
    for _ in range(3):
        assert same(shared.encode(frames), model.encode(frames))
    assert asked.wait(10)
    assert shared.provider == "cpu"
    back.set()
    wait_for(lambda: shared.provider == "scorer", "it is used once it is found")


def test_without_scorers_nobody_is_asked_each_time(pack: Pack) -> None:
    asked: list[float] = []

    def find() -> Call | None:
        asked.append(time.monotonic())
        return None

    shared = SharedModel(pack, find, lambda: OnnxModel(pack, "cpu"))
    for _ in range(5):
        shared.encode(clips(pack, 1))
    assert len(asked) == 1
