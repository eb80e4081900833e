"""torch → ONNX → int8, with proof. What was measured to bite is said where it is avoided."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamwatch.errors import TrainingError
from streamwatch.training.data import Images
from streamwatch.training.reach import convolved, moved, reaches
from streamwatch.training.slim import slim
from streamwatch.training.smooth import large_weights, smooth
from streamwatch.training.videobert import ClipEncoder, Joint

__all__ = [
    "ENCODER",
    "JOINT",
    "check_graph",
    "export_graphs",
    "forget_origin",
    "parity",
    "quantise_encoder",
    "quantise_joint",
    "session",
    "to_onnx",
]

ENCODER = "clip_encoder.onnx"
JOINT = "joint.onnx"
CONTROL_FLOW = {"If", "Loop", "Scan"}
TOLERANCE = 1e-4


def to_onnx(
    model: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    optimise: bool = True,
) -> None:
    """Opset 18, weights inside the file, first axis ``batch`` and the ``dynamic`` axes symbolic. What is not kept need
    not be optimised, which takes most of the time: ONNX Runtime does so, too.

    An example batch of 1 would be baked in silently, so it must be at least 2.
    """
    dynamic = dynamic or {}
    path.parent.mkdir(parents=True, exist_ok=True)
    names = {"batch", *(name for axes in dynamic.values() for name in axes.values())}
    dims = {name: torch.export.Dim(name) for name in names}
    axes = {name: {0: "batch", **dynamic.get(name, {})} for name in example}
    torch.onnx.export(
        model.eval(),
        (),
        str(path),
        kwargs=dict(example),
        input_names=list(example),
        output_names=list(outputs),
        opset_version=18,
        dynamo=True,
        external_data=False,
        dynamic_shapes={name: {a: dims[d] for a, d in known.items()} for name, known in axes.items()},
        verbose=False,
        optimize=optimise,
    )
    forget_origin(path)
    check_graph(path)


def forget_origin(path: Path) -> None:
    """Take out the exporter's notes on where each node came from: they hold the paths of the machine."""
    model = onnx.load(str(path))
    graph = model.graph
    noted = (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info)
    for part in noted:
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(model, str(path))


def check_graph(path: Path) -> None:
    """Raises TrainingError for a batch that is not symbolic, or for control flow."""
    graph = onnx.load(str(path)).graph
    for value in [*graph.input, *graph.output]:
        if not value.type.tensor_type.shape.dim[0].dim_param:
            raise TrainingError(f"{path.name}: the batch of {value.name!r} is fixed")
    found = CONTROL_FLOW & {node.op_type for node in graph.node}
    if found:
        raise TrainingError(f"{path.name}: control flow in the graph: {', '.join(sorted(found))}")


def session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def parity(model: nn.Module, path: Path, inputs: Mapping[str, Tensor]) -> float:
    """Largest difference between torch and the graph, relative to each output's own size (1 at least).

    Raises TrainingError above 1e-4, and for what is not a number.
    """
    with torch.no_grad():
        expected = model(**inputs)
    found = session(path).run(None, {name: x.numpy() for name, x in inputs.items()})
    apart = []
    for ours, theirs in zip(expected, found, strict=True):
        size = max(1.0, float(ours.abs().max()))
        apart.append(float(np.abs(ours.numpy() - theirs).max()) / size)
    worst = float(np.max(apart))  # nan if one is
    if not worst <= TOLERANCE:
        raise TrainingError(f"{path.name}: differs from torch by {worst:.2g} of its size, more than {TOLERANCE}")
    return worst


@dataclass
class _Frames:
    """Real clips, one at a time, as the quantiser wants them."""

    clips: Iterable[Images]

    def __post_init__(self) -> None:
        self.rest = iter(self.clips)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        clip = next(self.rest, None)
        return None if clip is None else {"frames": clip[None]}


def _behind_the_eyes(graph: onnx.GraphProto) -> list[str]:
    """Nodes after the convolutions: differences, powers and the projection stay float.

    They begin where maps are cut into clips for good: at the Reshapes that have a convolution before them, and no
    depthwise one behind; a temporal shift (:mod:`streamwatch.training.shift`) cuts them, too, and the eyes go on.
    """
    seen_again: set[str] = set()
    for node in reversed(graph.node):
        if _depthwise(node) or seen_again & set(node.output):
            seen_again.update(node.input)
    convolved: set[str] = set()
    behind: set[str] = set()
    names = []
    for node in graph.node:  # in topological order
        follows = any(name in convolved for name in node.input)
        cut = node.op_type == "Reshape" and follows and not seen_again & set(node.output)
        late = cut or any(name in behind for name in node.input)
        if late:
            behind.update(node.output)
            names.append(node.name)
        if follows or node.op_type == "Conv":
            convolved.update(node.output)
    return names


