import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamwatch.config import EvidenceConfig
from streamwatch.errors import SinkError
from streamwatch.evidence.case import Case, View
from streamwatch.evidence.recorder import Outlet, Recorder
from streamwatch.evidence.still import Still
from streamwatch.evidence.vault import read_record
from streamwatch.evidence.verify import verify
from streamwatch.metrics import Metrics
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.video.packets import PacketRing
from streamwatch.worker import Worker
from tests.evidence.footage import EPOCH, ID, fill, make_alert, make_detection, pictures

LIMIT = 30.0
OTHER = "01KGEN0000ABCDEFGHJKMNPQRT"
MASK = [[(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)]]


class Stage:
    """A recorder in its thread, the camera ``dock``, and what came out."""

    def __init__(self, folder: Path, masks: list[list[tuple[float, float]]] | None = None, **settings: object) -> None:
        self.folder = folder
        self.now = EPOCH + 4
        self.told: list[Alert] = []
        self.shown: list[tuple[str, str, bytes]] = []
        self.full = False
        self.metrics = Metrics()
        self.ring = PacketRing(30, lambda: self.now)
        config = EvidenceConfig.model_validate({"pre_s": 2, "post_s": 2, "min_free": 0} | settings)
        outlet = Outlet(self._publish, lambda *picture: self.shown.append(picture))
        views = {"dock": View(self.ring, masks or [])}
        self.recorder = Recorder(folder, config, views, outlet, self.metrics, lambda: self.now)
        self.worker = Worker("sink:evidence", self.recorder.run)
        self.worker.start()

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert self.worker.error is None, self.worker.trace
            assert time.monotonic() < deadline, (self.told, self.files())
            time.sleep(0.01)

    def files(self) -> set[str]:
        return {path.name for path in self.folder.glob("*/*/*")}

    def dropped(self, reason: str) -> float:
        return self.metrics.registry.get_sample_value("streamwatch_evidence_dropped_total", {"reason": reason}) or 0.0

    def stop(self) -> None:
        self.worker.stop()
        assert self.worker.join(LIMIT)
        assert self.worker.error is None, self.worker.trace

    def _publish(self, alert: Alert) -> None:
        if self.full:
            raise SinkError("no room")
        self.told.append(alert)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def start(**settings: object) -> Stage:
        stages.append(Stage(tmp_path / "evidence", **settings))  # type: ignore[arg-type]
        return stages[-1]

    yield start
    for stage in stages:
        stage.stop()


def test_an_incident_gets_a_snapshot_a_clip_a_record_and_a_last_word(begin: Callable[..., Stage], video: Path) -> None:
    stage = begin()
    fill(stage.ring, video)
    for at in (3.0, 4.0):
        stage.recorder.put(make_detection(at, 0.9))
    stage.recorder.put(make_alert())
    stage.until(lambda: stage.shown)
    assert stage.shown[0][:2] == ("dock", "fight")
    update = stage.recorder.decorate(make_alert(AlertType.UPDATE, 5.0, seq=1))
    assert (update.snapshot, update.clip) == (f"evidence/dock/2026-02-02/{ID}.jpg", None)
    assert stage.told == []
    stage.now = EPOCH + 9
    stage.recorder.put(make_alert(AlertType.END, 6.0, seq=2))
    stage.until(lambda: stage.told)
    (last,) = stage.told
    assert (last.type, last.seq, last.end_time) == (AlertType.UPDATE, 3, EPOCH + 6)
    assert (last.snapshot, last.clip) == (f"evidence/dock/2026-02-02/{ID}.jpg", f"evidence/dock/2026-02-02/{ID}.mp4")
    assert stage.files() == {f"{ID}.mp4", f"{ID}.jpg", f"{ID}.json"}
    assert 71 <= len(pictures(stage.folder / f"dock/2026-02-02/{ID}.mp4")) <= 90  # from second 1 at least to second 8
    record = read_record(stage.folder / f"dock/2026-02-02/{ID}.json")
    assert [score["time"] for score in record["scores"]] == [EPOCH + 3, EPOCH + 4]
    report = verify(stage.folder)
    assert (report.faults, report.incidents) == ((), 1)


