"""A whole pack from a tiny checkpoint, loaded as the live side loads it, and measured."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.models.precision import graph_file
from streamwatch.training import export as module
from streamwatch.training.card import write_card
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.data import Entry, clips_of, read_pictures
from streamwatch.training.evaluate import alarms, evaluate, homes, score_clips, table
from streamwatch.training.events import EVENTS
from streamwatch.training.export import export
from streamwatch.training.graphs import session
from streamwatch.training.half import MOVED
from streamwatch.training.manifest import Manifest, read_manifest
from streamwatch.training.minilm import MiniLM
from streamwatch.training.recipe import CardRecipe, Recipe
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import ClipEncoder, Dims, Joint
from streamwatch.training.windows import every_window
from tests.training.films import write_film

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
HEAD = "path,source,label,group,split,width,height,fps,frames,seconds,licence\n"


def data(root: Path) -> Path:
    """Slow films are normal, fast ones are fights, falls and thefts."""
    rows: list[str] = []
    for split in ("train", "val"):
        for source, label in (("surv_fight", "fight"), ("urfall", "fall"), ("mnnit_shoplifting", "shoplifting")):
            for kind, speed in ((label, 90.0), ("normal", 8.0)):
                name = f"{split}_{source}_{kind}.mp4"
                write_film(root / name, seconds=2.0, speed=speed)
                rows.append(f"{name},{source},{kind},g{len(rows)},{split},96,64,16,32,2.0,MIT\n")
    (root / "clips.csv").write_text(HEAD + "".join(rows))
    (root / "segments.csv").write_text("path,start_s,end_s,label,caption\nval_urfall_fall.mp4,0,1,fall,falls\n")
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """(data, pack, card)."""
    folder = tmp_path_factory.mktemp("export")
    torch.manual_seed(0)
    dims = Dims(dim=32, layers=1, heads=4, inner=32, ages=8, words=16)
    checkpoint = Checkpoint(ClipEncoder(dim=32).eval(), Joint(dims).eval(), Settings(size=96, window=4))
    checkpoint.save(folder / "model.pt")
    minilm = MiniLM({"embeddings.word_embeddings.weight": torch.randn(50, 32)}, "{}")
    root = data(folder / "data")
    return (
        root,
        folder / "pack",
        export(folder / "model.pt", read_manifest(root / "clips.csv"), folder / "pack", minilm=minilm, precision="all"),
    )


def test_the_live_side_takes_the_pack(made: tuple[Path, Path, dict[str, Any]]) -> None:
    pack = load_pack(str(made[1]))
    assert list(pack.card.events) == list(EVENTS)
    assert (pack.card.size, pack.card.grid, pack.card.window, pack.card.dim) == (96, 3, 4, 32)
    assert all(0 < e.off < e.on < 1 for e in pack.card.events.values())


def test_the_card_says_where_it_comes_from_and_where_it_fails(made: tuple[Path, Path, dict[str, Any]]) -> None:
    card = made[2]
    assert {row["source"] for row in card["data"]} == {"surv_fight", "urfall", "mnnit_shoplifting"}
    assert card["licences"]
    assert card["limits"] == [
        "calibrated on 6 clips of split val: fight in 1, fall in 1, shoplifting in 1; 3 are normal"
    ]
    parity = card["measured"]["parity_with_torch"]
    assert max(far for name, far in parity.items() if "halves" not in name) <= 1e-4


def test_a_checkpoint_without_a_name_makes_a_pack_of_ones_own(made: tuple[Path, Path, dict[str, Any]]) -> None:
    pack = load_pack(str(made[1]))
    assert (pack.info.name, pack.info.version) == ("own", "0.1.0")
    assert not any("one room" in event.description for event in pack.card.events.values())


def test_thresholds_are_fitted_on_the_packs_own_files(made: tuple[Path, Path, dict[str, Any]]) -> None:
    """The lowest at which a normal clip of the source is quiet, by what the pack itself says of it."""
    manifest, pack = read_manifest(made[0] / "clips.csv"), load_pack(str(made[1]))
    model = OnnxModel(pack, "cpu")
    for column, (event, card) in enumerate(pack.card.events.items()):
        home = homes(manifest.entries, event)
        quiet = [e for e in manifest.entries if e.split == "val" and e.label == "normal" and e.source in home]
        (scores,) = (s.scores[:, column] for s in score_clips(model, manifest.root, quiet))
        assert card.on == 0.95 or not alarms(scores, card.on, card.off)
        assert card.on == 0.6 or alarms(scores, card.on - 0.01, card.off - 0.01)
        assert card.off == pytest.approx(card.on - 0.2)


def test_halves_stand_beside_the_int8_files_and_say_the_same(made: tuple[Path, Path, dict[str, Any]]) -> None:
    parity = made[2]["measured"]["parity_with_torch"]
    names = {f"{name}, in halves" for name in ("clip_encoder.fp16.onnx", "joint.fp16.onnx", "probability")}
    assert {name for name in parity if "halves" in name} == names
    assert 0 < parity["probability, in halves"] <= MOVED
    assert made[2]["precision"] == "int8"
    pack = load_pack(str(made[1]))
    chosen = [graph_file(stem, "cuda", True, pack.card.files) for stem in ("clip_encoder", "joint")]
    assert chosen == ["clip_encoder.fp16.onnx", "joint.fp16.onnx"]


def test_float32_stands_beside_them_for_a_cpu_whose_int8_saturates(made: tuple[Path, Path, dict[str, Any]]) -> None:
    """It says what torch says of a real clip, where int8 is only near."""
    pack, torchs = load_pack(str(made[1])), Checkpoint.load(made[1].parent / "model.pt")
    chosen = [graph_file(stem, "cpu", False, pack.card.files) for stem in ("clip_encoder", "joint")]
    assert chosen == ["clip_encoder.fp32.onnx", "joint.fp32.onnx"]
    frames = next(clip for *_, clip in clips_of(read_pictures(made[0] / "val_urfall_fall.mp4"), 96))[None]

    def said(encoder: str, joint: str) -> tuple[Any, Any, dict[str, Any]]:
        token = session(made[1] / encoder).run(["token"], {"frames": frames})[0]
        visual, age, mask = every_window(token, 4)
        seen = {"visual": visual, "age": age, "visual_mask": mask}
        text = {"text": np.zeros((1, 1, 32), np.float32), "text_mask": np.zeros((1, 1), np.float32)}
        return token, session(made[1] / joint).run(["event_logits"], {**seen, **text})[0], {**seen, **text}

    token, exact, inputs = said(*chosen)
    with torch.no_grad():
        ours = torchs.encoder(torch.from_numpy(frames))[0]
        theirs = torchs.joint(**{name: torch.from_numpy(x) for name, x in inputs.items()})[0]
    np.testing.assert_allclose(token, ours, rtol=1e-3, atol=1e-4 * float(ours.abs().max()))
    np.testing.assert_allclose(exact, theirs, rtol=1e-3, atol=1e-4)
    rounded, _, _ = said("clip_encoder.onnx", "joint.onnx")
    assert np.abs(rounded - token).max() > 10 * np.abs(token - ours.numpy()).max()


def test_float32_alone_is_calibrated_with_what_the_recipe_says(
    made: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    before = Checkpoint.load(made[1].parent / "model.pt")
    said = CardRecipe(version="2.0", thresholds={"fall": (0.9, 0.3)}, limits=["not at night"])
    replace(before, recipe=Recipe(name="ward", about="two rooms", card=said)).save(tmp_path / "model.pt")
    minilm = MiniLM({"embeddings.word_embeddings.weight": torch.randn(5, 32)}, "{}")
    given = read_manifest(made[0] / "clips.csv")
    card = export(tmp_path / "model.pt", given, tmp_path / "pack", minilm, "fp32")
    pack = load_pack(str(tmp_path / "pack"))
    assert (pack.info.name, pack.info.version, pack.card.precision) == ("ward", "2.0", "fp32")
    assert set(pack.card.files) == {"clip_encoder.onnx", "joint.onnx", "tokenizer.json", "word_embeddings.npz"}
    fall, fight = pack.card.events["fall"], pack.card.events["fight"]
    assert (fall.on, fall.off) == (0.9, 0.3)
    assert fight.on - fight.off == pytest.approx(0.2), "fitted"
    assert (card["about"], card["limits"]) == ("two rooms", ["not at night"])
    for name in ("clip_encoder", "joint"):
        assert (tmp_path / "pack" / f"{name}.onnx").stat().st_size == (made[1] / f"{name}.fp32.onnx").stat().st_size


def copied(made: tuple[Path, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, graphs: str = "*.onnx") -> None:
    """The slow part, done by the files of the pack that is made already."""

    def write(_: Checkpoint, _minilm: MiniLM, _clips: object, folder: Path, card: dict[str, Any], _p: str) -> object:
        for path in [*made[1].glob(graphs), made[1] / "tokenizer.json", made[1] / "word_embeddings.npz"]:
            shutil.copy(path, folder)
        write_card(folder, card)
        return {"joint.onnx": 1e-6}

    monkeypatch.setattr(module, "write_pack", write)


def again(made: tuple[Path, Path, dict[str, Any]], out: Path, manifest: Manifest | None = None) -> dict[str, Any]:
    given = manifest or read_manifest(made[0] / "clips.csv")
    return export(made[1].parent / "model.pt", given, out, MiniLM({}, "{}"))


def test_who_is_stopped_while_it_is_calibrated_has_no_pack_and_keeps_the_one_before(
    made: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    copied(made, monkeypatch)
    before = shutil.copytree(made[1], tmp_path / "before")
    with monkeypatch.context() as patched:
        patched.setattr(module, "score_clips", stopped)
        for out in (before, tmp_path / "new"):
            with pytest.raises(KeyboardInterrupt):
                again(made, out)
    assert {path.name for path in tmp_path.iterdir()} == {"before"}
    assert load_pack(str(before)).info == load_pack(str(made[1])).info
    again(made, tmp_path / "new")
    assert load_pack(str(tmp_path / "new")).card.events == load_pack(str(made[1])).card.events
    assert {path.name for path in tmp_path.iterdir()} == {"before", "new"}


def test_halves_of_another_checkpoint_do_not_stay(
    made: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be what a GPU runs."""
    out = shutil.copytree(made[1], tmp_path / "pack")
    for name in ("MODEL_CARD.md", "eyes.onnx"):
        (out / name).write_text("mine")
    copied(made, monkeypatch, "*[rt].onnx")  # those of int8
    again(made, out)
    pack, own = load_pack(str(out)), {"clip_encoder.onnx", "joint.onnx", "tokenizer.json", "word_embeddings.npz"}
    assert set(pack.card.files) == own
    assert {path.name for path in out.iterdir()} == {*own, "card.json", "MODEL_CARD.md", "eyes.onnx"}
    assert graph_file("joint", "cuda", True, pack.card.files) == "joint.onnx"


