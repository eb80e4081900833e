"""Large channels lend their size to the weights: the same products, finer steps of int8."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from streamwatch.training.smooth import UNEVEN, large_weights, smooth

Array = NDArray[np.float32]
WIDTH = 64
rng = np.random.default_rng(0)
LEFT, RIGHT = (rng.normal(size=(WIDTH, 96)).astype(np.float32) for _ in range(2))


def layers(path: Path) -> Path:
    """x → two layers that read the same input, and a head too small to be quantised, which reads it, too."""
    held = {"left": LEFT, "right": RIGHT, "head": LEFT[:, :3]}
    nodes = [helper.make_node("Identity", ["given"], ["x"])]
    nodes += [helper.make_node("MatMul", ["x", name], [f"by_{name}"]) for name in held]
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info(f"by_{name}", TensorProto.FLOAT, None) for name in held],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    return path


def inputs(outlier: float) -> Array:
    x = rng.normal(size=(40, WIDTH)).astype(np.float32)
    x[:, 5] *= outlier
    return x


def run(path: Path, x: Array) -> list[Array]:
    return list(ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"given": x}))


def int8(path: Path) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    out = path.with_suffix(".int8.onnx")
    quantize_dynamic(str(path), str(out), per_channel=True, weight_type=QuantType.QInt8)
    return out


def error(path: Path, x: Array) -> float:
    return max(float(np.abs(found - x @ w).mean()) for found, w in zip(run(path, x)[:2], (LEFT, RIGHT), strict=True))


def test_what_float_says_stays_the_same(tmp_path: Path) -> None:
    path, x = layers(tmp_path / "a.onnx"), inputs(100.0)
    before = run(path, x)
    assert smooth(path, [{"given": x}]) == ["x"]
    for ours, theirs in zip(run(path, x), before, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_int8_is_less_wrong_where_one_channel_is_large(tmp_path: Path) -> None:
    x = inputs(100.0)
    plain, evened = layers(tmp_path / "a.onnx"), layers(tmp_path / "b.onnx")
    smooth(evened, [{"given": x[:20]}, {"given": x[20:]}])
    assert error(int8(evened), x) < 0.5 * error(int8(plain), x)


def test_even_channels_are_left_as_they_are(tmp_path: Path) -> None:
    path = layers(tmp_path / "a.onnx")
    before = path.read_bytes()
    assert smooth(path, [{"given": inputs(1.0)}]) == []
    assert [n.op_type for n in onnx.load(str(path)).graph.node] == [
        n.op_type for n in onnx.load_from_string(before).graph.node
    ]


def test_a_graph_of_small_layers_alone_is_left_as_it_is(tmp_path: Path) -> None:
    path = layers(tmp_path / "a.onnx")
    model = onnx.load(str(path))
    for name in ("left", "right"):
        held = next(t for t in model.graph.initializer if t.name == name)
        held.CopyFrom(numpy_helper.from_array(LEFT[:, :9], name))
    onnx.save(model, str(path))
    assert smooth(path, [{"given": inputs(100.0)}]) == []


@pytest.mark.parametrize(("outlier", "evened"), [(UNEVEN / 4, []), (UNEVEN * 4, ["x"])])
def test_the_largest_of_all_inputs_decides(tmp_path: Path, outlier: float, evened: list[str]) -> None:
    feeds = [{"given": inputs(size)} for size in (1.0, outlier, 1.0)]
    assert smooth(layers(tmp_path / "a.onnx"), feeds) == evened


def test_layers_of_one_input_share_one_multiplication_and_small_heads_none(tmp_path: Path) -> None:
    path = layers(tmp_path / "a.onnx")
    smooth(path, [{"given": inputs(100.0)}])
    graph = onnx.load(str(path)).graph
    read = {node.input[1]: node.input[0] for node in graph.node if node.op_type == "MatMul"}
    assert read == {"left": "x_even", "right": "x_even", "head": "x"}
    assert sum(node.op_type == "Mul" for node in graph.node) == 1
    assert set(large_weights(graph)) == {"left", "right"}
