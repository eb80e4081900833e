"""A camera's thread against a real RTSP server, and against what goes wrong in the field."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
import structlog

from streamwatch.config import CameraConfig
from streamwatch.errors import MailboxClosedError, SourceError
from streamwatch.metrics import Metrics
from streamwatch.secret import SecretUrl
from streamwatch.training.data import clips_of, read_pictures
from streamwatch.video.backoff import Backoff
from streamwatch.video.camera import REASONS, STATES, Camera, read_clips
from streamwatch.video.clock import SteadyClock
from streamwatch.video.decoder import Decoder, FramePicture
from streamwatch.video.frame import Clip
from streamwatch.video.sight import CHECKS
from streamwatch.video.turns import Turns
from streamwatch.video.window import ClipTiming
from streamwatch.worker import Worker
from tests.video.conftest import Watched
from tests.video.proxy import FaultProxy
from tests.video.rtsp import RtspServer, free_port, make_film
from tests.video.stage import stage_film

Watch = Callable[..., Watched]
Serve = Callable[..., RtspServer]
Harm = Callable[[int], FaultProxy]


@pytest.fixture
def said() -> Iterator[list[dict[str, object]]]:
    """What is logged."""
    with structlog.testing.capture_logs() as entries:
        yield entries  # type: ignore[misc]


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where somebody listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_clips_come_in_real_time(serve: Serve, watch: Watch, film: Path, transport: str) -> None:
    cam = watch(serve(films={"dock": film}).url("dock"), transport=transport)
    cam.until(lambda cam: len(cam.clips) >= 4)
    now = time.time()
    clips = cam.clips[:4]
    assert cam.states == ["connecting", "online"]
    assert cam.count("camera_up") == 1
    assert [(clip.epoch, clip.index) for clip in clips] == [(0, k) for k in range(4)]
    assert clips[0].frames.shape == (4, 16, 16, 3)
    assert [b.start - a.start for a, b in pairwise(clips)] == pytest.approx([0.5] * 3, abs=0.3)
    assert now - 3 < clips[-1].end < now + 0.1
    assert cam.count("clips_total") >= 4
    cam.until(lambda cam: cam.count("frames_decoded_total") >= 25)
    assert cam.count("packets_received_total") >= cam.count("frames_decoded_total")


def test_a_reboot_is_seen_at_once_and_survived(
    serve: Serve, watch: Watch, long_film: Path, said: list[dict[str, object]]
) -> None:
    server = serve(films={"dock": long_film})
    cam = watch(server.url("dock"))
    cam.until(lambda cam: cam.clips)
    server.kill()
    assert cam.until(lambda cam: cam.states[-1:] == ["offline"]) < 2
    assert cam.count("camera_up") == 0
    cam.until(lambda cam: cam.count("camera_reconnects_total", reason="refused") >= 2)
    server.start()
    cam.until(lambda cam: any(clip.epoch == 1 for clip in cam.clips))
    assert cam.states == ["connecting", "online", "offline", "online"]
    assert next(clip for clip in cam.clips if clip.epoch == 1).index == 0
    assert cam.count("camera_reconnects_total", reason="end_of_stream") == 1
    warnings = [entry["reason"] for entry in said if entry["log_level"] == "warning"]
    assert warnings == ["end_of_stream", "refused"]  # once each, however often it tried


def test_a_camera_that_was_away_for_long_is_opened_as_soon_as_it_answers(
    serve: Serve, watch: Watch, long_film: Path
) -> None:
    server = serve(films={"dock": long_film})
    cam = watch(server.url("dock"))
    cam.until(lambda cam: cam.clips)
    cam.camera._backoff = Backoff(lambda: 1.0, first=300.0, ceiling=300.0)  # its next attempt would be in five minutes
    server.kill()
    cam.until(lambda cam: cam.states[-1] == "offline")
    time.sleep(1.0)
    server.start()
    cam.until(lambda cam: cam.states[-1] == "online")


def test_a_stalled_stream_ends_within_the_read_timeout(
    serve: Serve, watch: Watch, proxy: Harm, long_film: Path
) -> None:
    server = serve(films={"dock": long_film})
    middle = proxy(server.port)
    cam = watch(server.url("dock", middle.port), read_timeout=1.0)
    cam.until(lambda cam: cam.clips)
    middle.harm = "freeze"
    assert 0.9 < cam.until(lambda cam: cam.states[-1:] == ["offline"]) < 1.0 + 0.8  # not twice the timeout
    assert cam.count("camera_reconnects_total", reason="timeout") == 1
    middle.harm = ""
    cam.until(lambda cam: cam.clips[-1].epoch == 1)


def test_a_reset_connection_is_the_end_of_the_stream(serve: Serve, watch: Watch, proxy: Harm, long_film: Path) -> None:
    server = serve(films={"dock": long_film})
    middle = proxy(server.port)
    cam = watch(server.url("dock", middle.port))
    cam.until(lambda cam: cam.clips)
    middle.harm = "reset"
    assert cam.until(lambda cam: cam.states[-1:] == ["offline"]) < 2
    assert cam.count("camera_reconnects_total", reason="end_of_stream") == 1


def test_a_silent_camera_times_out(watch: Watch, silent: int) -> None:
    cam = watch(f"rtsp://127.0.0.1:{silent}/x", open_timeout=0.5)
    assert cam.until(lambda cam: "offline" in cam.states) < 0.5 + 1.5
    assert cam.count("camera_reconnects_total", reason="timeout") == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("rtsp://127.0.0.1:{port}/x", "refused"),
        ("file:///no/such.mp4", "not_found"),
        ("file:///etc/hostname", "invalid"),
    ],
)
def test_a_camera_that_is_not_there_is_offline(watch: Watch, path: str, reason: str) -> None:
    cam = watch(path.format(port=free_port()))
    cam.until(lambda cam: cam.states == ["connecting", "offline"])
    assert cam.count("camera_reconnects_total", reason=reason) >= 1


def test_an_unknown_path_is_not_found(serve: Serve, watch: Watch, film: Path) -> None:
    cam = watch(serve(films={"dock": film}).url("gate"))
    cam.until(lambda cam: cam.states[-1:] == ["offline"])
    assert cam.count("camera_reconnects_total", reason="not_found") >= 1


def test_credentials_open_the_camera(serve: Serve, watch: Watch, film: Path) -> None:
    server = serve(films={"dock": film}, user="ca.na@ry", password="S3CR3T-CANARY:/?")
    cam = watch(server.url("dock", login="ca.na%40ry:S3CR3T-CANARY%3A%2F%3F"))
    cam.until(lambda cam: cam.clips)


def test_a_refused_password_is_said_and_never_shown(
    serve: Serve, watch: Watch, film: Path, said: list[dict[str, object]]
) -> None:
    server = serve(films={"dock": film}, user="ca.na@ry", password="right")
    cam = watch(server.url("dock", login="ca.na%40ry:S3CR3T-CANARY"))
    cam.until(lambda cam: cam.count("camera_reconnects_total", reason="unauthorized") >= 1)
    cam.until(lambda cam: said)
    server.kill()
    cam.until(lambda cam: cam.count("camera_reconnects_total", reason="refused") >= 1)
    cam.stop()
    assert "refused user and password" in str(said[0]["error"])
    everything = f"{said}{list(cam.metrics.registry.collect())}"
    assert "CANARY" not in everything
    assert "ca.na" not in everything


def test_a_change_of_resolution_is_a_gap_and_not_a_reconnect(serve: Serve, watch: Watch) -> None:
    cam = watch(serve(sizes=[(320, 180), (160, 120), (400, 300)]).url("cam"))
    cam.until(lambda cam: cam.count("camera_gaps_total", reason="resolution") >= 2 and cam.clips[-1].epoch >= 2)
    assert cam.states == ["connecting", "online"]
    assert all(
        clip.index == 0 for clip, before in zip(cam.clips[1:], cam.clips, strict=False) if clip.epoch > before.epoch
    )


def test_a_corrupt_stream_never_crashes(serve: Serve, watch: Watch, proxy: Harm, long_film: Path) -> None:
    server = serve(films={"dock": long_film})
    middle = proxy(server.port)
    cam = watch(server.url("dock", middle.port), read_timeout=1.0)
    cam.until(lambda cam: cam.clips)
    middle.harm = "flip"
    time.sleep(1.5)
    middle.harm = ""
    seen = len(cam.clips)
    cam.until(lambda cam: len(cam.clips) >= seen + 3)
    assert cam.worker.error is None
    assert "failed" not in cam.states


def test_a_machine_too_slow_for_its_camera_sees_what_is_new(
    serve: Serve, watch: Watch, long_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cam = watch(serve(films={"dock": long_film}).url("dock"))
    ages: list[float] = []
    cam.until(lambda cam: cam.clips)

    def slow(clip: Clip) -> None:
        ages.append(time.time() - clip.end)
        time.sleep(1.0)  # for each half second of stream

    monkeypatch.setattr(cam.camera, "_deliver", slow)
    # no clip is cut across what was left out
    cam.until(lambda cam: cam.count("camera_gaps_total", reason="overload") > 0)
    late = len(ages)
    cam.until(lambda _: len(ages) >= late + 2)
    assert max(ages) < 5
    assert min(ages[late:]) < 1
    cam.until(lambda cam: cam.count("packets_skipped_total") > 0)
    assert cam.states == ["connecting", "online"]


def test_clips_that_a_slow_machine_missed_are_counted_as_the_stream_goes_by(
    serve: Serve, watch: Watch, long_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is in line never gets its turn: the camera is left out until there is room again."""
    full = threading.Event()
    monkeypatch.setattr(Turns, "begin", lambda turns, turn, now: not full.is_set())
    monkeypatch.setattr(Turns, "swap", lambda turns, turn, now: full.is_set())
    cam = watch(serve(films={"dock": long_film}).url("dock"))

    def dropped() -> float:
        return cam.count("clips_dropped_total", reason="overload")

    cam.until(lambda cam: len(cam.clips) >= 2)
    assert dropped() == 0
    full.set()
    cam.until(lambda _: dropped() >= 2)
    began, seen, before = time.monotonic(), len(cam.clips), dropped()
    time.sleep(3.0)  # 6 clips of half a second
    passed = time.monotonic() - began
    assert dropped() - before == pytest.approx(passed / 0.5, abs=1.5)
    assert cam.count("packets_skipped_total") > 50  # it is seen meanwhile, too
    full.clear()
    cam.until(lambda cam: len(cam.clips) > seen + 2)
    whole = (cam.clips[-1].end - cam.clips[0].end) / 0.5 + 1
    assert len(cam.clips) + dropped() == pytest.approx(whole, abs=1.5)
    assert cam.count("camera_gaps_total", reason="overload") == 1
    assert cam.states == ["connecting", "online"]


