"""FFmpeg behind its wall: pictures, and errors that say what is wrong and never a password."""

import http.server
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamwatch.errors import AuthenticationError, EndOfStreamError, SourceError
from streamwatch.secret import SecretUrl
from streamwatch.video import decoder
from streamwatch.video.ffmpeg import FfmpegSource
from streamwatch.video.picture import Opening
from streamwatch.video.slots import Slots
from streamwatch.video.stillness import Stillness
from streamwatch.video.turns import Turn, Turns
from tests.video.rtsp import RtspServer, make_film
from tests.video.stage import FPS, stage_film

Serve = Callable[..., RtspServer]


def opened(url: str, **settings: object) -> FfmpegSource:
    return FfmpegSource(Opening(SecretUrl(url), **settings))  # type: ignore[arg-type]


def failure(url: str, **settings: object) -> SourceError:
    with pytest.raises(SourceError) as caught:
        opened(url, **settings)
    error = caught.value  # no traceback may print FFmpeg's own error: its text has the password
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    return error


def test_a_file_gives_every_picture_with_its_time(film: Path) -> None:
    opening = Opening(SecretUrl(f"file://{film}"))
    source = FfmpegSource(opening)
    pictures = list(source)
    source.close()
    assert len(pictures) == 200
    assert [p.pts for p in pictures[:3]] == pytest.approx([0.0, 0.04, 0.08])
    assert {p.shape for p in pictures} == {(160, 120)}
    assert (opening.tally.packets, opening.tally.frames, opening.tally.errors) == (200, 200, 0)
    assert opening.tally.decode_seconds > 0
    greys = [int(p.scale(8).mean()) for p in pictures[:100:10]]
    assert greys == sorted(set(greys))  # in order, none twice


