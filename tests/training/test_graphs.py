"""Export: symbolic batch, no control flow, parity, int8 that still says the same."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from streamwatch.errors import TrainingError
from streamwatch.training.export import windows_seen
from streamwatch.training.graphs import (
    ENCODER,
    JOINT,
    check_graph,
    export_graphs,
    parity,
    quantise_encoder,
    quantise_joint,
    session,
    to_onnx,
)
from streamwatch.training.videobert import ClipEncoder, Dims, Joint

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
DIMS = Dims(dim=64, layers=1, heads=4, inner=64, ages=8, words=16)
SIZE, WINDOW = 96, 4


class Exported:
    """Both tiny graphs in fp32 and int8, made once."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.fp32, self.int8 = folder / "fp32", folder / "int8"
        self.int8.mkdir()
        self.worst = export_graphs(ClipEncoder(dim=64).eval(), Joint(DIMS).eval(), SIZE, WINDOW, self.fp32)
        self.clips = np.random.default_rng(0).integers(0, 255, (6, 8, SIZE, SIZE, 3), dtype=np.uint8)
        quantise_encoder(self.fp32 / ENCODER, self.int8 / ENCODER, list(self.clips))
        self.windows = windows_seen(self.fp32 / ENCODER, list(self.clips), WINDOW)
        quantise_joint(self.fp32 / JOINT, self.int8 / JOINT, self.windows)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("graphs"))


def test_parity_with_torch_at_batch_1_and_3(exported: Exported) -> None:
    assert set(exported.worst) == {ENCODER, JOINT}
    assert max(exported.worst.values()) <= 1e-4


def test_names_are_the_contract(exported: Exported) -> None:
    for folder in (exported.fp32, exported.int8):
        encoder, joint = session(folder / ENCODER), session(folder / JOINT)
        assert [i.name for i in encoder.get_inputs()] == ["frames"]
        assert [o.name for o in encoder.get_outputs()] == ["token", "grid", "motion"]
        assert [i.name for i in joint.get_inputs()] == ["visual", "age", "visual_mask", "text", "text_mask"]
        names = ["event_logits", "token_logits", "align", "video_embedding"]
        assert [o.name for o in joint.get_outputs()] == names


@pytest.mark.parametrize("batch", [1, 5])
def test_int8_tokens_point_the_same_way_and_stay_means_of_their_grid(exported: Exported, batch: int) -> None:
    frames = {"frames": exported.clips[:batch]}
    token, grid, motion = session(exported.int8 / ENCODER).run(None, frames)
    exact = session(exported.fp32 / ENCODER).run(None, frames)[0]
    cosine = (token * exact).sum(1) / np.linalg.norm(token, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosine.min() > 0.9
    mean = (grid * motion[:, None]).sum((2, 3)) / motion.sum((1, 2))[:, None]
    np.testing.assert_allclose(token, mean, rtol=1e-3, atol=1e-4)
    assert (motion > 0).all(), "the weights are not quantised away"


def test_windows_fill_from_the_first_second_on(exported: Exported) -> None:
    tokens = session(exported.fp32 / ENCODER).run(["token"], {"frames": exported.clips})[0]
    masks = np.concatenate([window["visual_mask"] for window in exported.windows])
    assert masks.sum(1).tolist() == [1, 2, 3, 4, 1, 2], "six clips: a whole window, and a third of one"
    np.testing.assert_allclose(exported.windows[3]["visual"][0], tokens[:4], atol=1e-4)
    np.testing.assert_allclose(exported.windows[4]["visual"][0][-1], tokens[4], atol=1e-4)


def test_an_int8_transformer_says_the_same_of_real_tokens(exported: Exported) -> None:
    exact, rounded = session(exported.fp32 / JOINT), session(exported.int8 / JOINT)
    for window in exported.windows:
        expected, found = (graph.run(["event_logits"], window)[0] for graph in (exact, rounded))
        np.testing.assert_allclose(found, expected, atol=0.05)


def test_int8_is_smaller_and_keeps_no_data_outside(exported: Exported) -> None:
    assert (exported.int8 / ENCODER).stat().st_size < 0.6 * (exported.fp32 / ENCODER).stat().st_size
    assert {p.name for p in exported.int8.iterdir()} == {ENCODER, JOINT}


def test_convolutions_are_quantised_and_what_follows_is_not(exported: Exported) -> None:
    nodes = onnx.load(str(exported.int8 / ENCODER)).graph.node
    quantised = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    inputs = [node.input[0] in quantised for node in convolutions]
    assert sum(inputs) == len(convolutions) - 1, "all but the projection"
    assert not any(name in quantised for node in nodes if node.op_type == "Pow" for name in node.input)


def test_the_close_look_takes_pixels_as_the_bytes_they_are(exported: Exported) -> None:
    graph = onnx.load(str(exported.int8 / ENCODER)).graph
    scales = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    read = [node for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in made_by]
    taken = [node for node in read if made_by[node.input[0]] != "QuantizeLinear"]
    assert [made_by[node.input[0]] for node in taken] == ["Reshape"]
    assert [float(scales[name]) for name in taken[0].input[1:]] == [1 / 128, 127]
    assert {name for node in graph.node for name in node.input} >= set(scales), "nothing is kept that nobody reads"


def test_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    onnx.save(helper.make_model(graph), str(tmp_path / "fixed.onnx"))
    with pytest.raises(TrainingError, match="fixed"):
        check_graph(tmp_path / "fixed.onnx")


class Scaled(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (x * self.by,)


def test_another_model_than_the_exported_one_is_noticed(tmp_path: Path) -> None:
    to_onnx(Scaled(2.0), {"x": torch.ones(2, 3)}, ["y"], tmp_path / "a.onnx")
    assert parity(Scaled(2.0), tmp_path / "a.onnx", {"x": torch.ones(1, 3)}) < 1e-6
    with pytest.raises(TrainingError, match=r"a\.onnx: differs from torch by 0\.048 of its size, more than 0\.0001"):
        parity(Scaled(2.1), tmp_path / "a.onnx", {"x": torch.ones(3, 3)})


def test_what_is_not_a_number_is_no_parity(tmp_path: Path) -> None:
    to_onnx(Scaled(float("inf")), {"x": torch.ones(2, 3)}, ["y"], tmp_path / "a.onnx")
    with pytest.raises(TrainingError, match="differs from torch by nan"):
        parity(Scaled(float("inf")), tmp_path / "a.onnx", {"x": torch.zeros(1, 3)})


def test_graphs_name_no_file_of_the_machine(exported: Exported) -> None:
    for folder in (exported.fp32, exported.int8):
        for name in (ENCODER, JOINT):
            assert b'.py", line' not in (folder / name).read_bytes(), f"{folder.name}/{name}"