def test_a_file_is_a_camera_that_reboots_at_its_end(watch: Watch, tmp_path: Path) -> None:
    film = make_film(tmp_path / "short.mp4", seconds=1.2)
    began = time.monotonic()
    cam = watch(f"file://{film}")
    cam.until(lambda cam: len(cam.clips) >= 2)
    assert time.monotonic() - began > 0.8  # paced: the second clip is known at 0.875 s
    cam.until(lambda cam: any(clip.epoch == 1 for clip in cam.clips))
    assert cam.states[:4] == ["connecting", "online", "offline", "online"]


def test_masked_parts_are_black(watch: Watch, film: Path) -> None:
    left = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    cam = watch(f"file://{film}", privacy_masks=[left])
    cam.until(lambda cam: cam.clips)
    frames = cam.clips[0].frames
    assert not frames[:, :, :8].any()
    assert frames[:, :, 9:].all()


def test_a_camera_that_sees_nothing_says_so_and_goes_on(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHECKS, "covered", (1.0, 1.0))  # not 10 s
    cam = watch(f"file://{make_film(tmp_path / 'grey.mp4', seconds=5)}", health={})
    cam.until(lambda cam: cam.states[-1:] == ["covered"])
    assert cam.states == ["connecting", "online", "covered"]
    assert cam.count("camera_up") == 1
    assert cam.count("camera_state", state="covered") == 1
    assert sum(cam.count("camera_state", state=state) for state in STATES) == 1
    seen = len(cam.clips)
    cam.until(lambda cam: len(cam.clips) > seen)  # what it sees is still looked at
    cam.until(lambda cam: len(cam.states) >= 5)
    assert cam.states[3:5] == ["offline", "covered"]  # not online in between
    assert cam.metrics.registry.get_sample_value(
        "streamwatch_camera_reconnects_total", {"camera": "cam", "reason": "end_of_stream"}
    )


