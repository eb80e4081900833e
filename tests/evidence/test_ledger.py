import hashlib
from pathlib import Path

import pytest

from streamwatch.errors import EvidenceError
from streamwatch.evidence.ledger import FIRST, Deletion, Entry, Ledger, parse_line, read_lines
from streamwatch.evidence.vault import LEDGER
from tests.evidence.footage import EPOCH, keep_incident


def test_each_incident_bears_the_hash_of_the_one_before(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    places = [keep_incident(tmp_path, ledger, number) for number in (1, 2, 3)]
    facts = [parse_line(line)[0] for line in read_lines(tmp_path / LEDGER)]
    entries = [fact for fact in facts if isinstance(fact, Entry)]
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert [entry.previous for entry in entries] == [FIRST, entries[0].sha256, entries[1].sha256]
    assert [entry.place for entry in entries] == places


def test_each_line_bears_the_hash_of_the_line_before(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    place = keep_incident(tmp_path, ledger, 1)
    ledger.delete(place.id, EPOCH, "age")
    keep_incident(tmp_path, ledger, 2)
    lines = read_lines(tmp_path / LEDGER)
    hashes = [FIRST, *(hashlib.sha256(line).hexdigest() for line in lines)]
    assert [parse_line(line)[1] for line in lines] == hashes[:-1]
    assert parse_line(lines[1])[0] == Deletion(1, place.id, EPOCH, "age")


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    gone, kept = (keep_incident(tmp_path, first, number) for number in (1, 2))
    first.delete(gone.id, EPOCH, "size")
    again = Ledger(tmp_path)
    assert (again.number, again.head, list(again.kept), again.deleted) == (2, first.head, [kept.id], [gone])
    keep_incident(tmp_path, again, 3)
    lines = read_lines(tmp_path / LEDGER)
    assert parse_line(lines[3])[1] == hashlib.sha256(lines[2]).hexdigest()


def test_what_a_crash_left_of_a_line_is_taken_away(tmp_path: Path) -> None:
    keep_incident(tmp_path, Ledger(tmp_path), 1)
    whole = (tmp_path / LEDGER).read_bytes()
    (tmp_path / LEDGER).write_bytes(whole + b'{"kind": "inci')
    assert Ledger(tmp_path).number == 1
    assert (tmp_path / LEDGER).read_bytes() == whole


def test_a_line_that_is_none_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path)
    keep_incident(tmp_path, ledger, 1)
    with (tmp_path / LEDGER).open("ab") as file:
        file.write(b"rubbish\n")
    again = Ledger(tmp_path)
    assert "cannot be read" in caplog.text
    keep_incident(tmp_path, again, 2)
    assert list(Ledger(tmp_path).kept) == [f"01KGEN{n:020d}" for n in (1, 2)]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "file")
    (tmp_path / "file").write_text("")
    entry = keep_incident(tmp_path, Ledger(tmp_path), 1)
    with pytest.raises(EvidenceError, match="ledger"):
        ledger.add(Entry(1, entry, 0.0, 0.0, 0.0, 0, FIRST, FIRST))
    assert ledger.number == 0


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"kind": "deleted", "after": ""}', b'{"kind": "incident"}'])
def test_malformed_lines_are_refused(line: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse_line(line)
