"""The score log as it is written: blocks in time, hours, crashes, full disks."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.models.detection import CameraState, Detection, Gap, ModelInfo
from streamwatch.sinks.score_block import Row
from streamwatch.sinks.score_files import file_name, read_rows
from streamwatch.sinks.scores import FLUSH, MAX_ROWS, Retention, ScoreLog

HOUR0 = 1_700_000_000.0 // 3600 * 3600
MODEL = ModelInfo("tiny", "3", "ab" * 32)


def row(at: float, camera: str = "dock", model: ModelInfo = MODEL, **scores: float) -> Detection:
    return Detection(camera, at - 16, at, None, scores or {"fall": 0.25}, 0.5, 1.0, model)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.scores"))


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path)
    rows: list[Row] = [row(HOUR0 + 1), row(HOUR0 + 2, fall=0.5, fight=0.1), Gap("dock", HOUR0 + 3)]
    rows += [CameraState("dock", "offline", HOUR0 + 3)]
    rows += [row(HOUR0 + 4, model=ModelInfo("tiny", "4", "cd" * 32)), row(HOUR0 + 5, fight=0.2, fall=0.1)]
    for item in rows:
        log.add(item)
    log.close()
    log.close()
    assert list(read_rows(tmp_path)) == rows
    found = [list(r.scores) for r in read_rows(tmp_path) if isinstance(r, Detection)]
    assert found == [["fall"], ["fall", "fight"], ["fall"], ["fight", "fall"]]


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0, 3 * 3600)), max_size=60))
@settings(max_examples=50, deadline=None)
def test_each_camera_keeps_its_order_unless_its_clock_is_set_back_by_hours(
    tmp_path_factory: pytest.TempPathFactory, times: list[tuple[str, float]]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = ScoreLog(folder)
    for camera, at in times:
        log.add(row(HOUR0 + at, camera))
        log.tick(HOUR0 + at)
    log.close()
    for camera in {camera for camera, _ in times}:
        given_rows = [row(HOUR0 + at, camera) for name, at in times if name == camera]
        read = list(read_rows(folder, camera))
        assert sorted(r.end for r in read if isinstance(r, Detection)) == sorted(r.end for r in given_rows)
        if all(b.end >= a.end - 10 for a, b in itertools.pairwise(given_rows)):
            assert read == given_rows


def test_a_row_waits_no_longer_than_a_minute(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path)
    log.add(row(HOUR0 + 1))
    log.tick(HOUR0 + 1.5)
    log.tick(HOUR0 + FLUSH)
    assert files(tmp_path) == []
    log.tick(HOUR0 + FLUSH + 2)
    assert len(list(read_rows(tmp_path))) == 1
    assert FLUSH < 58


def test_many_rows_do_not_wait(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path)
    for i in range(MAX_ROWS):
        log.add(row(HOUR0 + i / 10))
    assert len(list(read_rows(tmp_path))) == MAX_ROWS


def test_each_hour_has_its_file_and_a_late_row_does_not_go_back(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path)
    times = [3599.0, 3601.0, 3599.5, 3602.0]
    for at in times:
        log.add(row(HOUR0 + at))
    log.close()
    assert files(tmp_path) == [file_name("dock", HOUR0), file_name("dock", HOUR0 + 3600)]
    assert [r.end - HOUR0 for r in read_rows(tmp_path) if isinstance(r, Detection)] == times


def test_a_time_that_is_none_is_kept_where_it_came(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path)
    for at in (HOUR0, float("nan"), HOUR0 + 1):
        log.add(row(at))
    log.close()
    assert len(files(tmp_path)) == 1
    assert len(list(read_rows(tmp_path))) == 3


WRITER = """
import sys
from pathlib import Path
from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.sinks.scores import ScoreLog

log, at = ScoreLog(Path(sys.argv[1])), 1_700_000_000.0
while True:
    log.add(Detection("dock", at - 16, at, None, {"fall": 0.25}, 0.5, 1.0, ModelInfo("tiny", "3", "ab" * 32)))
    log.tick(at)
    at += 1.0
    print(at, flush=True)
"""


def test_what_was_written_before_a_kill_is_read(tmp_path: Path) -> None:
    """A child that writes as fast as it can is killed without warning; it loses less than a minute of its time."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = [float(line) for line, _ in zip(process.stdout, range(2000), strict=False)]
    finally:
        os.kill(process.pid, signal.SIGKILL)
        rest = process.communicate(timeout=30)[0].splitlines()
    last = max(told + [float(line) for line in rest[:-1]])
    ends = [r.end for r in read_rows(tmp_path) if isinstance(r, Detection)]
    assert ends == [1_700_000_000.0 + i for i in range(len(ends))]
    assert last - ends[-1] <= 60
    log = ScoreLog(tmp_path)  # and the next process goes on
    log.add(row(last + 100))
    log.close()
    assert len(list(read_rows(tmp_path))) == len(ends) + 1


def test_a_torn_end_does_not_hide_what_follows(tmp_path: Path) -> None:
    for at in (1.0, 2.0):
        log = ScoreLog(tmp_path)
        log.add(row(HOUR0 + at))
        log.close()
        path = tmp_path / file_name("dock", HOUR0)
        if at == 1.0:
            path.write_bytes(path.read_bytes() + b"SWS1\x40\0\0\0half a blo")
    assert [r.end - HOUR0 for r in read_rows(tmp_path) if isinstance(r, Detection)] == [1.0, 2.0]


FULL = """
import resource, signal, sys
from pathlib import Path
from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.sinks.scores import ScoreLog

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
lost = []
log = ScoreLog(Path(sys.argv[1]), on_drop=lambda rows, reason: lost.append((rows, reason)))
for block in range(8):
    for i in range(60):
        at = 1_700_000_000.0 + 60 * block + i
        scores = {"fall": hash((block, i)) % 1000 / 1000}
        log.add(Detection("dock", at - 16, at, None, scores, 0.5, 1.0, ModelInfo("tiny", "3", "ab" * 32)))
    log.close()
print(sum(rows for rows, _ in lost), {reason for _, reason in lost}, log.writing)
"""


def test_a_file_that_cannot_grow_loses_whole_blocks_and_counts_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit on file size cuts a write in the middle, as a full disk does."""
    found = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    lost = int(found.stdout.split()[0])
    assert found.stdout.split(maxsplit=1)[1].strip() == "{'write'} False"
    assert 0 < lost < 480
    assert lost % 60 == 0
    assert len(list(read_rows(tmp_path))) == 480 - lost
    assert "damaged" not in caplog.text  # half a block was taken back
    assert found.stderr.count("cannot be written") == 1


def test_writing_goes_on_when_there_is_room_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lost: list[int] = []
    log = ScoreLog(tmp_path / "log", on_drop=lambda rows, reason: lost.append(rows))
    (tmp_path / "log").write_text("in the way")
    log.add(row(HOUR0))
    log.close()
    assert (lost, log.writing) == ([1], False)
    (tmp_path / "log").unlink()
    log.add(row(HOUR0 + 1))
    log.close()
    assert (lost, log.writing) == ([1], True)
    assert len(list(read_rows(tmp_path / "log"))) == 1


def test_old_files_go_once_an_hour(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path, Retention(days=1))
    log.tick(HOUR0)  # nothing there yet
    for day in (0, 1, 2):
        log.add(row(HOUR0 + day * 86400))
    log.close()
    log.tick(HOUR0 + 1800)
    assert len(files(tmp_path)) == 3
    log.tick(HOUR0 + 2 * 86400 + 3600)
    assert files(tmp_path) == [file_name("dock", HOUR0 + 2 * 86400)]
