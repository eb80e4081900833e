import hashlib
from pathlib import Path

import pytest

from streamwatch.errors import EvidenceError
from streamwatch.evidence.vault import Place, digest, is_incident, place_of, read_record, write_file
from tests.evidence.footage import EPOCH, ID


def test_a_place_is_built_from_camera_day_and_incident(tmp_path: Path) -> None:
    place = place_of("dock", ID, EPOCH)
    assert place.name("clip") == f"dock/2026-02-02/{ID}.mp4"
    assert place.path(tmp_path, "json") == tmp_path / f"dock/2026-02-02/{ID}.json"


@pytest.mark.parametrize(
    ("camera", "day", "incident"),
    [("..", "2026-02-02", ID), ("dock/..", "2026-02-02", ID), ("dock", "..", ID), ("dock", "2026-02-02", "../x"),
     ("dock", "2026-02-02", ID.lower()), ("", "2026-02-02", ID)],
)  # fmt: skip
def test_no_other_names_make_a_place(camera: str, day: str, incident: str) -> None:
    with pytest.raises(EvidenceError):
        Place(camera, day, incident)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "evidence" / "dock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError, match="leads out of"):
        place_of("dock", ID, EPOCH).path(tmp_path / "evidence", "clip")


def test_a_ulid_is_an_incident() -> None:
    assert is_incident(ID)
    assert not any(map(is_incident, ("", "x" * 26, ID + "0", f"{ID}\n", "I" * 26)))


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_file(path, b'{"a": 1}')
    assert read_record(path) == {"a": 1}
    assert [found.name for found in path.parent.iterdir()] == ["a.json"]
    assert digest(path) == hashlib.sha256(b'{"a": 1}').hexdigest()
    with pytest.raises(EvidenceError, match="exists"):
        write_file(path / "b", b"")


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    for content in (b"[1]", b"{", b"\xff"):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(EvidenceError):
            read_record(tmp_path / "a.json")
    with pytest.raises(EvidenceError):
        read_record(tmp_path / "none.json")
