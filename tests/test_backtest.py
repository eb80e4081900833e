"""Backtests of real score logs: what is read, what is reported, what is refused."""

import json
import time
from pathlib import Path

import pytest

from streamwatch.backtest import (
    ScoreFolder,
    backtest,
    explain_rule,
    parse_at,
    parse_since,
    read_truth,
    write_report,
)
from streamwatch.config import Config
from streamwatch.errors import ConfigError, RuleError, SourceError, StreamwatchError
from streamwatch.models.detection import Detection, Gap, ModelInfo
from streamwatch.report import backtest_lines
from streamwatch.rules.truth import Truth
from streamwatch.sinks.in_force import InForce, note
from streamwatch.sinks.scores import ScoreLog

T0 = 1_700_000_000.0
MODEL = ModelInfo("tiny", "3", "ab" * 32)
RULES = """
rules:
  - {alert: fall, when: {event: fall, on: 0.7, off: 0.5}, for: 1.5s, cooldown: 5s}
  - {alert: gate, cameras: [dock], when: {event: fall, on: 0.7, off: 0.5, zone: gate}, shadow: true}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten minutes of two cameras: a fall each, and a shorter one."""
    log = ScoreLog(tmp_path / "scores")
    for i in range(600):
        at = T0 + i
        score = 0.9 if 100 <= i < 110 else 0.75 if 300 <= i < 304 else 0.1
        log.add(Detection("dock", at - 16, at, None, {"fall": score, "fight": 0.2}, 0.1, 1.0, MODEL))
        log.add(Detection("dock", at - 16, at, "gate", {"fall": score, "fight": 0.2}, 0.1, 1.0, MODEL))
        log.add(Detection("ward-1", at - 16, at, None, {"fall": 0.8 if 200 <= i < 210 else 0.1}, 0.1, 1.0, MODEL))
    log.add(Gap("ward-1", T0 + 600))
    log.close()
    (tmp_path / "rules.yml").write_text(RULES)
    return tmp_path


def test_tells_which_rules_were_in_force(folder: Path) -> None:
    log = ScoreFolder(folder / "scores")
    digest = backtest(log, [folder / "rules.yml"])["hash"]
    note(log.folder, InForce(T0 - 9, "0" * 16, 2))
    note(log.folder, InForce(T0 + 200, digest, 2))
    lines = backtest_lines(backtest(log, [folder / "rules.yml"]))
    assert [line.rpartition(" 2 rules, ")[2] for line in lines if line.startswith("in force")] == [
        f"hash {'0' * 16}", f"hash {digest}, those tried here",
    ]  # fmt: skip


def test_what_would_fire_when_and_where(folder: Path) -> None:
    report = backtest(ScoreFolder(folder / "scores"), [folder / "rules.yml"])
    told = [(found["rule"], found["camera"], found["start"] - T0) for found in report["incidents"]]
    assert told == [
        ("gate", "dock", 100),
        ("fall", "dock", 100),
        ("fall", "ward-1", 200),
        ("gate", "dock", 300),
        ("fall", "dock", 300),
    ]
    assert report["in_force"] == []  # nothing is known of it
    assert report["camera_days"] == pytest.approx(2 * 599 / 86400)
    assert report["incidents_per_camera_day"] == pytest.approx(3 / report["camera_days"])
    assert [(camera["camera"], camera["gaps"]) for camera in report["cameras"]] == [("dock", 0), ("ward-1", 1)]
    assert report["longest_quiet"]["seconds"] == 296  # since the last fall was last seen


def test_the_same_log_and_rules_give_the_same_bytes(folder: Path) -> None:
    for name in ("a.json", "b.json"):
        report = backtest(ScoreFolder(folder / "scores"), [folder / "rules.yml"], [folder / "rules.yml"], (), True)
        write_report(report, folder / name)
    text = (folder / "a.json").read_bytes()
    assert text == (folder / "b.json").read_bytes()
    document = json.loads(text)
    assert [alert["sequence"] for alert in document["alerts"]] == list(range(1, 11))
    assert document["against"] == {"added": [], "gone": [], "changed": []}
    assert {level["rule"] for level in document["sweep"]} == {"fall", "gate"}


