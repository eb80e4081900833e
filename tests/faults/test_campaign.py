"""A short campaign with a fixed seed, and controls that must fail: a campaign that finds nothing proves nothing."""

from pathlib import Path

import pytest

from tests.faults.campaign import FAULTS, Campaign, Outcome, Report, rows

SECONDS = 20.0  # of faults; `python -m tests.faults --minutes 60` is the long one


def play(folder: Path, seconds: float, control: str = "", only: str = "") -> Report:
    report = Report()
    campaign = Campaign(folder, 7, seconds, control, only)
    for name, outcome in campaign.run():
        report.outcomes.setdefault(name, []).append(outcome)
    return campaign.reckon(report)


@pytest.mark.timeout(300)
def test_no_committed_alert_is_missing(tmp_path: Path) -> None:
    report = play(tmp_path / "stage", SECONDS)
    assert report.wrong == [], "\n".join(rows(report))
    assert report.committed > 50
    assert sum(map(len, report.outcomes.values())) >= 4
    assert report.disorder == 0


@pytest.mark.timeout(300)
def test_alerts_that_wait_in_memory_are_missed(tmp_path: Path) -> None:
    """The control: the same kills, with the queue that most programs have."""
    report = play(tmp_path / "stage", 8.0, "memory", "kill process")
    assert report.missing > 0, "\n".join(rows(report))


@pytest.mark.timeout(300)
def test_a_store_that_does_not_sync_is_missed_when_the_power_fails(tmp_path: Path) -> None:
    report = play(tmp_path / "stage", 6.0, "unsynced", "cut power")
    if "cut power" not in report.outcomes:
        pytest.skip("no C compiler for the library that cuts the power")
    assert report.missing > 0, "\n".join(rows(report))


def test_the_table_counts_and_names_what_broke() -> None:
    outcomes = {"kill process": [Outcome(0.5), Outcome(None), Outcome(1.0, "took 9.0 s")]}
    report = Report(outcomes, committed=200, missing=1, duplicates=2)
    lines = list(rows(report))
    assert lines[1].split() == ["kill", "process", "3", "2", "1.00", "s", "1.00", "s"]
    assert "duplicates on the wire       2 (1.00 %)" in lines
    assert report.wrong == [
        "kill process: took 9.0 s",
        "kill process: never recovered",
        "1 of 200 committed alerts are missing",
    ]


def test_the_weights_add_up() -> None:
    assert sum(weight for weight, _ in FAULTS.values()) == 100
