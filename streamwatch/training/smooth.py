"""Before a transformer is quantised: channels that are far larger than the others lend their size to the weights.

Dynamic int8 has one step for all channels of a layer's input, so one large channel leaves few steps to the others.
Divided by s, with the weights' rows times s, the product stays the same (SmoothQuant, arXiv 2211.10438). In a trained
one it was [CLS]: behind the first GELU it reached 24 where other positions reached 2 to 5.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

__all__ = ["MOVED", "UNEVEN", "large_weights", "smooth"]

Array = NDArray[np.float32]
UNEVEN = 15.0  # largest channel to median: below, a multiplication more gains nothing
MOVED = 0.75  # α; at .5 and .9 a trained transformer's logits were moved more
LEAST = 64  # a weight's smaller side: what is smaller stays float


def large_weights(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """The weights that are worth quantising, by name."""
    return {t.name: t for t in graph.initializer if len(t.dims) == 2 and min(t.dims) >= LEAST}


def smooth(path: Path, feeds: Iterable[Mapping[str, NDArray[Any]]]) -> list[str]:
    """In place; ``feeds`` are real inputs of the graph. → The inputs of layers that were evened out."""
    model = onnx.load(str(path))
    graph = model.graph
    weights = large_weights(graph)
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            readers.setdefault(node.input[0], []).append(node)
    evened = []
    for name, seen in (_largest(model, list(readers), feeds) if readers else {}).items():
        if seen.max() < UNEVEN * np.median(seen):
            continue
        held = [weights[node.input[1]] for node in readers[name]]
        share = _share(seen, np.max([np.abs(numpy_helper.to_array(w)).max(1) for w in held], 0))
        for weight in held:
            weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * share[:, None], weight.name))
        _divide(graph, name, readers[name], share)
        evened.append(name)
    onnx.save(model, str(path))
    return evened


def _largest(model: onnx.ModelProto, names: list[str], feeds: Iterable[Mapping[str, NDArray[Any]]]) -> dict[str, Array]:
    """The largest magnitude of each channel of each of ``names`` [C]."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    given = {value.name for value in shown.graph.output}
    shown.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in names if n not in given)
    session = ort.InferenceSession(shown.SerializeToString(), providers=["CPUExecutionProvider"])
    found: dict[str, Array] = {}
    for feed in feeds:
        for name, x in zip(names, session.run(names, dict(feed)), strict=True):
            size = np.abs(x).reshape(-1, x.shape[-1]).max(0)
            found[name] = np.maximum(found[name], size) if name in found else size
    return found


def _share(seen: Array, weight: Array) -> Array:
    """s [C] = (largest input)^α / (largest weight)^(1 − α), 1 in the middle."""
    share = np.maximum(seen, 1e-5) ** MOVED / np.maximum(weight, 1e-5) ** (1 - MOVED)
    return np.asarray(share / np.median(share), np.float32)


def _divide(graph: onnx.GraphProto, name: str, readers: list[onnx.NodeProto], share: Array) -> None:
    """``readers`` of ``name`` take it divided by ``share``."""
    even = f"{name}_even"
    graph.initializer.append(numpy_helper.from_array(np.asarray(1 / share, np.float32), f"{even}_by"))
    at = list(graph.node).index(readers[0])
    graph.node.insert(at, helper.make_node("Mul", [name, f"{even}_by"], [even], f"{even}_mul"))
    for node in readers:
        node.input[0] = even
