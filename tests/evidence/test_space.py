from pathlib import Path

import pytest

from streamwatch.config import EvidenceConfig
from streamwatch.evidence.ledger import Ledger
from streamwatch.evidence.space import DAY, Space, room
from streamwatch.evidence.verify import verify
from tests.evidence.footage import EPOCH, keep_incident


def make_space(folder: Path, ledger: Ledger, **settings: object) -> Space:
    return Space(folder, EvidenceConfig.model_validate({"min_free": 0} | settings), ledger)


def names(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*/*/*")}


def test_what_is_too_old_goes_oldest_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    places = [keep_incident(tmp_path, ledger, n, closed=EPOCH + n * DAY) for n in (1, 2, 3)]
    space = make_space(tmp_path, ledger, keep_days=2)
    assert space.prune(EPOCH + 3.5 * DAY) == 1
    assert names(tmp_path) == {places[1].id, places[2].id}
    assert space.prune(EPOCH + 3.5 * DAY) == 0
    report = verify(tmp_path)
    assert (report.faults, report.incidents, report.deleted) == ((), 2, 1)


def test_what_is_too_much_goes_oldest_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    places = [keep_incident(tmp_path, ledger, n, size=400_000) for n in (1, 2, 3, 4)]
    space = make_space(tmp_path, ledger, max_bytes=1_000_000)
    assert space.used == 1_600_000
    assert space.prune(EPOCH) == 2
    assert (space.used, names(tmp_path)) == (800_000, {places[2].id, places[3].id})
    assert verify(tmp_path).faults == ()


def test_what_is_open_stays(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    keep_incident(tmp_path, ledger, 1, size=2_000_000)
    part = tmp_path / "dock" / "2026-02-02" / "01KGEN00000000000000009999.mp4.part"
    part.write_bytes(bytes(3_000_000))
    make_space(tmp_path, ledger, max_bytes=1_000_000).prune(EPOCH + 1000 * DAY)
    assert part.exists()


def test_a_deletion_that_a_crash_interrupted_is_done_at_the_next_start(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    place = keep_incident(tmp_path, ledger, 1)
    ledger.delete(place.id, EPOCH, "age")
    assert names(tmp_path) == {place.id}
    make_space(tmp_path, Ledger(tmp_path))
    assert names(tmp_path) == set()
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.jsonl"]  # no empty folders either


def test_below_the_floor_nothing_is_written_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = make_space(tmp_path, Ledger(tmp_path), min_free=1000)
    assert space.look()
    free = [900, 900, 1050, 1101, 900]
    monkeypatch.setattr(
        "streamwatch.evidence.space.shutil.disk_usage", lambda path: type("Usage", (), {"free": free.pop(0)})
    )
    assert [space.look() for _ in range(5)] == [False, False, False, True, False]
    assert caplog.text.count("no evidence is written") == 2


def test_a_floor_above_the_real_disk_stops_evidence(tmp_path: Path) -> None:
    assert not make_space(tmp_path, Ledger(tmp_path), min_free=1 << 60).look()


def test_one_kept_by_a_clock_that_was_wrong_does_not_keep_the_others(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    places = [keep_incident(tmp_path, ledger, n, closed=EPOCH + (0 if n > 1 else 4000 * DAY)) for n in (1, 2)]
    assert make_space(tmp_path, ledger, keep_days=2).prune(EPOCH + 3 * DAY) == 1
    assert names(tmp_path) == {places[0].id}


def test_no_more_than_a_batch_goes_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.evidence.space.BATCH", 2)
    ledger = Ledger(tmp_path)
    for number in (1, 2, 3):
        keep_incident(tmp_path, ledger, number)
    space = make_space(tmp_path, ledger, keep_days=1)
    assert [space.prune(EPOCH + 3 * DAY) for _ in range(3)] == [2, 1, 0]


def test_what_cannot_be_deleted_keeps_nobody_from_starting(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path)
    place = keep_incident(tmp_path, ledger, 1)
    ledger.delete(place.id, EPOCH, "age")
    clip = place.path(tmp_path, "clip")
    clip.unlink()
    clip.mkdir()
    make_space(tmp_path, Ledger(tmp_path))
    assert f"{place.id} cannot be deleted" in caplog.text


def test_it_is_tended_now_and_then_and_what_is_left_of_a_batch_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamwatch.evidence.space.BATCH", 2)
    ledger = Ledger(tmp_path)
    for number in (1, 2, 3):
        keep_incident(tmp_path, ledger, number)
    space = make_space(tmp_path, ledger, keep_days=1)
    assert space.tend(EPOCH + 3 * DAY)
    assert (len(ledger.kept), space.tend(EPOCH + 3 * DAY)) == (1, False)
    monkeypatch.setattr("streamwatch.evidence.space.LOOK", 0.0)
    space.tend(EPOCH + 3 * DAY)
    assert len(ledger.kept) == 0
    keep_incident(tmp_path, ledger, 4)
    space.tend(EPOCH + 3 * DAY)
    assert len(ledger.kept) == 1, "a minute has not passed"


def test_more_than_fits_is_said_at_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_space(tmp_path, Ledger(tmp_path), max_bytes=1_000_000)
    assert caplog.text == ""
    make_space(tmp_path, Ledger(tmp_path), max_bytes=1 << 60)
    assert "less than evidence.max_bytes" in caplog.text


def test_what_is_there_already_counts_as_room() -> None:
    assert room(EvidenceConfig.model_validate({"min_free": 300}), 1000, 50) == 750
    assert room(EvidenceConfig.model_validate({"min_free": 3000}), 1000, 50) == 0
