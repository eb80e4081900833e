import shutil
from pathlib import Path

import pytest

from streamwatch.errors import EvidenceError
from streamwatch.evidence.ledger import FIRST, Ledger, read_lines
from streamwatch.evidence.vault import LEDGER, Place
from streamwatch.evidence.verify import verify
from tests.evidence.footage import EPOCH, keep_incident


@pytest.fixture
def places(tmp_path: Path) -> list[Place]:
    ledger = Ledger(tmp_path)
    return [keep_incident(tmp_path, ledger, number) for number in (1, 2, 3)]


def faults(folder: Path) -> list[tuple[str, str]]:
    return [(fault.file, fault.what) for fault in verify(folder).faults]


def test_what_is_as_it_was_has_no_faults(tmp_path: Path, places: list[Place]) -> None:
    report = verify(tmp_path)
    assert (report.faults, report.incidents, report.deleted) == ((), 3, 0)
    assert report.head != FIRST


@pytest.mark.parametrize("kind", ["clip", "snapshot", "json"])
def test_one_changed_byte_is_found_and_named(tmp_path: Path, places: list[Place], kind: str) -> None:
    path = places[1].path(tmp_path, kind)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert faults(tmp_path) == [(places[1].name(kind), "changed")]


@pytest.mark.parametrize("kind", ["clip", "snapshot", "json"])
def test_a_missing_file_is_named(tmp_path: Path, places: list[Place], kind: str) -> None:
    places[1].path(tmp_path, kind).unlink()
    assert faults(tmp_path)[0] == (places[1].name(kind), "missing")


def test_exchanged_incidents_are_found(tmp_path: Path, places: list[Place]) -> None:
    one, two = (place.path(tmp_path, "json") for place in places[:2])
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert faults(tmp_path) == [
        (places[0].name("json"), "is the record of incident 2: moved"),
        (places[1].name("json"), "is the record of incident 1: moved"),
    ]


def test_exchanged_clips_are_found(tmp_path: Path, places: list[Place]) -> None:
    one, two = (place.path(tmp_path, "clip") for place in places[:2])
    shutil.move(one, tmp_path / "x")
    shutil.move(two, one)
    shutil.move(tmp_path / "x", two)
    assert faults(tmp_path) == [(places[0].name("clip"), "changed"), (places[1].name("clip"), "changed")]


def test_an_added_file_is_found(tmp_path: Path, places: list[Place]) -> None:
    stranger = Place("dock", "2026-02-02", "01KGEN00000000000000009999")
    stranger.path(tmp_path, "clip").write_bytes(b"planted")
    assert faults(tmp_path) == [(stranger.name("clip"), "not in the ledger")]


@pytest.mark.parametrize("gone", [0, 1])
def test_a_line_taken_out_of_the_ledger_is_found(tmp_path: Path, places: list[Place], gone: int) -> None:
    lines = read_lines(tmp_path / LEDGER)
    (tmp_path / LEDGER).write_bytes(b"".join(line for i, line in enumerate(lines) if i != gone))
    found = dict(faults(tmp_path))
    assert "does not follow" in found[f"{LEDGER} line {gone + 1}"]
    assert found[places[gone].name("clip")] == "not in the ledger"


def test_a_changed_line_is_found(tmp_path: Path, places: list[Place]) -> None:
    data = (tmp_path / LEDGER).read_bytes()
    (tmp_path / LEDGER).write_bytes(data.replace(b'"bytes":1000', b'"bytes":9999', 1))
    assert [file for file, _ in faults(tmp_path)] == [f"{LEDGER} line 2"]


def test_exchanged_lines_are_found(tmp_path: Path, places: list[Place]) -> None:
    one, two, three = read_lines(tmp_path / LEDGER)
    (tmp_path / LEDGER).write_bytes(two + one + three)
    assert {file for file, _ in faults(tmp_path)} == {f"{LEDGER} line {n}" for n in (1, 2, 3)}


def test_a_lost_ledger_is_found(tmp_path: Path, places: list[Place]) -> None:
    (tmp_path / LEDGER).unlink()
    assert (LEDGER, "missing") in faults(tmp_path)


def test_a_cut_off_end_is_found_by_the_head_noted_before(tmp_path: Path, places: list[Place]) -> None:
    """Who takes away the newest incidents, files and lines, leaves no trace here: only elsewhere."""
    head = verify(tmp_path).head
    assert verify(tmp_path, head).faults == ()
    lines = read_lines(tmp_path / LEDGER)
    (tmp_path / LEDGER).write_bytes(b"".join(lines[:2]))
    for kind in ("clip", "snapshot", "json"):
        places[2].path(tmp_path, kind).unlink()
    assert verify(tmp_path).faults == ()
    assert [fault.file for fault in verify(tmp_path, head).faults] == [LEDGER]


def test_deleted_evidence_does_not_break_the_chain(tmp_path: Path, places: list[Place]) -> None:
    Ledger(tmp_path).delete(places[0].id, EPOCH, "age")
    assert {what for _, what in faults(tmp_path)} == {"was deleted, says the ledger"}
    for kind in ("clip", "snapshot", "json"):
        places[0].path(tmp_path, kind).unlink()
    report = verify(tmp_path)
    assert (report.faults, report.incidents, report.deleted) == ((), 2, 1)


def test_a_deletion_of_nothing_is_found(tmp_path: Path, places: list[Place]) -> None:
    ledger = Ledger(tmp_path)
    ledger.delete(places[0].id, EPOCH, "age")
    lines = read_lines(tmp_path / LEDGER)
    (tmp_path / LEDGER).write_bytes(b"".join([*lines, lines[-1]]))
    assert any("was never kept" in what for _, what in faults(tmp_path))


def test_a_partial_clip_is_no_fault(tmp_path: Path, places: list[Place]) -> None:
    (tmp_path / "dock" / "2026-02-02" / "01KGEN00000000000000009999.mp4.part").write_bytes(b"")
    assert faults(tmp_path) == []


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="no such folder"):
        verify(tmp_path / "none")
    assert verify(tmp_path).incidents == 0
