import time
from pathlib import Path

import numpy as np

from streamwatch.evidence.footage import LATE, Footage, Span
from streamwatch.video.packets import Codec, PacketRing
from tests.evidence.footage import EPOCH, fill, make_ring, make_video, pictures

MASK = [[(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)]]
ROOM = 1 << 30


def make_footage(tmp_path: Path, ring: PacketRing, begin: float = 0.0, longest: float = 100) -> Footage:
    return Footage(ring, tmp_path / "clip.mp4", Span(EPOCH + begin, longest), [])


def work(footage: Footage) -> None:
    footage.work(time.monotonic() + 30)


def test_it_begins_at_the_keyframe_before_and_ends_when_told(tmp_path: Path, video: Path) -> None:
    footage = make_footage(tmp_path, make_ring(video), begin=2.55)
    footage.until = EPOCH + 6.0
    footage.draw(EPOCH + 7, ROOM)
    assert not (tmp_path / "clip.mp4").exists()
    work(footage)
    assert footage.written
    assert footage.done
    assert (footage.first, footage.last, footage.cut) == (EPOCH + 2, EPOCH + 6, None)
    assert len(pictures(tmp_path / "clip.mp4")) == 41


def test_it_goes_on_with_what_comes(tmp_path: Path, video: Path) -> None:
    ring = PacketRing(100, lambda: EPOCH)
    footage = make_footage(tmp_path, ring)
    footage.draw(EPOCH, ROOM)
    work(footage)
    assert not footage.done
    fill(ring, video)
    footage.draw(EPOCH + 10, ROOM)
    footage.until = EPOCH + 9.95
    footage.draw(EPOCH + 10, ROOM)
    work(footage)
    assert not footage.done, "the last packet may yet come"
    footage.draw(EPOCH + 10 + LATE, ROOM)
    work(footage)
    assert footage.written
    assert len(pictures(tmp_path / "clip.mp4")) == 100


def test_a_long_one_is_cut_and_says_so(tmp_path: Path, video: Path) -> None:
    footage = make_footage(tmp_path, make_ring(video), longest=3.0)
    footage.draw(EPOCH + 10, ROOM)
    work(footage)
    assert (footage.written, footage.cut, footage.last) == (True, "length", EPOCH + 3.0)


def test_a_reconnect_is_a_gap_and_another_format_the_end(tmp_path: Path, video: Path) -> None:
    ring = PacketRing(1000, lambda: EPOCH)
    fill(ring, video, start=EPOCH)
    fill(ring, video, start=EPOCH + 20)
    ring.begin(Codec("h264", b"\x00\x00\x00\x01\x67\x01\x02", ring.since(0)[0].run.codec.time_base))
    ring.align(0.0, EPOCH + 40)
    ring.add(b"\x00\x00\x00\x01\x65", 0, True)
    footage = make_footage(tmp_path, ring)
    footage.draw(EPOCH + 50, ROOM)
    work(footage)
    assert (footage.written, footage.cut) == (True, "codec")
    assert np.allclose(footage.gaps, [(EPOCH + 9.9, 10.1)])
    assert len(pictures(tmp_path / "clip.mp4")) == 200


def test_packets_that_left_the_ring_too_early_are_counted(tmp_path: Path, video: Path) -> None:
    ring = PacketRing(1, lambda: EPOCH)
    footage = make_footage(tmp_path, ring)
    fill(ring, video)
    footage.draw(EPOCH + 10, ROOM)
    fill(ring, video, start=EPOCH + 10)
    footage.draw(EPOCH + 20, ROOM)
    assert footage.lost == 80  # of the second ten seconds the ring held the last two


def test_what_waits_for_the_encoder_is_bounded(tmp_path: Path, video: Path) -> None:
    ring = make_ring(video)
    footage = Footage(ring, tmp_path / "clip.mp4", Span(EPOCH, 100), MASK)
    footage.draw(EPOCH + 10, ring.size // 2)
    assert footage.cut == "memory"
    assert 0 < footage.held <= ring.size // 2
    work(footage)
    assert footage.written
    assert footage.held == 0


def test_encoding_takes_no_longer_than_it_is_given(tmp_path: Path) -> None:
    long = make_video(tmp_path / "long.mp4", seconds=60)
    footage = Footage(make_ring(long), tmp_path / "clip.mp4", Span(EPOCH, 100), MASK)
    footage.draw(EPOCH + 60, ROOM)
    footage.work(time.monotonic() + 0.01)
    assert footage.held > 0
    footage.end("shutdown")
    footage.stop("shutdown")
    assert (footage.written, footage.done, footage.cut) == (False, True, "shutdown")
    assert [path.name for path in tmp_path.iterdir()] == ["long.mp4"]


def test_a_clip_that_cannot_be_written_is_given_up(tmp_path: Path, video: Path) -> None:
    (tmp_path / "clip.mp4.part").mkdir()
    footage = make_footage(tmp_path, make_ring(video))
    footage.draw(EPOCH + 10, ROOM)
    work(footage)
    assert (footage.written, footage.done, footage.cut) == (False, True, "write")


def test_a_finished_clip_stays(tmp_path: Path, video: Path) -> None:
    footage = make_footage(tmp_path, make_ring(video), longest=3.0)
    footage.draw(EPOCH + 10, ROOM)
    work(footage)
    footage.stop("disk")
    assert (footage.written, footage.cut) == (True, "length")
    assert (tmp_path / "clip.mp4").exists()


def test_keyframes_far_apart_cost_nothing_of_the_incident(tmp_path: Path) -> None:
    """What leads from the last keyframe to the incident must be in the clip, but is not what it is about."""
    ring = PacketRing(100, lambda: EPOCH)
    fill(ring, make_video(tmp_path / "rare.mp4", seconds=20, rare=True))
    footage = make_footage(tmp_path, ring, begin=15, longest=3)
    footage.draw(EPOCH + 20, ROOM)
    work(footage)
    assert (footage.cut, footage.first, footage.last) == ("length", EPOCH, EPOCH + 18)