def test_nothing_is_said_of_an_incident_without_pictures_and_it_is_counted(begin: Callable[..., Stage]) -> None:
    stage = begin()
    stage.recorder.put(make_alert())
    stage.recorder.put(make_alert(AlertType.END, 6.0, seq=1))
    stage.now = EPOCH + 20
    stage.until(lambda: stage.dropped("no_packets") == 1)
    assert stage.told == []
    assert stage.files() == {f"{ID}.json"}  # the scores are worth keeping all the same


def test_files_are_found_by_incident_and_kind_alone(begin: Callable[..., Stage], video: Path) -> None:
    stage = begin()
    fill(stage.ring, video)
    stage.recorder.put(make_alert())
    stage.until(lambda: stage.recorder.find(ID, "snapshot"))
    assert stage.recorder.find(ID, "clip") is None
    stage.now = EPOCH + 9
    stage.recorder.put(make_alert(AlertType.END, 6.0, seq=1))
    stage.until(lambda: stage.told)
    for kind in ("clip", "snapshot", "json"):
        path = stage.recorder.find(ID, kind)
        assert path is not None
        assert path.is_file()
    assert stage.recorder.find(OTHER, "clip") is None
    assert stage.recorder.find("../../etc/passwd", "clip") is None


def test_a_store_that_is_away_hears_of_it_later(begin: Callable[..., Stage], video: Path) -> None:
    stage = begin()
    stage.full = True
    fill(stage.ring, video)
    stage.recorder.put(make_alert())
    stage.recorder.put(make_alert(AlertType.END, 6.0, seq=1))
    stage.now = EPOCH + 9
    stage.until(lambda: f"{ID}.json" in stage.files())
    assert stage.told == []
    stage.full = False
    stage.until(lambda: stage.told)


def test_a_full_disk_stops_evidence_and_is_counted(begin: Callable[..., Stage], video: Path) -> None:
    stage = begin(min_free=1 << 60)
    fill(stage.ring, video)
    stage.until(lambda: stage.metrics.registry.get_sample_value("streamwatch_evidence_writing") == 0)
    stage.recorder.put(make_alert())
    stage.until(lambda: stage.dropped("disk") == 1)
    assert stage.files() == set()


def test_the_end_of_the_process_makes_clips_of_what_is_open(begin: Callable[..., Stage], video: Path) -> None:
    stage = begin()
    fill(stage.ring, video)
    stage.recorder.put(make_alert())
    stage.recorder.put(make_alert(incident=OTHER))
    stage.recorder.put(make_alert(AlertType.END, 9.8, seq=1, incident=OTHER))
    began = time.monotonic()
    stage.stop()
    assert time.monotonic() - began < 8
    assert {alert.id for alert in stage.told} == {ID, OTHER}
    record = read_record(stage.folder / f"dock/2026-02-02/{ID}.json")
    assert record["clip"]["cut"] == "shutdown"
    assert len(pictures(stage.folder / f"dock/2026-02-02/{ID}.mp4")) == 90
    assert verify(stage.folder).faults == ()


def test_a_masked_camera_leaves_no_masked_pixel(begin: Callable[..., Stage], bright: Path) -> None:
    import cv2
    import numpy as np

    stage = begin(masks=MASK)
    fill(stage.ring, bright)
    stage.recorder.put(make_alert())
    stage.now = EPOCH + 9
    stage.recorder.put(make_alert(AlertType.END, 6.0, seq=1))
    stage.until(lambda: stage.told)
    images = [*pictures(stage.folder / f"dock/2026-02-02/{ID}.mp4")]
    for jpeg in ((stage.folder / f"dock/2026-02-02/{ID}.jpg").read_bytes(), stage.shown[-1][2]):
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        images.append(image.astype(np.uint8))
    assert len(images) >= 73
    assert max(int(image[:56, :76].max()) for image in images) < 30
    assert min(int(image[64:, 84:].min()) for image in images) > 40


