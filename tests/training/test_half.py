"""Halves: near torch, small, and refused where they are not near."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from streamwatch.errors import TrainingError
from streamwatch.training import half
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.graphs import ENCODER, JOINT, export_graphs, session, to_onnx
from streamwatch.training.half import MOVED, TOLERANCE, distance, halve, halve_graphs, overflows
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import ClipEncoder, Dims, Joint

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SIZE, WINDOW = 96, 4
CLIPS = list(np.random.default_rng(0).integers(0, 255, (3, 8, SIZE, SIZE, 3), dtype=np.uint8))


class Halved:
    """A tiny model in fp32 and in halves, made once."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        dims = Dims(dim=64, layers=1, heads=4, inner=64, ages=8, words=16)
        model = Checkpoint(ClipEncoder(dim=64).eval(), Joint(dims).eval(), Settings(size=SIZE, window=WINDOW))
        self.model, self.fp32, self.fp16 = model, folder / "fp32", folder / "fp16"
        self.fp16.mkdir()
        export_graphs(model.encoder, model.joint, SIZE, WINDOW, self.fp32)
        self.worst = halve_graphs(model, CLIPS, self.fp32, self.fp16)


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Halved:
    return Halved(tmp_path_factory.mktemp("half"))


def test_halves_are_near_torch_and_not_the_same(halved: Halved) -> None:
    assert set(halved.worst) == {"clip_encoder.fp16.onnx", "joint.fp16.onnx", "probability"}
    assert all(0 < far <= TOLERANCE for far in halved.worst.values())
    assert halved.worst["probability"] <= MOVED


def test_whoever_runs_them_need_not_know(halved: Halved) -> None:
    for name in (ENCODER, JOINT):
        ours, theirs = session(halved.fp16 / f"{Path(name).stem}.fp16.onnx"), session(halved.fp32 / name)
        for mine, yours in ((ours.get_inputs(), theirs.get_inputs()), (ours.get_outputs(), theirs.get_outputs())):
            assert [(x.name, x.type, x.shape) for x in mine] == [(x.name, x.type, x.shape) for x in yours]


def test_weights_are_halves(halved: Halved) -> None:
    for name in (ENCODER, JOINT):
        path = halved.fp16 / f"{Path(name).stem}.fp16.onnx"
        assert path.stat().st_size < 0.6 * (halved.fp32 / name).stat().st_size
        large = [t for t in onnx.load(str(path)).graph.initializer if np.prod(t.dims) > 64]
        assert {t.data_type for t in large} <= {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}


def test_bytes_are_gathered_by_what_a_gpu_has_a_kernel_for(halved: Halved) -> None:
    """Of ONNX Runtime 1.31 (docs/OperatorKernels.md): GatherND of bytes, as an H100 refused it, has none."""
    kinds = {onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL}
    for name in (ENCODER, JOINT):
        model = onnx.shape_inference.infer_shapes(onnx.load(str(halved.fp16 / f"{Path(name).stem}.fp16.onnx")))
        known = {v.name: v.type.tensor_type.elem_type for v in (*model.graph.value_info, *model.graph.input)}
        known |= {x.name: x.data_type for x in model.graph.initializer}
        gathered = [known[node.input[0]] for node in model.graph.node if node.op_type == "GatherND"]
        assert set(gathered) <= kinds
        assert name == JOINT or any(node.op_type == "Gather" for node in model.graph.node)


def test_halves_that_move_a_probability_are_refused(halved: Halved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half, "MOVED", halved.worst["probability"] / 2)
    with pytest.raises(TrainingError, match=r"clip_encoder\.fp16\.onnx and joint.* move a probability by"):
        halve_graphs(halved.model, CLIPS, halved.fp32, halved.fp16)


class Square(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (x * x * 1e-4,)


def test_what_overflows_inside_is_seen_though_a_cpu_goes_on(tmp_path: Path) -> None:
    to_onnx(Square(), {"x": torch.ones(2, 3)}, ["y"], tmp_path / "a.onnx")
    halve(tmp_path / "a.onnx", tmp_path / "b.onnx")
    small, large = ({"x": torch.full((1, 3), value)} for value in (10.0, 300.0))
    assert distance(Square(), tmp_path / "b.onnx", small) < 1e-2
    assert not overflows(tmp_path / "b.onnx", small)
    assert overflows(tmp_path / "b.onnx", large)