def test_only_the_last_of_the_log(folder: Path) -> None:
    log = ScoreFolder(folder / "scores").last(350)
    report = backtest(log, [folder / "rules.yml"])
    assert [found["start"] - T0 for found in report["incidents"]] == [300, 300]
    assert report["cameras"][0]["first"] == T0 + 250


def test_against_the_rules_in_force(folder: Path) -> None:
    (folder / "old.yml").write_text(
        RULES.replace("for: 1.5s", "for: 5s").replace("fall, when", "fall, severity: info, when")
    )
    diff = backtest(ScoreFolder(folder / "scores"), [folder / "rules.yml"], [folder / "old.yml"])["against"]
    assert [found["start"] - T0 for found in diff["added"]] == [300]
    assert diff["gone"] == []
    assert [change["old"]["opened"] - change["new"]["opened"] for change in diff["changed"]] == [3, 3]


def test_against_the_truth(folder: Path) -> None:
    (folder / "truth.csv").write_text(f"camera,start_s,end_s,label\ndock,{T0 + 98},{T0 + 108},fall\ndock,1,2,fall\n")
    truths = read_truth(folder / "truth.csv")
    (judgement,) = backtest(ScoreFolder(folder / "scores"), [folder / "rules.yml"], truths=truths)["truth"]
    assert (judgement["found"], judgement["events"], judgement["unseen"]) == (1, 1, 1)
    assert judgement["median_delay"] == 2  # of the first rule that told it
    assert judgement["false_alarms"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camera,start,end,label\n", "no column start_s, end_s"),
        ("camera,start_s,end_s,label\ndock,x,2,fall\n", "line 2: start_s and end_s must be seconds"),
        ("camera,start_s,end_s,label\ndock,1,2,fall\ndock,3,2,fall\n", "line 3: needs a camera"),
        ("camera,start_s,end_s,label\ndock,1\n", "line 2: start_s and end_s"),
        ("camera,start_s,end_s,label\n,1,2,fall\n", "line 2: needs a camera"),
        ("", "no column camera"),
    ],
)
def test_a_truth_that_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "truth.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_truth(tmp_path / "truth.csv")


def test_a_truth_from_a_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("﻿label,camera,end_s,start_s,note\r\nfall,dock,2.5,1,x\r\n", encoding="utf-8")
    assert read_truth(tmp_path / "truth.csv") == (Truth("dock", 1.0, 2.5, "fall"),)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_truth(tmp_path / "none.csv")


def test_rules_may_name_what_the_log_holds(folder: Path) -> None:
    vocabulary = ScoreFolder(folder / "scores").vocabulary()
    assert vocabulary.events == {"fall", "fight"}
    assert vocabulary.zones == {"dock": {"gate"}, "ward-1": set()}
    (folder / "bad.yml").write_text("rules: [{alert: a, when: {event: fal, on: 0.5}}]")
    with pytest.raises(RuleError, match="did you mean 'fall'"):
        backtest(ScoreFolder(folder / "scores"), [folder / "bad.yml"])
    with pytest.raises(SourceError, match="no such folder"):
        backtest(ScoreFolder(folder / "none"), [folder / "rules.yml"])


