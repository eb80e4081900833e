"""How far int8 reaches in each map of the eyes: over almost all of its values, not up to its one largest.

A step is as coarse as the range is wide, and linear maps have tails: of [−57, 56] all but .05 % lay within a third. On
real clips nearly all that int8 changes comes from these steps, not from the weights: with 16 bits for activations, a
quarter was left.
"""

from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper

__all__ = ["WITHIN", "convolved", "moved", "reaches"]

WITHIN = 0.9995  # of .9999, .9995 and .999 the one that moved event logits least, looked at without labels
SAMPLES = 4000  # values of each map, of each feed
MOVES = ("Reshape", "Split", "Slice", "Pad", "Concat")  # as they are, only elsewhere
LEAST = 0.01  # a map that never changes has a range all the same


def convolved(graph: onnx.GraphProto, left: Container[str]) -> list[str]:
    """The maps that are rounded to int8: results of convolutions and of their sums, behind a Clip where one follows;
    nodes in ``left`` stay float."""
    clipped = {node.input[0] for node in graph.node if node.op_type == "Clip"}
    behind: set[str] = set()
    found = []
    for node in graph.node:  # in topological order
        if node.op_type != "Conv" and not behind & set(node.input):
            continue
        behind.update(node.output)
        if node.op_type in ("Conv", "Clip", "Add") and node.name not in left and node.output[0] not in clipped:
            found.append(node.output[0])
    return found


def moved(graph: onnx.GraphProto, known: Container[str]) -> dict[str, str]:
    """Maps put together from nothing but parts of one map of ``known``, and zeros, → that one: rounded as it is, they
    are not rounded twice.

    The quantiser sees to it for all but a Concat, but fits the biases of a convolution that reads such a map to the
    range it has by itself: those of channels with hardly any weight would not fit into 32 bits.
    """
    found: dict[str, str] = {}
    for node in graph.node:  # in topological order
        pieces = node.input if node.op_type == "Concat" else node.input[:1]
        origins = {name if name in known else found.get(name) for name in pieces}
        origin = origins.pop() if len(origins) == 1 and node.op_type in MOVES else None
        if origin is not None:
            found |= dict.fromkeys(node.output, origin)
    return found


def reaches(
    path: Path, names: list[str], feeds: Iterable[Mapping[str, NDArray[Any]]], within: float = WITHIN
) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of each of ``names`` that int8 shall tell apart, 0 always among them; ``feeds`` are real
    inputs of the graph at ``path``. What lies beyond becomes the nearest of the two."""
    model = onnx.load(str(path))
    given = {value.name for value in model.graph.output}
    model.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in names if n not in given)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    seen: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for feed in feeds:
        for name, x in zip(names, session.run(names, dict(feed)), strict=True):
            seen[name].append(x.ravel()[rng.integers(0, x.size, min(SAMPLES, x.size))])
    return {name: _range(np.concatenate(values), within) for name, values in seen.items() if values}


def _range(values: NDArray[np.float32], within: float) -> tuple[float, float]:
    low, high = (float(q) for q in np.quantile(values, [1 - within, within]))
    return min(low, 0.0), max(high, LEAST)
