"""An int8 encoder without what it need not do or hold twice; what it says stays the same."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = ["drop_unused", "share_equal", "slim", "take_pixels"]

SCALE, ZERO = "pixel_scale", "pixel_zero"
STEPS = (("Div", 128.0), ("Sub", 127.0), ("Cast", None))  # back from what Lite0 was trained on to bytes


def slim(path: Path) -> None:
    """In place."""
    model = onnx.load(str(path))
    take_pixels(model.graph)
    share_equal(model.graph)
    drop_unused(model.graph)
    onnx.save(model, str(path))


def take_pixels(graph: onnx.GraphProto) -> None:
    """Pixels are bytes already: feed the close look with them where a cast, (x − 127) / 128 and a quantiser make bytes
    of them anew.

    The whole picture is halved in float: ONNX Runtime's mean of bytes takes four times as long.
    """
    made_by = {name: node for node in graph.node for name in node.output}
    held = {value.name: value for value in graph.initializer}
    for node in graph.node:
        quantiser = made_by.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if quantiser is None or quantiser.op_type != "QuantizeLinear":
            continue
        pixels = _pixels_behind(quantiser.input[0], made_by, held)
        if pixels is not None:
            node.input[:] = [pixels, SCALE, ZERO]
    if any(SCALE in node.input for node in graph.node):
        graph.initializer.append(numpy_helper.from_array(np.array(1 / 128, np.float32), SCALE))
        graph.initializer.append(numpy_helper.from_array(np.array(127, np.uint8), ZERO))


def _pixels_behind(
    name: str, made_by: Mapping[str, onnx.NodeProto], held: Mapping[str, onnx.TensorProto]
) -> str | None:
    """The bytes of which ``name`` is (x − 127) / 128; None if it is something else."""
    for kind, number in STEPS:
        node = made_by.get(name)
        if node is None or node.op_type != kind:
            return None
        if number is not None:
            value = held.get(node.input[1])
            if value is None or numpy_helper.to_array(value).ravel().tolist() != [number]:
                return None
        name = node.input[0]
    return name


def share_equal(graph: onnx.GraphProto) -> None:
    """Keep equal values once: both looks go through the same weights, which the quantiser wrote down for each."""
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    instead = {}
    for value in graph.initializer:
        key = value.data_type, tuple(value.dims), numpy_helper.to_array(value).tobytes()
        instead[value.name] = first.setdefault(key, value.name)
    for node in graph.node:
        node.input[:] = [instead.get(name, name) for name in node.input]


def drop_unused(graph: onnx.GraphProto) -> None:
    """Nodes and values that nobody reads."""
    outputs = {value.name for value in graph.output}
    idle = list(graph.node)
    while idle:
        read = outputs | {name for node in graph.node for name in node.input}
        idle = [node for node in graph.node if not read & set(node.output)]
        for node in idle:
            graph.node.remove(node)
    read = outputs | {name for node in graph.node for name in node.input}
    for value in [value for value in graph.initializer if value.name not in read]:
        graph.initializer.remove(value)
