"""Reading the score log back: order, damage, ranges, tables; and letting the old go."""

from pathlib import Path

import numpy as np
import pytest

from streamwatch.errors import SourceError
from streamwatch.models.detection import CameraState, Detection, Gap, ModelInfo
from streamwatch.sinks.score_block import Row, encode
from streamwatch.sinks.score_files import cameras, columns, file_name, names, newest, prune, read_blocks, read_rows

T0 = 1_700_000_000.0  # 2023-11-14T22:13:20Z
MODEL = ModelInfo("tiny", "3", "ab" * 32)


def row(at: float, camera: str = "dock", zone: str | None = None, **scores: float) -> Detection:
    return Detection(camera, at - 16, at, zone, scores or {"fall": 0.25}, 0.5, 1.0, MODEL)


def write(folder: Path, *rows: Row, damage: bytes = b"") -> Path:
    first = rows[0]
    path = folder / file_name(first.camera, first.end if isinstance(first, Detection) else first.at)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(encode(rows) + damage)
    return path


def test_a_file_is_named_by_its_hour() -> None:
    assert file_name("dock-1", T0) == "dock-1/2023-11-14T22.scores"
    assert file_name("dock-1", 83.0) == "dock-1/1970-01-01T00.scores"
    assert file_name("../x y", -5.0) == "%2E%2E%2Fx%20y/1970-01-01T00.scores"
    assert file_name("x", 1e300).startswith("x/39")


def test_cameras_are_merged_by_time_and_keep_their_own_order(tmp_path: Path) -> None:
    write(tmp_path, row(T0), row(T0 + 2), row(T0 + 1), Gap("dock", T0 + 4))  # one came late: it stays where it came
    write(tmp_path, row(T0 + 0.5, "gate"), row(T0 + 3, "gate"))
    assert cameras(tmp_path) == ("dock", "gate")
    seen = [(r.camera, (r.end if isinstance(r, Detection) else r.at) - T0) for r in read_rows(tmp_path)]
    assert seen == [("dock", 0), ("gate", 0.5), ("dock", 2), ("dock", 1), ("gate", 3), ("dock", 4)]
    assert [r.camera for r in read_rows(tmp_path, "gate")] == ["gate"] * 2


def test_since_opens_only_the_hours_needed(tmp_path: Path) -> None:
    old = write(tmp_path, row(T0))
    write(tmp_path, *(row(T0 + 7200 + i) for i in range(4)))
    old.write_bytes(b"not read")
    assert len(list(read_rows(tmp_path, "dock", T0 + 7202))) == 2
    assert newest(tmp_path) == T0 + 7203


def test_what_is_damaged_is_left_out_and_the_rest_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    half = encode([row(T0 + 60)])[:-7]
    path = write(tmp_path, row(T0), damage=half)
    write(tmp_path, row(T0 + 120), damage=b"SWS1" + b"\xff" * 40)
    assert [block.end[0] - T0 for block in read_blocks(tmp_path, "dock")] == [0, 120]
    assert f"{path}: {len(half) + 44} of" in caplog.text


def test_columns_make_a_table(tmp_path: Path) -> None:
    write(tmp_path, row(T0, fall=0.1), row(T0 + 1, zone="gate", fall=0.2), Gap("dock", T0 + 2))
    write(tmp_path, Gap("dock", T0 + 3))
    write(tmp_path, row(T0 + 4, fight=0.5, fall=0.3))
    table = columns(tmp_path, "dock")
    assert {len(column) for column in table.values()} == {3}
    assert table["time"].tolist() == [T0, T0 + 1, T0 + 4]
    assert table["zone"].tolist() == ["", "gate", ""]
    assert table["fall"].tolist() == [0.1, 0.2, 0.3]
    assert np.isnan(table["fight"]).tolist() == [True, True, False]
    assert set(table["model"]) == {"tiny 3"}


def test_names_are_read_from_the_headers(tmp_path: Path) -> None:
    path = write(tmp_path, row(T0, fall=0.1), row(T0 + 1, zone="gate", fall=0.2), damage=b"SWS1 torn")
    write(tmp_path, row(T0 + 3600, fight=0.5), CameraState("dock", "offline", T0 + 3601))
    assert [set(found) for found in names(tmp_path, "dock")] == [{"fall", "fight"}, {"gate"}]
    assert [set(found) for found in names(tmp_path, "dock", T0 + 3600)] == [{"fight"}, set()]
    assert [set(found) for found in names(tmp_path, "none")] == [set(), set()]
    assert path.exists()


def test_no_log_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        cameras(tmp_path / "none")
    with pytest.raises(SourceError, match="holds no score log"):
        list(read_rows(tmp_path))
    with pytest.raises(SourceError, match="no scores of camera 'dock'"):
        columns(tmp_path, "dock")


def test_old_files_go_and_the_newest_hour_stays(tmp_path: Path) -> None:
    paths = [write(tmp_path, row(T0 + hour * 3600, camera)) for hour in range(4) for camera in ("dock", "gate")]
    assert prune(tmp_path, T0 + 7200, 10**9) == 4  # of hours that were wholly before
    assert [path.exists() for path in paths] == [False] * 4 + [True] * 4
    assert prune(tmp_path, T0 + 10**6, 10**9) == 2
    assert [path.exists() for path in paths[-2:]] == [True, True]


def test_the_oldest_go_while_all_are_too_large(tmp_path: Path) -> None:
    paths = [write(tmp_path, row(T0 + hour * 3600)) for hour in range(5)]
    size = paths[0].stat().st_size
    (tmp_path / "dock" / "notes.txt").write_text("x" * 5000)  # somebody else's
    assert prune(tmp_path, 0.0, 3 * size + 1) == 2
    assert [path.exists() for path in paths] == [False, False, True, True, True]
    assert (tmp_path / "dock" / "notes.txt").exists()