def test_a_check_that_is_switched_off_is_not_done(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHECKS, "covered", (1.0, 1.0))
    cam = watch(f"file://{make_film(tmp_path / 'grey.mp4', seconds=4)}", health={"covered": False})
    cam.until_lost(1)
    assert cam.states[:3] == ["connecting", "online", "offline"]


def test_a_camera_is_switched_off_and_on_while_it_runs(watch: Watch, film: Path) -> None:
    cam = watch(f"file://{film}", enabled=False)
    cam.until(lambda cam: cam.states == ["disabled"])
    assert cam.clips == []
    cam.camera.enable(True)
    cam.until(lambda cam: cam.clips)
    cam.camera.enable(False)
    assert cam.until(lambda cam: cam.states[-1:] == ["disabled"]) < 2
    assert cam.count("camera_up") == 0
    cam.camera.enable(True)
    cam.until(lambda cam: any(clip.epoch == 1 for clip in cam.clips))
    assert cam.states == ["disabled", "connecting", "online", "disabled", "connecting", "online"]


def test_an_offline_camera_is_switched_off_without_waiting_for_its_next_attempt(watch: Watch) -> None:
    cam = watch("file:///no/such.mp4")
    cam.until(lambda cam: cam.count("camera_reconnects_total", reason="not_found") >= 4)
    cam.camera.enable(False)
    assert cam.until(lambda cam: cam.states[-1:] == ["disabled"]) < 2


