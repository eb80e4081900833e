"""Clips that gave nothing, named and counted."""

import pytest

from streamwatch.errors import TrainingError
from streamwatch.training.skipped import SHORT, Skipped


def test_each_is_named_and_all_are_counted_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = Skipped(9)
    skipped.left_out("a.mp4", SHORT)
    skipped.failed(TrainingError("b.mp4: cannot be read: Invalid data"))
    skipped.left_out("c.mp4", SHORT)
    skipped.sum_up()
    assert capsys.readouterr().err.splitlines() == [
        "skipped: a.mp4: shorter than a second",
        "skipped: b.mp4: cannot be read: Invalid data",
        "skipped: c.mp4: shorter than a second",
        "3 clips of 9 skipped: 2 shorter than a second, 1 unreadable",
    ]
    assert len(skipped) == 3


def test_nothing_is_said_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Skipped(9).sum_up()
    assert capsys.readouterr().err == ""
