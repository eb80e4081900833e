"""Bound graphs on the CPU's own device: the bindings are ONNX Runtime's, the memory is not."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamwatch.errors import InferenceError
from streamwatch.models.binding import BoundGraph
from streamwatch.models.bucket import BUCKETS
from streamwatch.models.pack import load_pack
from tests.models.accelerator import cpu_session

PACK = load_pack("bundled")
OUTPUTS = ["event_logits", "video_embedding"]


@pytest.fixture(scope="module")
def joint() -> Any:
    return cpu_session(PACK.read("joint.onnx"))


def windows(count: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    card, rng = PACK.card, np.random.default_rng(seed)
    return {
        "visual": rng.normal(size=(count, card.window, card.dim)).astype(np.float32),
        "age": np.tile(np.arange(card.window - 1, -1, -1, dtype=np.float32), (count, 1)),
        "visual_mask": np.ones((count, card.window), np.float32),
        "text": np.zeros((count, 1, card.dim), np.float32),
        "text_mask": np.zeros((count, 1), np.float32),
    }


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_a_padded_batch_gives_bit_for_bit_what_the_batch_gives(joint: Any, count: int) -> None:
    """Dynamic int8 scales by the whole batch: so the padding may not widen its range."""
    feeds = windows(count)
    found = BoundGraph(joint, OUTPUTS, "cpu").run(feeds)
    expected = joint.run(OUTPUTS, feeds)
    assert [x.shape for x in found] == [(count, len(PACK.card.events)), (count, PACK.card.dim)]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_more_rows_than_the_largest_bucket_are_run_in_parts(joint: Any) -> None:
    feeds = windows(BUCKETS[-1] + 3)
    (logits,) = BoundGraph(joint, ["event_logits"], "cpu").run(feeds)
    parts = [joint.run(["event_logits"], {k: x[at] for k, x in feeds.items()})[0] for at in
             (slice(0, BUCKETS[-1]), slice(BUCKETS[-1], None))]  # fmt: skip
    np.testing.assert_array_equal(logits, np.concatenate(parts))


def test_an_answer_is_not_overwritten_by_the_next(joint: Any) -> None:
    graph = BoundGraph(joint, OUTPUTS, "cpu")
    first = graph.run(windows(2))
    kept = [x.copy() for x in first]
    graph.run(windows(2, seed=1))
    for ours, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(ours, before)


def test_rows_of_another_shape_are_an_error_and_not_read_as_if_they_fitted(joint: Any) -> None:
    graph = BoundGraph(joint, OUTPUTS, "cpu")
    graph.run(windows(2))
    feeds = windows(2)
    feeds["visual"] = feeds["visual"].reshape(2, PACK.card.dim, PACK.card.window)
    with pytest.raises(InferenceError, match="visual"):
        graph.run(feeds)


class Recorded:
    """The joint graph, and the ids under which its kernels would have been recorded."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.ids: list[str | None] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
        self.ids.append(None if options is None else options.get_run_config_entry("gpu_graph_id"))
        self._real.run_with_iobinding(binding, None)


def test_each_bucket_is_recorded_under_its_own_id_twice_before_it_is_needed(joint: Any) -> None:
    session = Recorded(joint)
    graph = BoundGraph(session, ["event_logits"], "cpu", cuda_graph=True)
    graph.warm_up(windows(1))
    assert session.ids == [str(size) for size in reversed(BUCKETS) for _ in range(2)]
    graph.run(windows(3))
    assert session.ids[-1] == "4"


def test_without_cuda_graphs_nothing_is_recorded(joint: Any) -> None:
    session = Recorded(joint)
    BoundGraph(session, ["event_logits"], "cpu").warm_up(windows(1))
    assert session.ids == [None] * len(BUCKETS)


class Boundless(Recorded):
    def get_outputs(self) -> list[Any]:
        class Output:
            name, type, shape = "event_logits", "tensor(float)", ("batch", "events")

        return [Output()]


def test_an_output_whose_size_is_not_known_is_refused(joint: Any) -> None:
    with pytest.raises(InferenceError, match="event_logits"):
        BoundGraph(Boundless(joint), ["event_logits"], "cpu").run(windows(1))
