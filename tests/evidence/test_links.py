from pathlib import Path
from typing import Any

import pytest

from streamwatch.errors import EvidenceError
from streamwatch.evidence.ledger import Ledger
from streamwatch.evidence.links import add_links
from tests.evidence.footage import EPOCH, keep_incident


def incident(start: float, end: float, camera: str = "dock") -> dict[str, Any]:
    return {"camera": camera, "start": EPOCH + start, "end": EPOCH + end}


def test_what_overlaps_in_time_and_camera_is_named(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    places = [keep_incident(tmp_path, ledger, n) for n in (10, 20, 30)]  # each lasts five seconds
    places[1].path(tmp_path, "clip").unlink()
    ledger.delete(places[2].id, EPOCH, "age")
    incidents = [incident(12, 22), incident(16, 19), incident(12, 22, "gate"), incident(29, 40)]
    add_links(incidents, tmp_path)
    assert [found["evidence"] for found in incidents] == [
        [str(places[0].path(tmp_path, "clip")), str(places[1].path(tmp_path, "snapshot"))], [], [], [],
    ]  # fmt: skip


def test_a_folder_without_evidence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="holds no evidence"):
        add_links([], tmp_path)
