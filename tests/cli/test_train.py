"""The training commands as a user calls them."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

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


def test_evaluate_prints_a_table_and_writes_json(clips: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["evaluate", "--clips", str(clips), "--json", str(tmp_path / "out.json")])
    assert found.exit_code == 0, found.output
    assert "fight" in found.output
    assert "pixel_difference" in found.output
    figures = json.loads((tmp_path / "out.json").read_text())["events"]["fight"]
    assert (figures["positives"], figures["clips"]) == (2, 4)
    assert 0 <= figures["auc"] <= 1
    assert json.loads((tmp_path / "out.json").read_text())["events"]["fall"]["auc"] is None  # nothing to measure


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
