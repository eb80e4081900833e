from pathlib import Path

from streamwatch.evidence.ledger import Ledger, read_lines
from streamwatch.evidence.salvage import salvage
from streamwatch.evidence.vault import LEDGER, Place, read_record
from streamwatch.evidence.verify import verify
from tests.evidence.footage import EPOCH, keep_incident

OPEN = Place("dock", "2026-02-02", "01KGEN00000000000000009999")


def test_partial_files_go(tmp_path: Path) -> None:
    keep_incident(tmp_path, Ledger(tmp_path), 1)
    part = OPEN.path(tmp_path, "clip").with_suffix(".mp4.part")
    part.write_bytes(b"half")
    assert salvage(tmp_path, Ledger(tmp_path)) == 0
    assert not part.exists()


def test_a_snapshot_of_an_incident_that_was_open_gets_a_record(tmp_path: Path) -> None:
    keep_incident(tmp_path, Ledger(tmp_path), 1)
    OPEN.path(tmp_path, "snapshot").write_bytes(b"jpeg")
    ledger = Ledger(tmp_path)
    assert salvage(tmp_path, ledger) == 1
    assert list(ledger.kept)[-1] == OPEN.id
    record = read_record(OPEN.path(tmp_path, "json"))
    assert (record["number"], record["cut"], record["clip"], record["snapshot"]["bytes"]) == (2, "crash", None, 4)
    assert verify(tmp_path).faults == ()
    assert salvage(tmp_path, Ledger(tmp_path)) == 0


def test_a_record_without_its_line_gets_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    keep_incident(tmp_path, ledger, 1)
    keep_incident(tmp_path, ledger, 2)
    (tmp_path / LEDGER).write_bytes(read_lines(tmp_path / LEDGER)[0])
    assert verify(tmp_path).faults != ()
    again = Ledger(tmp_path)
    assert salvage(tmp_path, again) == 1
    assert again.head == ledger.head
    assert verify(tmp_path).faults == ()


def test_a_record_that_does_not_belong_there_is_left_alone_and_stays_a_fault(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    keep_incident(tmp_path, ledger, 1)
    OPEN.path(tmp_path, "json").write_text('{"number": 7, "previous": "somewhere else"}')
    assert salvage(tmp_path, Ledger(tmp_path)) == 0
    assert [fault.file for fault in verify(tmp_path).faults] == [OPEN.name("json")]


def test_what_the_ledger_deleted_does_not_come_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    place = keep_incident(tmp_path, ledger, 1)
    ledger.delete(place.id, EPOCH, "age")
    assert salvage(tmp_path, Ledger(tmp_path)) == 0


def test_strange_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday" / "2026").mkdir(parents=True)
    (tmp_path / "holiday" / "2026" / "beach.jpg").write_bytes(b"")
    assert salvage(tmp_path, Ledger(tmp_path)) == 0
    assert (tmp_path / "holiday" / "2026" / "beach.jpg").exists()
