"""Rules are tried as a user tries them."""

import json
from pathlib import Path

import pytest

from streamwatch.evidence.ledger import Ledger
from tests.cli.command import streamwatch
from tests.evidence.footage import keep_incident


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The score log of a scene, written as a user would."""
    folder = tmp_path_factory.mktemp("detected")
    found = streamwatch("detect", "synthetic:fight?seed=6&duration=8&size=320x180", "--scores", "scores", cwd=folder)
    assert found.returncode == 0, found.stderr
    (folder / "low.yml").write_text("rules: [{alert: any, when: {event: fight, on: 0.001}}]")
    (folder / "high.yml").write_text("rules: [{alert: any, when: {event: fight, on: 0.9999}}]")
    (folder / "truth.csv").write_text("camera,start_s,end_s,label\nsynthetic_fight,1,8,fight\n")
    return folder


def test_detect_writes_scores_once(scores: Path) -> None:
    assert [path.name for path in scores.rglob("*.scores")] == ["1970-01-01T00.scores"]
    found = streamwatch("detect", "synthetic:fight?seed=6&duration=8&size=320x180", "--scores", "scores", cwd=scores)
    assert found.returncode == 78
    assert "are already there" in found.stderr


def test_rules_are_tested(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("rules: [{alert: a, when: {event: fall, on: 0.8}}]")
    test = tmp_path / "a.test.yml"
    test.write_text("tests: [{name: one, series: [{event: fall, values: '0.9'}], alerts: [{alert: a, at: 0s}]}]")
    found = streamwatch("rules", "test", str(test), "--junit", str(tmp_path / "out.xml"))
    assert (found.returncode, found.stdout) == (0, f"{test}: 1 of 1 tests passed\n"), found.stderr
    assert 'failures="0"' in (tmp_path / "out.xml").read_text()
    test.write_text(test.read_text().replace("at: 0s", "at: 1s"))
    found = streamwatch("rules", "test", str(tmp_path))
    assert found.returncode == 1
    assert "    - a on camera: at 1s\n    + a on camera: at 0s\n" in found.stdout
    found = streamwatch("rules", "test", str(tmp_path / "a.yml"))
    assert found.returncode == 78
    assert "a.yml: rules: unknown key" in found.stderr


def test_rules_are_tried_on_the_log(scores: Path) -> None:
    files = ["--against", "high.yml", "--truth", "truth.csv", "--json", "r.json", "--plot", "r.png", "--since", "1h"]
    found = streamwatch("rules", "backtest", "--scores", "scores", "--rules", "low.yml", *files, cwd=scores)
    assert found.returncode == 0, found.stderr
    assert "any would fire once" in found.stdout
    assert "against  1 added, 0 gone, 0 changed" in found.stdout
    assert "truth    fight: 1 of 1 found" in found.stdout
    assert json.loads((scores / "r.json").read_text())["rules"][0]["incidents"] == 1
    assert (scores / "r.png").read_bytes().startswith(b"\x89PNG")


def test_one_moment_is_explained(scores: Path) -> None:
    arguments = ["--scores", "scores", "--rules", "low.yml", "--rule", "any", "--at", "5"]
    found = streamwatch("rules", "explain", *arguments, cwd=scores)
    assert found.returncode == 0, found.stderr
    assert "any on synthetic_fight at 5.0 s: firing" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["backtest", "--scores", "none"], "none: no such folder"),
        (["backtest", "--scores", "scores", "--since", "soon"], "--since must be a duration"),
        (["backtest", "--scores", "scores", "--truth", "none.csv"], "none.csv: cannot be read"),
        (["explain", "--scores", "scores", "--rule", "fihgt", "--at", "5"], "no rule is named 'fihgt'"),
        (["explain", "--scores", "scores", "--rule", "fight", "--at", "noon"], "neither seconds nor a time"),
    ],
)
def test_a_backtest_says_what_is_wrong(scores: Path, arguments: list[str], message: str) -> None:
    found = streamwatch("rules", *arguments, cwd=scores)
    assert found.returncode in (1, 78)
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_a_backtest_names_the_evidence_there_is(scores: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    place = keep_incident(tmp_path, ledger, 1, camera="synthetic_fight", start=1.0)
    keep_incident(tmp_path, ledger, 2, camera="synthetic_fight", start=1000.0)
    options = ["--rules", "low.yml", "--clips", str(tmp_path), "--json", "c.json"]
    found = streamwatch("rules", "backtest", "--scores", "scores", *options, cwd=scores)
    assert found.returncode == 0, found.stderr
    clip = str(place.path(tmp_path, "clip"))
    assert f"\n    {clip}\n" in found.stdout
    assert json.loads((scores / "c.json").read_text())["incidents"][0]["evidence"] == [clip]
    found = streamwatch("rules", "backtest", "--scores", "scores", "--clips", "scores", cwd=scores)
    assert found.returncode == 1
    assert "holds no evidence" in found.stderr
