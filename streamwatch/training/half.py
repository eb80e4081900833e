"""Graphs in half precision, for a GPU, with proof that they still say what torch says."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamwatch.errors import TrainingError
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.data import Images
from streamwatch.training.graphs import ENCODER, JOINT, session

__all__ = ["MOVED", "TOLERANCE", "distance", "halve", "halve_graphs", "overflows"]

TOLERANCE = 2e-2  # of an output, by its norm
MOVED = 1e-2  # of a probability, through both graphs
SAMPLE = 6  # clips: the CPU computes halves slowly


def halve(fp32: Path, fp16: Path) -> None:
    """Weights and arithmetic in halves. Inputs and outputs stay as they are, so that whoever runs it need not know."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(str(fp32)), keep_io_types=True), str(fp16))


def distance(model: nn.Module, path: Path, inputs: Mapping[str, Tensor]) -> float:
    """How far the graph is from torch: the norm of the difference in that of the output, of the worst output.

    Not the largest difference: of 200,000 cells rounded at each of 34 convolutions one is always far off. Infinite for
    what is not a number.
    """
    with torch.no_grad():
        expected = model(**inputs)
    found = session(path).run(None, {name: x.numpy() for name, x in inputs.items()})
    return max(_apart(ours.numpy(), theirs) for ours, theirs in zip(expected, found, strict=True))


def _apart(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    found = float(np.linalg.norm(ours - theirs) / max(1e-6, float(np.linalg.norm(ours))))
    return found if math.isfinite(found) else math.inf


def overflows(path: Path, inputs: Mapping[str, Tensor]) -> list[str]:
    """Values inside the graph that are not finite for the first row of ``inputs``.

    A CPU computes halves in fp32 and rounds late, so it hides what a GPU would not; but not what it is asked to show.
    """
    model = onnx.load(str(path))
    shown = {value.name for value in model.graph.output}
    inner = [name for node in model.graph.node for name in node.output if name and name not in shown]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inner)
    shower = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = shower.run(inner, {name: x[:1].numpy() for name, x in inputs.items()})
    return [name for name, value in zip(inner, found, strict=True) if not np.isfinite(value).all()]


def halve_graphs(
    checkpoint: Checkpoint, clips: Sequence[Images], fp32: Path, folder: Path, suffix: str = ".fp16"
) -> dict[str, float]:
    """Both graphs in the folder ``fp32`` as halves, to ``folder`` as ``clip_encoder<suffix>.onnx`` and so on; → file →
    its :func:`distance` on real ``clips``, and ``probability`` → how far an event's moves through both. Raises
    TrainingError above TOLERANCE and MOVED, and for sums that overflow.
    """
    frames = {"frames": torch.from_numpy(np.stack(clips[:SAMPLE]))}
    with torch.no_grad():
        token = checkpoint.encoder(**frames)[0]
    checked: dict[str, tuple[nn.Module, Mapping[str, Tensor]]] = {
        ENCODER: (checkpoint.encoder, frames),
        JOINT: (checkpoint.joint, _windows(token, checkpoint.settings.window)),
    }
    worst = {}
    for name, (model, inputs) in checked.items():
        path = folder / f"{Path(name).stem}{suffix}.onnx"
        halve(fp32 / name, path)
        if too_large := overflows(path, inputs):
            raise TrainingError(f"{path.name}: too large for a half: {', '.join(too_large[:3])}")
        worst[path.name] = far = distance(model, path, inputs)
        if not far <= TOLERANCE:
            raise TrainingError(f"{path.name}: differs from torch by {far:.2g} of its size, more than {TOLERANCE}")
    encoder, graph = (session(folder / name) for name in worst)
    ours = torch.from_numpy(encoder.run(["token"], {"frames": frames["frames"].numpy()})[0])
    windows = {name: x.numpy() for name, x in _windows(ours, checkpoint.settings.window).items()}
    logits = torch.from_numpy(graph.run(["event_logits"], windows)[0])
    with torch.no_grad():
        exact = checkpoint.joint(**checked[JOINT][1])[0]
    names = list(worst)
    worst["probability"] = moved = float((logits.sigmoid() - exact.sigmoid()).abs().max())
    if not moved <= MOVED:
        raise TrainingError(f"{' and '.join(names)}: halves move a probability by {moved:.2g}, more than {MOVED}")
    return worst


def _windows(token: Tensor, size: int) -> dict[str, Tensor]:
    """Two windows of ``token`` [B, D] as they are served: full, and with one second after a reconnect."""
    rows = token[torch.arange(size) % len(token)]
    mask = torch.ones(2, size)
    mask[1, :-1] = 0
    return {
        "visual": rows * mask[..., None],  # [2, N, D]
        "age": torch.arange(size - 1, -1, -1).float().expand(2, size).contiguous(),
        "visual_mask": mask,
        "text": torch.zeros(2, 1, token.shape[1]),
        "text_mask": torch.zeros(2, 1),
    }