def test_a_relative_file_is_found(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(film.parent)
    source = opened(f"file:{film.name}")
    assert next(iter(source)).pts == 0.0
    source.close()


def test_a_name_with_odd_characters_is_found(tmp_path: Path) -> None:
    film = make_film(tmp_path / "gate 2 + #1.mp4", seconds=0.2)
    source = opened(film.as_uri())
    assert len(list(source)) == 5
    source.close()


def test_damage_is_marked_until_the_next_keyframe_and_counted(tmp_path: Path) -> None:
    film = make_film(tmp_path / "noisy.mp4", seconds=3, noise=40)
    data = bytearray(film.read_bytes())
    index = packets_of(film)[30]  # a keyframe comes each second: 25 and 50 are the next
    middle = index[0] + index[1] // 2
    data[middle : middle + 40] = bytes(40)
    film.write_bytes(data)
    opening = Opening(SecretUrl(f"file://{film}"))
    source = FfmpegSource(opening)
    damaged = [k for k, picture in enumerate(source) if picture.damaged]
    source.close()
    assert damaged == list(range(30, 50))
    assert opening.tally.errors >= 1


@pytest.mark.parametrize("suffix", ["mp4", "mpegts", "h264"])
def test_broken_files_end_in_pictures_or_in_a_source_error(tmp_path: Path, suffix: str) -> None:
    film = make_film(tmp_path / "film.mp4", seconds=1, noise=20, size=(96, 64))
    whole = remuxed(film, suffix).read_bytes()
    chance = random.Random(3)
    broken = tmp_path / f"broken.{suffix}"
    endings: set[object] = set()
    for _ in range(60):
        data = bytearray(whole[: chance.randrange(len(whole)) if chance.random() < 0.1 else None])
        for _ in range(chance.choice((1, 5, 50, 500))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        broken.write_bytes(data)
        try:
            source = opened(f"file://{broken}")
            endings.add(len(list(source)) > 0)
            source.close()
        except SourceError as error:
            endings.add(error.reason)
    assert True in endings
    assert endings <= {True, False, "invalid", "end_of_stream", "error"}


def test_pictures_beyond_all_measure_are_refused_before_they_take_memory(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "MAX_PIXELS", 160 * 120 - 1)
    error = failure(f"file://{film}")
    assert error.reason == "invalid"
    assert "pictures of 160x120, more than 19199 pixels" in str(error)


def test_a_stream_that_claims_them_later_is_damaged_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = remuxed(make_film(tmp_path / "small.mp4", seconds=1, size=(64, 48)), "h264").read_bytes()
    large = remuxed(make_film(tmp_path / "large.mp4", seconds=1, size=(160, 120)), "h264").read_bytes()
    grown = tmp_path / "grown.h264"
    grown.write_bytes(small + large + small)
    whole = opened(f"file://{grown}")
    assert [p.shape for p in whole][25:50] == [(160, 120)] * 25
    whole.close()
    monkeypatch.setattr(decoder, "MAX_PIXELS", 100 * 100)
    opening = Opening(SecretUrl(f"file://{grown}"))
    source = FfmpegSource(opening)
    shapes = [p.shape for p in source]
    source.close()
    assert set(shapes) == {(64, 48)}
    assert 45 <= len(shapes) <= 50
    assert opening.tally.errors >= 20


def remuxed(film: Path, container_format: str) -> Path:
    """The same packets in another container."""
    path = film.with_suffix(f".{container_format}")
    with av.open(str(film)) as container, av.open(str(path), "w", format=container_format) as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(container.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path


def packets_of(film: Path) -> list[tuple[int, int]]:
    """Offset and size of each packet in the file."""
    with av.open(str(film)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        return [(p.pos or 0, p.size) for p in packets]


def test_a_paced_file_takes_its_time_and_its_end_is_an_error(tmp_path: Path) -> None:
    film = make_film(tmp_path / "short.mp4", seconds=0.4)
    source = opened(f"file://{film}", wait=time.sleep)
    began = time.monotonic()
    with pytest.raises(EndOfStreamError, match="ended"):
        list(source)
    assert time.monotonic() - began >= 0.34
    source.close()


def test_a_file_without_timestamps_has_its_frame_rate(tmp_path: Path) -> None:
    raw = remuxed(make_film(tmp_path / "film.mp4"), "h264")
    source = opened(f"file://{raw}")
    times = [p.pts for p in source]
    source.close()
    assert len(times) == 200
    assert times == pytest.approx([k / 25 for k in range(200)])


@pytest.mark.parametrize(
    ("url", "reason", "said"),
    [
        ("file:///no/such.mp4", "not_found", "No such file"),
        ("file://dir/rel.mp4", "not_found", "write file:///absolute/path"),
        ("file:///etc/hostname", "invalid", "Invalid data"),
        ("file:concat:a.mp4|b.mp4", "not_found", "No such file"),
        ("file:subfile,,start,0,end,9,,:a.mp4", "not_found", "No such file"),
    ],
)
def test_files_that_are_no_video(url: str, reason: str, said: str) -> None:
    error = failure(url)
    assert error.reason == reason
    assert said in str(error)


def test_a_sound_file_holds_no_video(tmp_path: Path) -> None:
    import wave

    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16_000))
    assert "holds no video" in str(failure(f"file://{path}"))


def test_a_playlist_cannot_reach_another_protocol(tmp_path: Path, film: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        playlist = tmp_path / "list.m3u8"
        playlist.write_text(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n"
            f"http://127.0.0.1:{listener.getsockname()[1]}/a.ts\n#EXT-X-ENDLIST\n"
        )
        failure(f"file://{playlist}")
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.fixture
def website(tmp_path: Path) -> Iterator[str]:
    """A small web server: its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            status = {"/secret": 401, "/forbidden": 403, "/gone": 404}.get(self.path, 0)
            if status:
                self.send_error(status)
            elif self.path == "/elsewhere":
                self.send_response(302)
                self.send_header("Location", f"file://{tmp_path / 'film.mp4'}")
                self.end_headers()
            elif self.path == "/mjpeg":
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                with suppress(OSError):  # the client has gone
                    for number in range(100):
                        jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), number, np.uint8))[1].tobytes()
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                        time.sleep(0.1)
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    make_film(tmp_path / "film.mp4", seconds=0.4)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


def test_a_recording_over_http_plays_at_its_pace_and_its_end_is_an_error(website: str) -> None:
    source = opened(f"http://{website}/film.mp4", wait=time.sleep)
    began = time.monotonic()
    with pytest.raises(EndOfStreamError):
        list(source)
    source.close()
    assert time.monotonic() - began >= 0.34


def test_a_recording_over_http_is_read_to_its_end_where_nobody_waits(website: str) -> None:
    source = opened(f"http://{website}/film.mp4")
    assert [picture.pts for picture in source] == pytest.approx([k / 25 for k in range(10)])
    source.close()


def free(slots: Slots) -> bool:
    """Whether another thread can have a slot at once."""
    had = threading.Event()

    def want() -> None:
        with slots.computing():
            had.set()

    threading.Thread(target=want, daemon=True).start()
    return had.wait(0.2)


def test_a_live_camera_holds_a_slot_while_its_pictures_are_looked_at(serve: Serve, film: Path) -> None:
    slots = Slots(1)
    source = opened(serve(films={"dock": film}).url("dock"), wait=time.sleep, slots=slots)
    assert free(slots)
    pictures = iter(source)
    next(pictures)
    assert not free(slots)
    pictures.close()
    assert free(slots)
    source.close()


@pytest.mark.parametrize("wait", [None, time.sleep])
def test_what_is_paced_or_waited_for_by_nobody_holds_none(film: Path, wait: Callable[[float], object] | None) -> None:
    slots = Slots(1)
    source = opened(f"file://{film}", wait=wait, slots=slots)
    pictures = iter(source)
    next(pictures)
    assert free(slots)
    pictures.close()
    source.close()


class Full(Turns):
    """A machine that has time for none that was still."""

    def free(self, now: float) -> bool:
        return False


class Acted(Stillness):
    """Still from 1 to 2.5 s after the first packet."""

    def observe(self, pts: float, size: float, keyframe: bool) -> bool:
        super().observe(pts, size, keyframe)
        self.sure, self._first = True, getattr(self, "_first", pts)
        self.state = "still" if 1.0 <= pts - self._first < 2.5 else "active"
        return self.state == "still"


def test_a_machine_without_time_leaves_out_what_was_held_back_up_to_a_keyframe(serve: Serve, film: Path) -> None:
    slots = Slots(1)
    slots.turns = Full()
    url = SecretUrl(serve(films={"dock": film}).url("dock"))
    opening = Opening(url, wait=time.sleep, slots=slots, stillness=Acted())
    source, times = FfmpegSource(opening), []
    for picture in source:
        times.append(picture.pts if picture.still is None else None)
        if opening.tally.resumed and len(times) > 100:
            break
    source.close()
    decoded = [pts for pts in times if pts is not None]
    hole = [(a, b) for a, b in pairwise(decoded) if b - a > 0.5]
    assert len(hole) == 1, "from its last picture before the stillness to a keyframe after it"
    assert opening.tally.skipped > 0
    assert opening.tally.resumed == 1
    assert opening.tally.errors == 0


class Crowded(Turns):
    """A machine on which others wait while it is ``full``."""

    full = False

    def begin(self, turn: Turn, now: float) -> bool:
        return not self.full

    def swap(self, turn: Turn, now: float) -> bool:
        return self.full


def test_no_picture_of_before_comes_after_what_was_left_out(serve: Serve, tmp_path: Path) -> None:
    """A decoder that puts B-frames in order holds back two pictures, and would show them at the next keyframe."""
    film = stage_film(tmp_path / "b.mp4", [(12.0, True)], options={"bf": "2", "preset": "veryfast"})
    slots, told, clips = Slots(1), list[float](), 0
    slots.turns = crowd = Crowded()
    url = SecretUrl(serve(films={"dock": film}).url("dock"))
    opening = Opening(url, wait=time.sleep, slots=slots, clips=lambda: clips, left_out=told.append)
    source = FfmpegSource(opening)
    times: list[float] = []
    for picture in source:
        assert picture.pts is not None
        times.append(picture.pts)
        if len(times) == 15:
            crowd.full, clips = True, 100
            threading.Timer(2.5, lambda: setattr(crowd, "full", False)).start()
        if opening.tally.resumed:
            break
    source.close()
    step = 1 / FPS
    assert [b - a for a, b in pairwise(times[:-1])] == pytest.approx([step] * (len(times) - 2))
    assert times[-1] - times[-2] > 2.5
    # what was told is the time that the packets left out take: beside them, the two held back and the keyframe itself
    assert opening.tally.skipped == pytest.approx(sum(told) / step, abs=2.5)
    assert times[-1] - times[-2] == pytest.approx(sum(told), abs=4.5 * step)


def test_motion_jpeg_goes_by_its_arrival(website: str) -> None:
    opening = Opening(SecretUrl(f"http://{website}/mjpeg"), wait=time.sleep)
    source = FfmpegSource(opening)
    pictures = iter(source)
    next(pictures)
    began = time.monotonic()
    seen = [next(pictures) for _ in range(8)]
    source.close()
    assert [picture.pts for picture in seen] == [None] * 8  # FFmpeg would say 0.04, 0.08 …
    assert 0.4 < time.monotonic() - began < 3
    assert seen[0].shape == (64, 48)
    assert opening.tally.skipped == 0


@pytest.mark.parametrize(
    ("path", "reason"), [("secret", "unauthorized"), ("forbidden", "unauthorized"), ("gone", "not_found")]
)
def test_what_a_web_server_refuses(website: str, path: str, reason: str) -> None:
    error = failure(f"http://us%40er:S3CR3T-CANARY@{website}/{path}")
    assert error.reason == reason
    assert isinstance(error, AuthenticationError) == (reason == "unauthorized")
    assert "CANARY" not in str(error)
    assert "us%40er" not in str(error)


def test_a_redirect_cannot_reach_a_local_file(website: str) -> None:
    failure(f"http://{website}/elsewhere")


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "http", "https"])
def test_silence_at_opening_is_a_timeout(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        error = failure(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/x", open_timeout=0.3)
    assert error.reason == "timeout"
    assert 0.2 < time.monotonic() - began < 2.0


def test_the_first_pictures_of_rtsp_have_times(serve: Serve, film: Path) -> None:
    source = opened(serve(films={"dock": film}).url("dock"))
    pictures = iter(source)
    times = [next(pictures).pts for _ in range(10)]
    source.close()
    steps = [b - a for a, b in pairwise(times) if a is not None and b is not None]
    assert steps == pytest.approx([0.04] * 9, abs=1e-3)


def test_rtsp_does_not_show_its_password(serve: Serve, film: Path) -> None:
    server = serve(films={"dock": film}, user="viewer", password="right")
    error = failure(server.url("dock", login="viewer:S3CR3T-CANARY"))
    assert isinstance(error, AuthenticationError)
    assert "CANARY" not in f"{error!r}{error}"


@pytest.mark.parametrize(("transport", "rests"), [("tcp", True), ("udp", False)])
def test_packets_of_a_live_camera_gather_while_it_rests(serve: Serve, film: Path, transport: str, rests: bool) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(seconds)

    url = serve(films={"dock": film}).url("dock")
    source = opened(url, transport=transport, wait=wait, rest=lambda: 0.3)
    pictures = iter(source)
    times = [next(pictures).pts for _ in range(75)]
    source.close()
    steps = [b - a for a, b in pairwise(times) if a is not None and b is not None]
    assert steps == pytest.approx([0.04] * 74, abs=1e-3)  # none is lost meanwhile
    assert waited == [0.3] * len(waited)
    # three seconds, after each rest a picture or two that were waited for
    assert (5 <= len(waited) <= 10) if rests else not waited


def test_it_does_not_rest_for_long_where_silence_is_to_be_noticed_soon(serve: Serve, film: Path) -> None:
    waited: list[float] = []
    url = serve(films={"dock": film}).url("dock")
    source = opened(url, wait=waited.append, rest=lambda: 0.5, read_timeout=1.0)
    pictures = iter(source)
    for _ in range(25):
        next(pictures)
    source.close()
    assert set(waited) == {0.1}


def test_a_camera_that_is_late_is_not_left_alone(serve: Serve, film: Path) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(2.0)  # the reader comes late, so that the packets of two seconds wait

    source = opened(serve(films={"dock": film}).url("dock"), wait=wait, rest=lambda: 0.3)
    pictures = iter(source)
    while not waited:
        next(pictures)
    began = time.monotonic()
    for _ in range(20):
        next(pictures)
    source.close()
    assert len(waited) == 1
    assert time.monotonic() - began < 1.0


def test_what_is_left_out_gathers_though_no_clip_is_begun(film: Path) -> None:
    """Each packet of a hundred cameras would wake a thread, just where the machine is too slow."""
    waited: list[float] = []
    opening = Opening(SecretUrl(f"file://{film}"), wait=waited.append, read_timeout=5.0)
    source = FfmpegSource(opening)
    source._gathers = True  # as a camera over TCP
    source._gather()
    assert waited == []
    source._backlog.leave(time.monotonic())
    source._gather()
    source.close()
    assert waited == [pytest.approx(0.1)]