def _depthwise(node: onnx.NodeProto) -> bool:
    return node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute)


def _that_choose(graph: onnx.GraphProto) -> list[str]:
    """Nodes that say from the half-size picture where the close look goes: rounded motion would send it elsewhere than
    training did."""
    made_by = {name: node for node in graph.node for name in node.output}
    half = next(node for node in graph.node if node.op_type == "AveragePool")
    waiting = [node for node in graph.node if node.op_type == "ArgMax"]
    found: dict[str, None] = {}
    while waiting:
        node = waiting.pop()
        if node.name not in found and node is not half:
            found[node.name] = None
            waiting += [made_by[name] for name in node.input if name in made_by]
    return list(found)


def _forget_shapes(path: Path) -> None:
    """The exporter's notes on inner shapes contradict the optimiser's transposed weights; ONNX infers them anew."""
    model = onnx.load(str(path))
    del model.graph.value_info[:]
    onnx.save(model, str(path))


def quantise_encoder(fp32: Path, int8: Path, clips: Sequence[Images]) -> None:
    """Static QDQ per channel, U8 activations and S8 weights, all operators of the convolutional part. How far the steps
    reach is measured on ``clips``."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(_Frames, CalibrationDataReader):  # type: ignore[misc]
        pass

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
        _forget_shapes(prepared)
        graph = onnx.load(str(prepared)).graph
        left = [*_behind_the_eyes(graph), *_that_choose(graph)]
        feeds = ({"frames": clip[None]} for clip in clips)
        found = reaches(prepared, convolved(graph, left), feeds)
        found |= {name: found[source] for name, source in moved(graph, found).items()}
        ranges = {name: [{"rmin": np.float32(a), "rmax": np.float32(b)}] for name, (a, b) in found.items()}
        quantize_static(
            str(prepared),
            str(int8),
            Reader(clips),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=left,
            extra_options={"TensorQuantOverrides": ranges},
        )
    slim(int8)


def quantise_joint(fp32: Path, int8: Path, windows: Iterable[Mapping[str, NDArray[Any]]]) -> None:
    """Dynamic int8 per channel, evened out over ``windows`` before; the small heads stay float."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
        _forget_shapes(prepared)
        smooth(prepared, windows)
        graph = onnx.load(str(prepared)).graph
        large = set(large_weights(graph))
        small = [n.name for n in graph.node if n.op_type in ("MatMul", "Gemm") and not large & set(n.input)]
        quantize_dynamic(
            str(prepared), str(int8), per_channel=True, weight_type=QuantType.QInt8, nodes_to_exclude=small
        )


def export_graphs(encoder: ClipEncoder, joint: Joint, size: int, window: int, folder: Path) -> dict[str, float]:
    """Both graphs in fp32 into ``folder``; → largest difference from torch at batch 1 and 3."""
    dim = joint.dims.dim
    rng = torch.Generator().manual_seed(0)

    def frames(batch: int) -> dict[str, Tensor]:
        noise = torch.rand(batch, 8, size, size, 3, generator=rng) * 255
        return {"frames": noise.to(torch.uint8)}

    def slots(batch: int, length: int = 3) -> dict[str, Tensor]:
        return {
            "visual": torch.randn(batch, window, dim, generator=rng),
            "age": torch.arange(window - 1, -1, -1).float().expand(batch, window).contiguous(),
            "visual_mask": (torch.rand(batch, window, generator=rng) > 0.2).float(),
            "text": torch.randn(batch, length, dim, generator=rng),
            "text_mask": torch.ones(batch, length),
        }

    to_onnx(encoder, frames(2), ["token", "grid", "motion"], folder / ENCODER)
    outputs = ["event_logits", "token_logits", "align", "video_embedding"]
    length = {"text": {1: "length"}, "text_mask": {1: "length"}}
    to_onnx(joint, slots(2), outputs, folder / JOINT, length)
    return {
        ENCODER: max(parity(encoder, folder / ENCODER, frames(b)) for b in (1, 3)),
        JOINT: max(parity(joint, folder / JOINT, slots(b, n)) for b, n in ((1, 1), (3, 7))),
    }
