import json
from dataclasses import replace
from pathlib import Path

import pytest

from streamwatch.config import EvidenceConfig
from streamwatch.errors import EvidenceError
from streamwatch.evidence.case import SCHEMA, Case, View
from streamwatch.evidence.ledger import FIRST, Entry
from streamwatch.evidence.vault import digest, read_record
from streamwatch.rules.alert import AlertType
from streamwatch.video.packets import PacketRing
from tests.evidence.footage import EPOCH, ID, make_alert, make_detection, make_ring

CONFIG = EvidenceConfig(pre_s=2, post_s=2)


@pytest.fixture
def case(tmp_path: Path, video: Path) -> Case:
    return Case(make_alert(), View(make_ring(video)), CONFIG, tmp_path)


def close(case: Case) -> dict[str, object]:
    entry = case.close(Entry(5, case.place, EPOCH + 3, EPOCH + 6, EPOCH + 9, 0, "", FIRST))
    path = case.place.path(case._folder, "json")
    assert entry.sha256 == digest(path)
    assert entry.bytes == sum(file.stat().st_size for file in path.parent.iterdir())
    return dict(read_record(path))


def finish(case: Case, at: float = 6.0) -> None:
    case.hear(make_alert(AlertType.END, at, seq=1))
    case.footage.draw(EPOCH + 10, 1 << 30)
    case.footage.work(float("inf"))


def test_the_clip_goes_from_before_to_after(case: Case) -> None:
    assert not case.ended
    finish(case)
    assert case.ended
    assert (case.footage.first, case.footage.last) == (EPOCH + 1, EPOCH + 8)


def test_the_snapshot_is_of_the_highest_score_so_far(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.evidence.case.PAUSE", 0.0)
    case.observe([make_detection(2.0, 0.99)])  # before it began
    case.observe([make_detection(3.0, 0.85), make_detection(4.0, 0.9), make_detection(5.0, 0.95, zone="gate")])
    assert case.take_snapshot(EPOCH + 6) is not None
    assert case.snapshot is not None
    assert (case.snapshot["time"], case.snapshot["score"]) == (EPOCH + 4, 0.9)
    case.observe([make_detection(5.0, 0.91)])  # not worth another
    assert case.take_snapshot(EPOCH + 6) is None
    case.observe([make_detection(6.0, 0.97)])
    assert case.take_snapshot(EPOCH + 7) is not None
    assert (case.snapshot["time"], case.snapshot["score"]) == (EPOCH + 6, 0.97)
    assert case.snapshot["sha256"] == digest(case.place.path(case._folder, "snapshot"))


def test_a_picture_that_is_not_there_yet_is_waited_for(case: Case) -> None:
    case.observe([make_detection(11.0, 0.9)])
    assert case.take_snapshot(EPOCH + 11) is None
    still = case.take_snapshot(EPOCH + 15)  # it never came: the last one before
    assert still is not None
    assert still.at == pytest.approx(EPOCH + 9.9)


def test_a_camera_without_pictures_has_no_snapshot(tmp_path: Path) -> None:
    case = Case(make_alert(), View(PacketRing(10, lambda: EPOCH)), CONFIG, tmp_path)
    with pytest.raises(EvidenceError):
        case.take_snapshot(EPOCH + 60)
    finish(case)
    case.footage.draw(EPOCH + 20, 1 << 30)
    record = close(case)
    assert (record["clip"], record["snapshot"]) == (None, None)


def test_the_record_says_what_was_seen_by_what(case: Case) -> None:
    case.observe([make_detection(at, 0.8 + at / 100) for at in (3.0, 4.0, 5.0)])
    case.take_snapshot(EPOCH + 6)
    finish(case)
    record = close(case)
    assert (record["schema"], record["number"], record["previous"], record["id"]) == (SCHEMA, 5, FIRST, ID)
    alert, clip = record["alert"], record["clip"]
    assert isinstance(alert, dict)
    assert isinstance(clip, dict)
    assert (alert["type"], alert["rule_hash"], alert["model"]["name"]) == ("end", "abcd", "bundled")
    assert record["scores"] == [
        {"time": EPOCH + at, "zone": None, "motion": 1.0, "fight": pytest.approx(0.8 + at / 100), "fall": 0.1}
        for at in (3, 4, 5)
    ]
    assert (clip["codec"], clip["plays_in_browsers"], clip["masked"], clip["cut"]) == ("h264", True, False, None)
    assert clip["sha256"] == digest(case.place.path(case._folder, "clip"))


def test_a_text_that_utf8_cannot_hold_and_a_score_that_json_cannot(case: Case) -> None:
    case.alert = replace(case.alert, summary="\ud800")
    finish(case)
    case.alert = replace(case.alert, summary="\ud800")
    assert json.dumps(close(case)["alert"])
    case.alert = replace(case.alert, score=float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        close(case)
