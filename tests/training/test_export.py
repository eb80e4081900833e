"""A whole pack from a tiny checkpoint, loaded as the live side loads it, and measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.models.precision import graph_file
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.evaluate import alarms, evaluate, homes, score_clips, table
from streamwatch.training.events import EVENTS
from streamwatch.training.export import export
from streamwatch.training.half import MOVED
from streamwatch.training.manifest import read_manifest
from streamwatch.training.minilm import MiniLM
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import ClipEncoder, Dims, Joint
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
        export(
            folder / "model.pt", read_manifest(root / "clips.csv"), folder / "pack", minilm=minilm, precision="both"
        ),
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