def test_stop_is_quick_while_frames_come(serve: Serve, watch: Watch, film: Path) -> None:
    cam = watch(serve(films={"dock": film}).url("dock"))
    cam.until(lambda cam: cam.clips)
    cam.stop(limit=1.0)


def test_stop_ends_a_wait_for_the_next_attempt(watch: Watch) -> None:
    cam = watch("file:///no/such.mp4")
    cam.until(lambda cam: cam.count("camera_reconnects_total", reason="not_found") >= 4)
    cam.stop(limit=1.0)


def test_a_closed_mailbox_ends_the_thread(film: Path) -> None:
    def deliver(clip: object) -> None:
        raise MailboxClosedError("closed")

    states: list[str] = []
    worker = run_alone(film, deliver, states)
    assert worker.error is None
    assert states == ["connecting", "online"]


def test_a_fault_of_ours_is_raised_and_the_camera_marked_failed(film: Path) -> None:
    def deliver(clip: object) -> None:
        raise ZeroDivisionError

    states: list[str] = []
    worker = run_alone(film, deliver, states)
    assert isinstance(worker.error, ZeroDivisionError)
    assert states == ["connecting", "online", "failed"]
    assert set(states) <= set(STATES)


def test_a_failed_camera_that_is_run_again_begins_a_new_epoch(film: Path) -> None:
    epochs: list[int] = []

    def deliver(clip: Clip) -> None:
        epochs.append(clip.epoch)
        raise ZeroDivisionError

    config = CameraConfig.model_validate({"name": "cam", "url": f"file://{film}"})
    timing = ClipTiming(size=8, frames=1, clip_seconds=0.1, stride_seconds=0.1)
    camera = Camera(config, timing, deliver, lambda *_: None, Metrics())
    for _ in range(2):
        worker = Worker("camera:cam", camera.run)
        worker.start()
        assert worker.join(10)
    assert epochs == [0, 1]


