"""Evidence is looked after as a user does it."""

from pathlib import Path

from streamwatch.evidence.ledger import Ledger
from tests.cli.command import streamwatch
from tests.evidence.footage import keep_incident


def test_verify_says_what_was_changed(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    ledger = Ledger(folder)
    places = [keep_incident(folder, ledger, number) for number in (1, 2)]
    found = streamwatch("evidence", "verify", str(folder))
    assert (found.returncode, found.stderr) == (0, "")
    first, head = found.stdout.splitlines()
    assert first == "2 incidents kept, 0 deleted by age or size, 0 faults"
    assert streamwatch("evidence", "verify", str(folder), "--head", head.removeprefix("head ")).returncode == 0
    places[0].path(folder, "clip").write_bytes(b"another")
    found = streamwatch("evidence", "verify", str(folder), "--head", "0" * 63 + "1")
    assert found.returncode == 1
    assert set(found.stdout.splitlines()[:2]) == {
        f"{places[0].name('clip')}: changed",
        "ledger.jsonl: the head noted earlier is not in it: lines were removed or changed",
    }


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    found = streamwatch("evidence", "verify", str(tmp_path / "none"))
    assert found.returncode == 1
    assert "no such folder" in found.stderr
