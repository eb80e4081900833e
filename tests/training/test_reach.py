"""int8 reaches over almost all values: single far ones do not coarsen the steps of the others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from streamwatch.training.graphs import ENCODER, export_graphs, quantise_encoder
from streamwatch.training.reach import LEAST, convolved, moved, reaches
from streamwatch.training.videobert import ClipEncoder, Dims, Joint

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
Array = NDArray[np.float32]
SIDE = 64


def convolutions(path: Path) -> Path:
    """given → a, clipped; a residual sum of b, itself read twice; what follows is float."""
    one = numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "one")
    limits = [numpy_helper.from_array(np.array(x, np.float32), n) for n, x in (("low", 0.0), ("high", 6.0))]
    nodes = [
        helper.make_node("Add", ["given", "given"], ["twice"], "before"),
        helper.make_node("Conv", ["twice", "one"], ["a"], "first"),
        helper.make_node("Clip", ["a", "low", "high"], ["kept"], "clip"),
        helper.make_node("Conv", ["kept", "one"], ["b"], "second"),
        helper.make_node("Conv", ["b", "one"], ["c"], "third"),
        helper.make_node("Add", ["b", "c"], ["sum"], "residual"),
        helper.make_node("Add", ["sum", "sum"], ["y"], "float"),
    ]
    shape = ["n", 1, SIDE, SIDE]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("given", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [one, *limits])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    return path


def pictures(values: Sequence[Array]) -> list[dict[str, Array]]:
    return [{"given": x.reshape(1, 1, SIDE, SIDE).astype(np.float32)} for x in values]


def test_what_is_rounded_is_behind_a_convolution_and_its_clip(tmp_path: Path) -> None:
    graph = onnx.load(str(convolutions(tmp_path / "g.onnx"))).graph
    assert convolved(graph, {"float"}) == ["kept", "b", "c", "sum"]
    assert convolved(graph, ()) == ["kept", "b", "c", "sum", "y"]


def test_what_is_only_moved_is_known_by_what_it_was() -> None:
    """Parts of one map put together; not parts of two, nor what was made from them."""
    nodes = [
        helper.make_node("Split", ["a"], ["left", "right"], num_outputs=2),
        helper.make_node("Pad", ["left", "by"], ["padded"]),
        helper.make_node("Concat", ["padded", "right"], ["whole"], axis=1),
        helper.make_node("Concat", ["whole", "b"], ["mixed"], axis=1),
        helper.make_node("Abs", ["right"], ["size"]),
        helper.make_node("Concat", ["size", "left"], ["made"], axis=1),
        helper.make_node("Concat", ["whole", "left"], ["again"], axis=1),
    ]
    graph = helper.make_graph(nodes, "g", [], [])
    assert moved(graph, {"a", "b"}) == dict.fromkeys(("left", "right", "padded", "whole", "again"), "a")
    assert moved(graph, {"b"}) == {}


def test_a_single_far_value_is_beyond_reach_and_the_many_are_not(tmp_path: Path) -> None:
    path = convolutions(tmp_path / "g.onnx")
    even = np.linspace(-1, 1, SIDE * SIDE, dtype=np.float32)
    far = even.copy()
    far[7] = 1000.0
    low, high = reaches(path, ["a"], pictures([even, far]))["a"]
    assert low == pytest.approx(-2.0, abs=0.01) and high == pytest.approx(2.0, abs=0.01)


def test_the_share_says_how_many_are_beyond(tmp_path: Path) -> None:
    path = convolutions(tmp_path / "g.onnx")
    some = np.ones(SIDE * SIDE, np.float32)
    some[::50] = 20.0  # two in a hundred
    assert reaches(path, ["a"], pictures([some]))["a"] == (0.0, 40.0)
    assert reaches(path, ["a"], pictures([some]), within=0.9)["a"] == (0.0, 2.0)


def test_zero_is_always_within_reach_and_no_range_is_empty(tmp_path: Path) -> None:
    path = convolutions(tmp_path / "g.onnx")
    high, none = (np.full(SIDE * SIDE, x, np.float32) for x in (5.0, 0.0))
    assert reaches(path, ["a", "kept"], pictures([high])) == {"a": (0.0, 10.0), "kept": (0.0, 6.0)}
    assert reaches(path, ["kept"], pictures([none])) == {"kept": (0.0, LEAST)}


def test_the_same_pictures_give_the_same_ranges(tmp_path: Path) -> None:
    path = convolutions(tmp_path / "g.onnx")
    some = pictures([np.random.default_rng(n).normal(size=SIDE * SIDE).astype(np.float32) for n in range(3)])
    assert reaches(path, ["b", "sum"], some) == reaches(path, ["b", "sum"], some)


def test_without_pictures_nothing_is_said(tmp_path: Path) -> None:
    assert reaches(convolutions(tmp_path / "g.onnx"), ["a"], []) == {}


def test_the_quantiser_takes_these_ranges(tmp_path: Path) -> None:
    dims = Dims(dim=64, layers=1, heads=4, inner=64, ages=8, words=16)
    export_graphs(ClipEncoder(dim=64).eval(), Joint(dims).eval(), 96, 4, tmp_path)
    clips = list(np.random.default_rng(0).integers(0, 255, (4, 8, 96, 96, 3), dtype=np.uint8))
    quantise_encoder(tmp_path / ENCODER, tmp_path / "int8.onnx", clips)
    graph = onnx.load(str(tmp_path / "int8.onnx")).graph
    scale_of = {node.input[0]: node.input[1] for node in graph.node if node.op_type == "QuantizeLinear"}
    held = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    names = [n for n in convolved(onnx.load(str(tmp_path / ENCODER)).graph, ()) if n in scale_of]
    assert len(names) > 30, "the maps keep their names"
    found = reaches(tmp_path / ENCODER, names, [{"frames": clip[None]} for clip in clips])
    for name, (low, high) in found.items():
        assert held[scale_of[name]] == pytest.approx((high - low) / 255, rel=0.3), (
            name
        )  # of 16,000 values, 8 are beyond