def run_alone(film: Path, deliver: Callable[[object], None], states: list[str]) -> Worker:
    config = CameraConfig.model_validate({"name": "cam", "url": f"file://{film}"})
    timing = ClipTiming(size=8, frames=1, clip_seconds=0.1, stride_seconds=0.1)
    camera = Camera(config, timing, deliver, lambda _, state: states.append(state), Metrics())
    worker = Worker("camera:cam", camera.run)
    worker.start()
    assert worker.join(10)
    return worker


def test_the_stages_of_a_camera_add_up_to_what_its_thread_spends(film: Path) -> None:
    metrics, spent, clips = Metrics(), [0.0], [0]

    def deliver(clip: Clip) -> None:
        clips[0] += 1
        if clips[0] == 20:
            raise MailboxClosedError("enough")

    config = CameraConfig.model_validate({"name": "cam", "url": f"file://{film}"})
    camera = Camera(config, ClipTiming(64, 2, 0.1, 0.1), deliver, lambda *_: None, metrics)

    def run(stop: threading.Event) -> None:
        began = time.thread_time()
        camera.run(stop)
        spent[0] = time.thread_time() - began

    worker = Worker("camera:cam", run)
    worker.start()
    assert worker.join(30)
    sums = [
        metrics.registry.get_sample_value("streamwatch_stage_seconds_sum", {"stage": stage}) or 0.0
        for stage in ("receive", "decode", "scale")
    ]
    assert min(sums) > 0
    assert sum(sums) == pytest.approx(spent[0], rel=0.1, abs=0.005)


def test_cameras_of_one_process_share_a_clock(film: Path) -> None:
    ends: list[float] = []
    config = CameraConfig.model_validate({"name": "cam", "url": f"file://{film}"})
    timing = ClipTiming(size=8, frames=1, clip_seconds=0.1, stride_seconds=0.1)
    year_2000 = SteadyClock(946_684_800.0, time.monotonic())
    camera = Camera(config, timing, lambda clip: ends.append(clip.end), lambda *_: None, Metrics(), clock=year_2000)
    worker = Worker("camera:cam", camera.run)
    worker.start()
    began = time.monotonic()
    while not ends and time.monotonic() - began < 10:
        time.sleep(0.01)
    worker.stop()
    assert worker.join(5)
    assert 0 <= ends[0] - 946_684_800.0 < 10


def test_reconnects_leak_neither_threads_nor_descriptors(
    serve: Serve, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamwatch.video.camera.random.random", lambda: 0.0)
    server = serve(films={"dock": make_film(tmp_path / "blink.mp4", seconds=0.2)})
    cam = watch(server.url("dock"))
    process = psutil.Process()
    cam.until_lost(3)
    before = process.num_threads()
    descriptors = []
    for turn in range(4, 16):
        cam.until_lost(turn)
        descriptors.append(process.num_fds())
    assert process.num_threads() <= before + 1
    assert max(descriptors[-5:]) <= max(descriptors[:5])


def test_reasons_are_bounded() -> None:
    assert len(set(REASONS)) == len(REASONS) == 7


def test_a_file_is_read_as_fast_as_it_can_be(film: Path) -> None:
    began = time.monotonic()
    clips = list(read_clips(SecretUrl(f"file://{film}"), ClipTiming(size=16), start=1000.0))
    assert time.monotonic() - began < 4  # of eight seconds
    assert [clip.start for clip in clips] == pytest.approx([1000.0 + k for k in range(8)])
    assert [clip.end for clip in clips] == pytest.approx([1000.875 + k for k in range(8)])
    assert [(clip.epoch, clip.index) for clip in clips] == [(0, k) for k in range(8)]


def test_a_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SourceError):
        next(read_clips(SecretUrl("file:///no/such.mp4"), ClipTiming(size=16)))


