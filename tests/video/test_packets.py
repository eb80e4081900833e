import threading
from fractions import Fraction
from pathlib import Path

import pytest

from streamwatch.video.packets import Codec, Packet, PacketRing
from tests.evidence.footage import EPOCH, fill, make_ring, make_video

TICKS = Codec("mpeg4", b"", Fraction(1, 10), 10.0)  # ten pictures a second, times in tenths


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("video") / "plain.mp4")


class Feed:
    """A ring and what it dropped; each group is a keyframe and nine packets, 100 bytes each."""

    def __init__(self, seconds: float = 3, max_bytes: int = 1 << 20) -> None:
        self.dropped: list[tuple[int, str]] = []
        self.now = EPOCH
        self.ring = PacketRing(seconds, lambda: self.now, lambda n, why: self.dropped.append((n, why)), max_bytes)
        self.ring.begin(TICKS)
        self.ring.align(0.0, EPOCH)

    def add(self, *pts: int | None) -> "Feed":
        for at in pts:
            self.ring.add(bytes(100), at, at is None or at % 10 == 0)
        return self

    def kept(self) -> list[int]:
        return [packet.pts for packet in self.ring.since(0.0)]


def test_keeps_the_newest_seconds_and_begins_at_a_keyframe() -> None:
    feed = Feed(seconds=3).add(*range(100))
    assert feed.kept() == list(range(60, 100))  # the group in which the third second back lies is kept whole
    assert feed.ring.size == 4000
    assert feed.dropped == []  # what merely got old was not lost


def test_bytes_bound_it_too_and_what_they_cost_is_counted() -> None:
    feed = Feed(max_bytes=1500).add(*range(30))
    assert feed.kept() == list(range(20, 30))
    assert feed.ring.size <= 1500
    assert feed.dropped == [(10, "bytes"), (10, "bytes")]


def test_a_group_larger_than_all_room_is_given_up_to_its_end() -> None:
    feed = Feed(max_bytes=450).add(*range(12))
    assert feed.kept() == [10, 11]
    assert feed.dropped == [(5, "bytes")] + [(1, "keyframe")] * 5


def test_what_has_no_keyframe_before_it_is_no_picture() -> None:
    feed = Feed().add(3, 4, 10, 11)
    assert feed.kept() == [10, 11]
    assert feed.dropped == [(1, "keyframe")] * 2


def test_the_first_packets_of_rtsp_have_no_time_and_get_one() -> None:
    feed = Feed()
    feed.ring.add(b"key", None, True)
    feed.ring.add(b"next", 1, False)
    assert [(packet.pts, packet.data, packet.keyframe) for packet in feed.ring.since(0)] == [
        (0, b"key", True), (1, b"next", False),
    ]  # fmt: skip
    feed.ring.add(b"lost", None, False)
    assert feed.dropped == [(1, "undated")]


def test_since_begins_at_the_keyframe_before() -> None:
    feed = Feed(seconds=100).add(*range(50))
    assert feed.ring.since(EPOCH + 2.55)[0].pts == 20
    assert feed.ring.since(EPOCH - 100)[0].pts == 0
    assert [packet.pts for packet in feed.ring.around(EPOCH + 2.55)] == list(range(20, 30))
    assert feed.ring.around(EPOCH - 1) == []


def test_what_came_before_a_pause_is_left_out_unless_there_is_nothing_else() -> None:
    feed = Feed(seconds=100).add(*range(15))
    assert feed.ring.since(EPOCH + 20)[0].pts == 10
    feed.now = EPOCH + 60
    feed.add(*range(600, 605))
    assert feed.ring.since(EPOCH + 20)[0].pts == 600
    assert feed.ring.since(EPOCH + 1.4)[0].pts == 10


def test_after_goes_on_where_the_last_stopped() -> None:
    feed = Feed(seconds=100).add(*range(15))
    first = feed.ring.since(0)
    feed.add(*range(15, 23))
    assert [packet.pts for packet in feed.ring.after(first[-1].number)] == list(range(15, 23))
    assert feed.ring.after(feed.ring.since(0)[-1].number) == []


def test_time_is_the_streams_once_a_picture_has_told_it() -> None:
    feed = Feed()
    feed.ring.begin(TICKS)
    feed.now = EPOCH + 77
    feed.add(10)
    assert feed.ring.since(0)[-1].at == EPOCH + 77
    feed.ring.align(1.0, EPOCH + 50)
    assert feed.ring.since(0)[-1].at == EPOCH + 50


