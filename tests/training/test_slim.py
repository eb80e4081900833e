"""Graphs that say the same and do less."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from streamwatch.training.slim import drop_unused, share_equal, slim, take_pixels


def quantised(zero: float = 127.0, divisor: float = 128.0) -> onnx.ModelProto:
    """bytes → (x − zero) / divisor → bytes → times a weight that is held twice, as the quantiser leaves it."""
    weight = np.array([[2.0], [3.0]], np.float32)
    values = {
        "zero": np.array(zero, np.float32),
        "divisor": np.array(divisor, np.float32),
        "scale": np.array(1 / 128, np.float32),
        "point": np.array(127, np.uint8),
        "left": weight,
        "right": weight,
        "idle": np.ones(5, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["cast", "zero"], ["sub"]),
        helper.make_node("Div", ["sub", "divisor"], ["div"]),
        helper.make_node("QuantizeLinear", ["div", "scale", "point"], ["bytes"]),
        helper.make_node("DequantizeLinear", ["bytes", "scale", "point"], ["x"]),
        helper.make_node("MatMul", ["x", "left"], ["one"]),
        helper.make_node("MatMul", ["x", "right"], ["two"]),
        helper.make_node("Add", ["one", "two"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def said(model: onnx.ModelProto) -> NDArray[np.float32]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    every = np.stack([np.arange(256), np.arange(256)[::-1]], 1).astype(np.uint8)
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"pixels": every})[0], np.float32)


def test_a_slim_graph_says_the_same_with_half_of_the_nodes(tmp_path: Path) -> None:
    model = quantised()
    before = said(model)
    onnx.save(model, str(tmp_path / "g.onnx"))
    slim(tmp_path / "g.onnx")
    after = onnx.load(str(tmp_path / "g.onnx"))
    np.testing.assert_array_equal(said(after), before)
    assert [node.op_type for node in after.graph.node] == ["DequantizeLinear", "MatMul", "MatMul", "Add"]
    assert {value.name for value in after.graph.initializer} == {"scale", "point", "left"}, "each value once"


@pytest.mark.parametrize(("zero", "divisor"), [(128.0, 128.0), (127.0, 255.0)])
def test_other_arithmetic_on_bytes_is_left_alone(zero: float, divisor: float) -> None:
    graph = quantised(zero, divisor).graph
    take_pixels(graph)
    assert graph.node[4].input[0] == "bytes"
    assert not any(value.name.startswith("pixel_") for value in graph.initializer)


def test_equal_values_are_read_from_one_place_and_the_other_goes() -> None:
    graph = quantised().graph
    share_equal(graph)
    assert graph.node[5].input[1] == graph.node[6].input[1] == "left"
    drop_unused(graph)
    assert {"right", "idle"}.isdisjoint(value.name for value in graph.initializer)
    assert len(graph.node) == 8