@pytest.mark.parametrize("fps", [6, 10, 15, 24, 30])
def test_what_is_detected_on_is_what_was_trained_on(tmp_path: Path, fps: int) -> None:
    film = make_film(tmp_path / "film.mp4", seconds=3, fps=fps)
    assert_alike(film)


@pytest.mark.data
def test_real_films_are_cut_as_in_training() -> None:
    folder = Path(os.environ.get("STREAMWATCH_DATA", Path(__file__).parents[2] / "../shared/data")) / "clips"
    films = sorted(folder.rglob("*.mp4"))[::40]
    if not films:
        pytest.skip(f"no films in {folder}")
    for film in films:
        assert_alike(film)


def assert_alike(film: Path) -> None:
    trained = list(clips_of(read_pictures(film), 32))
    served = list(read_clips(SecretUrl(film.resolve().as_uri()), ClipTiming(size=32)))
    assert [clip.start for clip in served] == pytest.approx([start for start, _, _ in trained])
    for clip, (_, _, images) in zip(served, trained, strict=True):
        assert np.array_equal(clip.frames, images)


def test_a_quiet_camera_is_decoded_on_demand_at_its_own_pace(serve: Serve, watch: Watch, tmp_path: Path) -> None:
    film = stage_film(tmp_path / "quiet.mp4", [(10.0, False), (3.0, True)])
    began = time.time()
    camera = watch(serve(films={"quiet": film}).url("quiet"), ClipTiming(size=64), decode="auto")
    camera.until(lambda cam: cam.count("decode_state", state="still") == 1)
    camera.until(lambda cam: any(clip.still == 1.0 for clip in cam.clips))
    camera.until(lambda cam: cam.clips[-1].still == 0.0 and len(cam.clips) > 10)
    ends = [clip.end for clip in camera.clips]
    assert all(b - a == pytest.approx(1.0, abs=0.2) for a, b in pairwise(ends))
    assert began < ends[0] < ends[-1] < time.time()
    assert {clip.epoch for clip in camera.clips} == {0}
    assert camera.count("frames_decoded_total") < 0.8 * camera.count("packets_received_total")


def test_all_is_decoded_unless_something_else_is_asked_for(serve: Serve, watch: Watch, film: Path) -> None:
    camera = watch(serve(films={"film": film}).url("film"))
    camera.until(lambda cam: len(cam.clips) >= 2)
    assert camera.count("decode_state", state="learning") == 0


@pytest.mark.parametrize("way", ["disabled", "stopped"])
def test_a_camera_that_sends_no_picture_yet_is_let_go_at_once(
    serve: Serve, watch: Watch, long_film: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Keyframes may be half a minute apart; who switches a camera off does not mean in half a minute."""
    packets: list[object] = []

    def decode(decoder: Decoder, packet: object) -> list[FramePicture]:
        packets.append(packet)
        return []

    monkeypatch.setattr(Decoder, "decode", decode)
    cam = watch(serve(films={"dock": long_film}).url("dock"))
    cam.until(lambda cam: packets)
    if way == "disabled":
        cam.camera.enable(False)
        assert cam.until(lambda cam: cam.states[-1] == "disabled") < 5
    else:
        cam.worker.stop()
        assert cam.worker.join(5)
    assert "offline" not in cam.states