def test_a_jump_of_the_clock_begins_a_run_of_its_own() -> None:
    feed = Feed(seconds=1000).add(*range(15), 900, 901)
    feed.add(910, 0, 1)
    runs = [packet.run for packet in feed.ring.since(0)]
    assert [packet.pts for packet in feed.ring.since(0)] == [*range(10), *range(10, 15), 900, 901, 910, 0, 1]
    assert len({id(run) for run in runs}) == 3


def test_a_new_connection_begins_at_its_keyframe() -> None:
    feed = Feed(seconds=1000).add(*range(12))
    feed.ring.begin(TICKS)
    feed.add(13, 20)
    assert feed.kept() == [*range(12), 20]


def test_another_picture_size_within_the_stream_is_another_run(tmp_path: Path, video: Path) -> None:
    """Parameter sets that come before a keyframe are those of what follows."""
    ring = PacketRing(1000, lambda: EPOCH)
    sets = [b"\x00\x00\x00\x01\x67" + bytes([n, 1]) + b"\x00\x00\x00\x01\x68\x01" for n in (1, 1, 2)]
    ring.begin(Codec("h264", b"", Fraction(1, 10), 10.0))
    for number, head in enumerate(sets):
        ring.add(head + b"\x00\x00\x00\x01\x65\x11", number * 10, True)
    packets = ring.since(0)
    assert [packet.run.codec.extradata for packet in packets] == sets
    assert packets[0].run is packets[1].run is not packets[2].run


def test_a_film_goes_in_and_comes_out(video: Path) -> None:
    ring = make_ring(video)
    packets = ring.since(0)
    assert len(packets) == 100
    assert [packet.at for packet in packets] == pytest.approx([EPOCH + n / 10 for n in range(100)])
    assert ring.size == sum(len(packet.data) for packet in packets)


def test_readers_see_whole_groups_while_the_camera_writes(video: Path) -> None:
    ring = PacketRing(2, lambda: EPOCH)
    done = threading.Event()
    faults: list[Packet] = []

    def read() -> None:
        while not done.is_set():
            packets = ring.since(0)
            if packets and not packets[0].keyframe:
                faults.append(packets[0])
            numbers = [packet.number for packet in packets]
            if numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                faults.append(packets[-1])

    reader = threading.Thread(target=read)
    reader.start()
    for start in range(20):
        fill(ring, video, start=EPOCH + start * 10)
    done.set()
    reader.join(10)
    assert faults == []


def test_a_picture_of_the_run_before_says_nothing_of_the_new_clock() -> None:
    """With B-frames a decoder gives the last pictures of the old clock after the first packet of the new one."""
    feed = Feed(seconds=3).add(*range(30))
    feed.add(36_000)  # an hour ahead
    feed.ring.align(2.9, EPOCH + 2.9)
    feed.now = EPOCH + 3.1
    feed.add(36_001)
    assert feed.kept()[0] == 0, "nothing was thrown away as too old"
    feed.ring.align(3600.0, EPOCH + 3.0)
    feed.add(36_002)
    assert feed.ring.since(0)[-1].at == pytest.approx(EPOCH + 3.2)


def test_a_stream_without_a_second_keyframe_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.video.packets.MAX_PACKETS", 50)
    feed = Feed(seconds=3)
    feed.ring.add(bytes(100), 0, True)
    for at in range(1, 60):
        feed.ring.add(bytes(100), at, False)
    assert (feed.kept(), feed.ring.size) == ([], 0)
    assert feed.dropped == [(51, "bytes")] + [(1, "keyframe")] * 9
    assert feed.add(60, 61).kept() == [60, 61]


def test_a_picture_parameter_set_alone_is_no_other_format() -> None:
    ring = PacketRing(1000, lambda: EPOCH)
    ring.begin(Codec("h264", b"", Fraction(1, 10), 10.0))
    for number, head in enumerate(
        (b"\x00\x00\x00\x01\x67\x01\x01\x00\x00\x00\x01\x68\x01", b"\x00\x00\x00\x01\x68\x01")
    ):
        ring.add(head + b"\x00\x00\x00\x01\x65\x11", number * 10, True)
    first, second = ring.since(0)
    assert first.run is second.run


def test_the_unit_of_times_is_that_of_the_time_base() -> None:
    assert TICKS.unit == 0.1
    assert Codec("h264", b"", Fraction(1, 90_000)).unit == pytest.approx(1 / 90_000)
    assert Codec("h264", b"", Fraction(1, 25)) == Codec("h264", b"", Fraction(1, 25))
