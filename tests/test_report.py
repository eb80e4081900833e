"""What a reader is told."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from streamwatch.config import Config
from streamwatch.offline import open_recording
from streamwatch.report import (
    backtest_lines,
    detection_lines,
    explanation_lines,
    moment,
    site_lines,
    span,
    step_summary,
)
from streamwatch.rules.backtest import Change, Firing
from streamwatch.rules.explain import explain
from tests.rules.play import FALL, T0, detection, rules


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.25 s"),
        (83, "83 s"),
        (600, "10 min"),
        (7500, "2 h 05 min"),
        (86400, "24 h 00 min"),
        (200000, "2 d 7 h"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_moments_are_utc_or_of_a_recording() -> None:
    assert moment(T0) == "2023-11-14T22:13:20Z"
    assert moment(83.04) == "83.0 s"


def firing(start: float, camera: str = "dock", **changed: Any) -> Firing:
    values: dict[str, Any] = {
        "rule": "fall", "camera": camera, "event": "fall", "zone": None, "severity": "critical", "start": T0 + start,
        "opened": T0 + start + 2, "end": T0 + start + 9, "reason": "ended", "peak": 0.91, "messages": 2,
        "shadow": False,
    }  # fmt: skip
    return Firing(**(values | changed))


def report(**more: Any) -> dict[str, Any]:
    return {
        "camera_days": 2.0,
        "incidents_per_camera_day": 1.5,
        "longest_quiet": {"since": T0, "seconds": 7500.0},
        "cameras": [
            {
                "camera": "dock", "detections": 86400, "seconds": 86400.0, "first": T0, "last": T0 + 86400, "gaps": 2,
                "blind": 300.0, "blind_since": T0 + 60,
            }
        ],
        "rules": [
            {"rule": "fall", "incidents": 1, "incidents_per_camera_day": 0.5, "shadow": False, "errors": 0},
            {"rule": "fight", "incidents": 0, "incidents_per_camera_day": 0.0, "shadow": True, "errors": 3},
        ],
        "incidents": [asdict(firing(20)), asdict(firing(50, zone="gate", reason="no_data"))],
    } | more  # fmt: skip


def test_a_backtest_says_would_fire_and_judges_nothing() -> None:
    lines = backtest_lines(report())
    assert lines == [
        "camera   dock: 86400 scores of 24 h 00 min, 2023-11-14T22:13:20Z to 2023-11-15T22:13:20Z, 2 gaps, "
        "longest without scores 5 min from 2023-11-14T22:14:20Z",
        "rule     fall would fire once, 0.5 a camera-day",
        "rule     fight would fire never, 0 a camera-day (shadow); 3 evaluations FAILED",
        "in all   2 camera-days, 1.5 incidents a camera-day; longest silence 2 h 05 min from 2023-11-14T22:13:20Z",
        "2023-11-14T22:13:40Z – 2023-11-14T22:13:49Z  critical fall at dock, told after 2 s, peak 0.91",
        "2023-11-14T22:14:10Z – 2023-11-14T22:14:19Z  critical fall at dock/gate, told after 2 s, peak 0.91 (no_data)",
    ]
    assert "false" not in " ".join(lines)


def test_a_short_log_gives_no_rates() -> None:
    text = "\n".join(backtest_lines(report(camera_days=0.002, incidents_per_camera_day=500.0)))
    assert "too short for a rate" in text
    assert "500" not in text


def test_an_empty_log() -> None:
    empty = report(
        cameras=[], rules=[], incidents=[], camera_days=0.0, incidents_per_camera_day=None, longest_quiet=None
    )
    assert backtest_lines(empty) == ["in all   0 camera-days (too short for a rate)"]


def test_what_changed_is_told() -> None:
    change = asdict(Change(firing(70), firing(70, peak=0.95, opened=T0 + 71)))
    lines = backtest_lines(
        report(against={"added": [asdict(firing(20))], "gone": [asdict(firing(60))], "changed": [change]})
    )
    assert lines[6] == "against  1 added, 1 gone, 1 changed"
    assert lines[7].startswith("+ 2023-11-14T22:13:40Z")
    assert lines[8].startswith("- 2023-11-14T22:14:20Z")
    assert (
        lines[9]
        == "~ fall at dock, 2023-11-14T22:14:30Z: opened 2023-11-14T22:14:32Z → 2023-11-14T22:14:31Z, peak 0.91 → 0.95"
    )


def test_with_a_truth_alarms_may_be_false() -> None:
    judgement = {
        "label": "fall", "events": 4, "found": 3, "unseen": 1, "false_alarms": 2, "recall": 0.75,
        "false_alarms_per_hour": 0.0417, "median_delay": 2.5,
    }  # fmt: skip
    nothing = {
        **judgement,
        "label": "x",
        "recall": None,
        "false_alarms_per_hour": None,
        "median_delay": None,
        "unseen": 0,
    }
    assert backtest_lines(report(truth=[judgement, nothing]))[-2:] == [
        "truth    fall: 3 of 4 found (recall 0.75), 2 false alarms (0.0417 an hour), median delay 2.5 s; "
        "1 while nothing was scored",
        "truth    x: 3 of 4 found, 2 false alarms",
    ]


def test_a_sweep_is_a_table() -> None:
    levels = [
        {"rule": rule, "on": on, "firings": n, "per_day": 0.0} for rule, on, n in [("fall", 0.5, 12), ("fall", 0.9, 1)]
    ]
    assert backtest_lines(report(sweep=levels))[-3:] == [
        "sweep    on   fall",
        "         0.50   12",
        "         0.90    1",
    ]


def test_many_incidents_are_cut() -> None:
    lines = backtest_lines(report(incidents=[asdict(firing(20))] * 60))
    assert lines[-1] == "… and 10 more"
    assert len(lines) == 4 + 50 + 1


def test_an_explanation_names_what_is_missing() -> None:
    (rule,) = rules({"when": {"all": [FALL, {"not": {"event": "fight", "on": 0.5}}, {**FALL, "zone": "gate"}]}})
    rows = [detection(0.0, 0.1), detection(1.0, 0.9, fight=0.6)]
    assert explanation_lines(explain(rows, rule, (), "dock", T0 + 4)) == [
        "fall on dock at 2023-11-14T22:13:24Z: inactive",
        "  last scored 3 s before",
        "  ✗ all, since 2023-11-14T22:13:20Z",
        "    ✓ event fall, on 0.8, off 0.6: 0.900 ≥ 0.8, since 2023-11-14T22:13:21Z",
        "    ✗ not, since 2023-11-14T22:13:21Z",
        "      ✓ event fight, on 0.5, off 0.375: 0.600 ≥ 0.5, since 2023-11-14T22:13:21Z",
        "    ? event fall, on 0.8, off 0.6, zone gate, since 2023-11-14T22:13:20Z",
        "missing: when.all[1].not: event fight, on 0.5, off 0.375",
        "         when.all[2]: event fall, on 0.8, off 0.6, zone gate",
    ]


def test_an_explanation_of_each_state() -> None:
    (rule,) = rules({"for": "1s", "cooldown": "30s"})
    rows = [detection(float(at), score) for at, score in enumerate([0.9, 0.9, 0.1, 0.9])]
    heads = [explanation_lines(explain(rows, rule, (), "dock", T0 + at))[0].partition(": ")[2] for at in (0, 1, 3)]
    assert heads == [
        "pending: holds since 2023-11-14T22:13:20Z, peak 0.90",
        "firing: holds since 2023-11-14T22:13:20Z, firing since 2023-11-14T22:13:21Z, peak 0.90",
        "cooldown until 2023-11-14T22:13:52Z",
    ]
    assert "  its last incident ended: ended" in explanation_lines(explain(rows, rule, (), "dock", T0 + 3))
    assert "  nothing was scored in the day before" in explanation_lines(explain([], rule, (), "dock", T0))


def test_a_site_and_a_recording(tmp_path: Path) -> None:
    config = Config.model_validate({"cameras": [{"name": "dock", "url": "rtsp://u:S3CR3T@h/x", "enabled": False}]})
    lines = list(site_lines(config, rules({}), "tiny 3"))
    assert "camera   dock: rtsp://***@h/x (disabled)" in lines
    assert "rule     fall on *, warning (test.yml: rules[0])" in lines
    recording = open_recording("synthetic:walk?seed=2&duration=3&size=320x180", "bundled", None)
    steps = [step_summary(step) for step in recording.steps()]
    assert next(iter(detection_lines(steps, recording, False))) == "synthetic_walk: 3 windows, 0 incidents"
    (line,) = detection_lines(steps, recording, True)
    assert len(json.loads(line)["detections"]) == 3
