"""What is learnt lies on disk: whole, once an hour, and never believed when damaged."""

import json
import logging
from pathlib import Path

import pytest

from streamwatch.learnt import FILE, SCHEMA, LearntFile
from streamwatch.rules.book import RuleBook
from tests.rules.play import T0, book, brief, detection
from tests.rules.test_memory import WALK, lived

LEARNT = (
    '{"schema": "streamwatch.learnt/1", "learnt": [{"rule": "a", "rule_hash": "b", "camera": "c", "states": ["%s"]}]}'
)


def restarted(folder: Path) -> RuleBook:
    running = book(WALK)
    LearntFile(folder).recall(running)
    return running


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    before = lived(WALK)
    LearntFile(tmp_path).write(before)
    after = restarted(tmp_path)
    assert after.learnt() == before.learnt()
    assert brief(after.observe(detection(4100, motion=40))) == [("new", 4100)]
    assert (tmp_path / FILE).stat().st_size < 10_000  # two conditions of one camera
    assert json.loads((tmp_path / FILE).read_text())["schema"] == SCHEMA
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_it_is_written_once_an_hour_and_when_the_clock_was_set_back(tmp_path: Path) -> None:
    running, file = lived(WALK), LearntFile(tmp_path)
    written: list[bool] = []
    for at in (0, 3599, 3600, 3601, 7199, 7200, 100, 3699, 3700):
        (tmp_path / FILE).unlink(missing_ok=True)
        running.observe(detection(4100 + len(written), motion=0.6))  # there is something new
        file.tick(running, T0 + at)
        written.append((tmp_path / FILE).exists())
    assert written == [False, False, True, False, False, True, True, False, True]


def test_nothing_is_written_where_nothing_is_learnt(tmp_path: Path) -> None:
    LearntFile(tmp_path).write(book({}))
    assert list(tmp_path.iterdir()) == []
    LearntFile(tmp_path / "none").recall(book({}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"schema": "other/1", "learnt": []}',
        '{"schema": "streamwatch.learnt/1"}',
        '{"schema": "streamwatch.learnt/1", "learnt": [{"rule": "walk"}]}',
        LEARNT % "?",
        LEARNT % "AAAA",
    ],
)
def test_damage_is_told_and_learnt_anew(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_text(text)
    assert restarted(tmp_path).learnt() == ()
    assert f"{FILE} cannot be read; anomaly rules warm up anew" in caplog.text


def test_a_cut_file_is_never_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    LearntFile(tmp_path).write(lived(WALK))
    whole = (tmp_path / FILE).read_bytes()
    caplog.set_level(logging.CRITICAL)
    for cut in range(0, len(whole), 97):
        (tmp_path / FILE).write_bytes(whole[:cut])
        assert restarted(tmp_path).learnt() == ()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).mkdir()
    LearntFile(tmp_path).write(lived(WALK))
    assert f"{FILE} cannot be written; after a restart anomaly rules would warm up anew" in caplog.text