def beside_a_masked_one(
    begin: Callable[..., Stage], bright: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Stage, PacketRing]:
    """A masked camera, for whose clip there is no time, and the ring of one that is only copied, ``gate``."""
    monkeypatch.setattr("streamwatch.evidence.recorder.SLICE", 0.0)
    monkeypatch.setattr("streamwatch.evidence.recorder.FAREWELL", 0.0)
    stage = begin(masks=MASK)
    plain = PacketRing(30, lambda: stage.now)
    stage.recorder._views["gate"] = View(plain)  # type: ignore[index]
    stage.recorder._recent["gate"] = deque(maxlen=1)
    fill(stage.ring, bright)
    fill(plain, video)
    return stage, plain


def test_a_long_encoding_holds_up_no_copy(
    begin: Callable[..., Stage], bright: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end there is no time to encode anything, and the other camera's clip is there all the same."""
    stage, _ = beside_a_masked_one(begin, bright, video, monkeypatch)
    stage.recorder.put(make_alert())
    stage.recorder.put(replace(make_alert(incident=OTHER), camera="gate"))
    stage.until(lambda: len(stage.shown) == 2)
    stage.stop()
    assert {alert.id: alert.clip is not None for alert in stage.told} == {ID: False, OTHER: True}
    assert stage.dropped("shutdown") == 1


def test_the_chain_goes_on_after_a_restart(tmp_path: Path, video: Path) -> None:
    for number, incident in enumerate((ID, OTHER), start=1):
        stage = Stage(tmp_path / "evidence")
        fill(stage.ring, video)
        stage.recorder.put(make_alert(incident=incident))
        stage.stop()
        assert verify(stage.folder).incidents == number
    assert verify(stage.folder).faults == ()
    assert len(verify(stage.folder).head) == 64


def test_a_flood_costs_evidence_and_never_waits(begin: Callable[..., Stage], video: Path) -> None:
    stage = begin()
    began = time.monotonic()
    for number in range(20_000):
        stage.recorder.put(make_detection(3 + number / 100_000, 0.5))
    assert time.monotonic() - began < 5
    fill(stage.ring, video)
    stage.recorder.put(make_alert())
    stage.until(lambda: stage.shown)  # an alert finds room all the same


def test_only_so_many_incidents_are_open_at_once(begin: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.evidence.recorder.OPEN", 1)
    stage = begin()
    stage.recorder.put(make_alert())
    stage.recorder.put(make_alert(incident=OTHER))
    stage.until(lambda: stage.dropped("too_many") == 1)


def test_a_record_that_cannot_be_written_is_written_later(
    begin: Callable[..., Stage], video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its files would count for nothing, and no retention would ever find them."""
    monkeypatch.setattr("streamwatch.evidence.recorder.RETRY", 0.1)
    stage = begin()
    blocked = stage.folder / "ledger.jsonl"
    blocked.mkdir()  # as good as a disk that refuses to write
    fill(stage.ring, video)
    stage.recorder.put(make_alert())
    stage.recorder.put(make_alert(AlertType.END, 6.0, seq=1))
    stage.now = EPOCH + 9
    stage.until(lambda: stage.told)  # where clip and snapshot are is told all the same
    assert stage.recorder.find(ID, "clip")
    time.sleep(0.5)
    blocked.rmdir()
    stage.until(lambda: verify(stage.folder).incidents == 1)
    assert verify(stage.folder).faults == ()
    assert len(stage.told) == 1
    assert stage.dropped("record") == 0


def test_many_incidents_at_once_lose_nothing_while_pictures_are_taken(
    begin: Callable[..., Stage], video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flicker of the mains alarms every camera: a picture may take a second, and the rings go on meanwhile."""
    stage = begin()
    ring = PacketRing(4, lambda: stage.now)  # the recorder has three seconds until the first packet is gone
    stage.recorder._views["gate"] = View(ring)  # type: ignore[index]
    stage.recorder._recent["gate"] = deque(maxlen=1)
    taken = Case.take_snapshot

    def slow(case: Case, now: float) -> Still | None:
        still = taken(case, now)
        if still is not None and case.alert.camera == "dock":
            fill(ring, video, start=EPOCH + 10)  # so long does it take
        return still

    monkeypatch.setattr(Case, "take_snapshot", slow)
    stage.stop()  # so that both incidents are in one turn
    fill(stage.ring, video)
    fill(ring, video)
    stage.recorder._hear(make_alert())
    other = replace(make_alert(incident=OTHER), camera="gate", start_time=EPOCH + 9, time=EPOCH + 9)
    stage.recorder._hear(other)
    stage.recorder._turn(1.0)
    assert len(stage.shown) == 2
    footage = stage.recorder._cases[OTHER].footage
    footage.stop("test")
    assert footage.first == EPOCH + 7


def test_a_copy_needs_no_room_of_those_that_are_encoded(
    begin: Callable[..., Stage], bright: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, plain = beside_a_masked_one(begin, bright, video, monkeypatch)
    monkeypatch.setattr("streamwatch.evidence.recorder.HELD", max(stage.ring.size, plain.size) + 1)
    stage.recorder.put(make_alert())
    stage.until(lambda: stage.shown)
    stage.recorder.put(replace(make_alert(incident=OTHER), camera="gate"))
    stage.recorder.put(replace(make_alert(AlertType.END, 6.0, seq=1, incident=OTHER), camera="gate"))
    stage.now = EPOCH + 9
    stage.until(lambda: stage.told)
    record = read_record(stage.folder / f"gate/2026-02-02/{OTHER}.json")
    assert record["clip"]["cut"] is None


def test_what_a_fault_left_open_is_closed_by_the_next_run_and_not_opened_again(tmp_path: Path, video: Path) -> None:
    stage = Stage(tmp_path / "evidence")
    fill(stage.ring, video)
    stage.recorder.put(make_alert())
    stage.until(lambda: stage.shown)
    stage.recorder.put(None)  # type: ignore[arg-type]  # nothing that it knows
    assert stage.worker.join(LIMIT)
    assert isinstance(stage.worker.error, AttributeError)
    stage.worker = Worker("sink:evidence", stage.recorder.run)
    stage.worker.start()
    stage.until(lambda: stage.told)
    stage.recorder.put(make_alert(AlertType.UPDATE, 5.0, seq=1))
    stage.stop()
    assert [alert.snapshot is not None for alert in stage.told] == [True]
    record = read_record(stage.folder / f"dock/2026-02-02/{ID}.json")
    assert (record["clip"], record["cut"]) == (None, "fault")
    report = verify(stage.folder)
    assert (report.faults, report.incidents) == ((), 1)


def test_what_is_wrong_with_it_can_be_asked(begin: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    assert begin().recorder.degraded == []
    stage = begin(min_free=1 << 60)
    stage.until(lambda: stage.recorder.degraded)
    assert "min_free" in stage.recorder.degraded[0]
    monkeypatch.setattr("streamwatch.evidence.recorder.STUCK", -1.0)
    assert "has not moved" in stage.recorder.degraded[1]


def test_an_incident_that_lasts_takes_no_place_of_another(
    begin: Callable[..., Stage], video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera that stays dark for days has its clip within minutes."""
    monkeypatch.setattr("streamwatch.evidence.recorder.OPEN", 1)
    stage = begin(max_s=1)
    fill(stage.ring, video)
    stage.recorder.put(make_alert())
    stage.until(lambda: stage.recorder.find(ID, "clip"))
    stage.recorder.put(make_alert(incident=OTHER))
    stage.until(lambda: stage.recorder.find(OTHER, "clip"))
    assert stage.dropped("too_many") == 0