def test_what_lacks_in_the_manifest_is_said_before_anything_is_made(
    made: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = read_manifest(made[0] / "clips.csv")
    (tmp_path / "clips.csv").touch()
    write_film(tmp_path / "blink.mp4", seconds=0.3)
    blink = Entry("blink.mp4", "street", "normal", "g", "train", 0.3, "")
    monkeypatch.setattr(module, "write_pack", None)
    with pytest.raises(TrainingError, match=r"clips\.csv: no clip in split 'val', only in train: .*of their own"):
        again(made, tmp_path / "pack", given.only(lambda entry: entry.split == "train"))
    with pytest.raises(TrainingError, match=r"clips\.csv: no clip in split 'train' lasts a second"):
        again(made, tmp_path / "pack", given.only(lambda entry: entry.split == "val"))
    copied(made, monkeypatch)
    short = Manifest(tmp_path / "clips.csv", [blink, replace(blink, split="val", group="h")], {})
    with pytest.raises(TrainingError, match="no clip in split 'train' lasts a second"):
        again(made, tmp_path / "pack", short)
    monkeypatch.setattr(module, "calibration_clips", lambda *_: [np.zeros((8, 96, 96, 3), np.uint8)])
    with pytest.raises(TrainingError, match="no clip in split 'val' lasts a second"):
        again(made, tmp_path / "pack", short)
    assert not (tmp_path / "pack").exists()


def test_words_are_int8_with_a_scale_a_row(made: tuple[Path, Path, dict[str, Any]]) -> None:
    with np.load(made[1] / "word_embeddings.npz") as words:
        assert (words["rows"].dtype, words["rows"].shape, words["scale"].shape) == (np.int8, (50, 32), (50,))


def test_a_pack_is_measured_next_to_pixel_difference(made: tuple[Path, Path, dict[str, Any]]) -> None:
    found = evaluate(read_manifest(made[0] / "clips.csv"), str(made[1]), "val", ablations=True)
    fight = found.report["events"]["fight"]
    assert (fight["clips"], fight["positives"], fight["negatives"]) == (2, 1, 1)
    assert found.report["baselines"]["pixel_difference"]["fight"]["auc"] == 1.0, "speed tells these films apart"
    assert set(found.report["ablations"]) == {"single_frame", "shuffled"}
    assert fight["normal_hours"] == pytest.approx(6 / 3600)
    assert found.curves["fight"][0].tolist() == [True, False]
    text = table(found.report)
    assert "fight" in text and "pixel_difference 1.000" in text