def test_rules_may_name_what_the_site_has(folder: Path) -> None:
    """A camera that is new, or a zone, has no scores yet; its rules are no mistake."""
    text = "rules: [{alert: a, cameras: [yard], when: {event: fall, on: 0.5, zone: pool}}]"
    (folder / "new.yml").write_text(text)
    with pytest.raises(RuleError, match="no camera is named 'yard'"):
        backtest(ScoreFolder(folder / "scores"), [folder / "new.yml"])
    zone = {"name": "pool", "polygon": [[0, 0], [1, 0], [1, 1]]}
    site = Config.model_validate(
        {"cameras": [{"name": n, "url": "rtsp://h/x", "zones": [zone]} for n in ("yard", "dock")]}
    )
    log = ScoreFolder(folder / "scores", site=site)
    assert log.vocabulary().zones["dock"] == {"gate", "pool"}
    assert backtest(log, [folder / "new.yml"])["incidents"] == []


def test_one_moment_is_explained(folder: Path) -> None:
    log, paths = ScoreFolder(folder / "scores"), [folder / "rules.yml"]
    assert explain_rule(log, paths, "fall", "ward-1", T0 + 205).state() == "firing"
    assert explain_rule(log, paths, "gate", None, T0 + 50).state() == "inactive"  # it watches one camera
    for name, camera, message in [
        ("fal", None, "no rule is named 'fal' .known: fall, gate"),
        ("fall", None, "watches dock, ward-1: say which"),
        ("gate", "ward-1", "does not watch 'ward-1'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            explain_rule(log, paths, name, camera, T0)


def test_what_happened_days_ago_explains_the_moment(tmp_path: Path) -> None:
    """Three falls in a week, the first more than a day before."""
    log = ScoreLog(tmp_path / "scores")
    for begin in (0, 30 * 3600, 60 * 3600):
        for i in range(10):
            at = T0 + begin + i
            log.add(Detection("dock", at - 16, at, None, {"fall": 0.9 if i == 5 else 0.1}, 0.1, 1.0, MODEL))
    log.close()
    text = "rules: [{alert: often, when: {count: {event: fall, on: 0.5}, in: 7d, at_least: 3}, keep_firing_for: 1m}]"
    (tmp_path / "r.yml").write_text(text)
    found = explain_rule(ScoreFolder(tmp_path / "scores"), [tmp_path / "r.yml"], "often", "dock", T0 + 60 * 3600 + 8)
    assert found.state() == "firing"


def test_moments_and_spans_as_they_are_typed() -> None:
    assert parse_at("83.5") == 83.5
    assert (
        parse_at("2023-11-14T22:13:20Z")
        == parse_at("2023-11-14 22:13:20")
        == parse_at("2023-11-14T23:13:20+01:00")
        == T0
    )
    assert parse_since("30d") == 30 * 86400
    with pytest.raises(ConfigError, match="--at 'noon'"):
        parse_at("noon")
    with pytest.raises(ConfigError, match="--since must be a duration"):
        parse_since("last week")


def test_progress_is_told(folder: Path) -> None:
    seen: list[float] = []
    backtest(ScoreFolder(folder / "scores", progress=seen.append), [folder / "rules.yml"])
    assert seen
    assert all(T0 <= at <= T0 + 600 for at in seen)


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(StreamwatchError, match="cannot be written"):
        write_report({}, tmp_path / "none" / "r.json")


def test_a_day_of_a_camera_takes_a_moment(tmp_path: Path) -> None:
    """0.4 s of a core for a day and three rules, measured on an idle machine; here a twelfth of it, generously."""
    log = ScoreLog(tmp_path / "scores")
    for i in range(7200):
        scores = {"fight": i % 97 / 200, "fall": i % 89 / 200, "shoplifting": i % 83 / 200}
        log.add(Detection("dock", T0 + i - 16, T0 + i, None, scores, 0.1, 1.0, MODEL))
        log.tick(T0 + i)
    log.close()
    (tmp_path / "r.yml").write_text(
        "rules:\n"
        + "\n".join(f"  - {{alert: {e}, when: {{event: {e}, on: 0.7}}}}" for e in ("fight", "fall", "shoplifting"))
    )
    began = time.process_time()
    backtest(ScoreFolder(tmp_path / "scores"), [tmp_path / "r.yml"])
    assert time.process_time() - began < 0.5
