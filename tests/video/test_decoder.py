"""The decoder of one stream: pictures, damage, and beginning anew."""

from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from av.codec.context import ThreadType

from streamwatch.video.decoder import Decoder
from streamwatch.video.frame import Image
from streamwatch.video.picture import Tally
from tests.video.stage import FPS, stage_film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage_film(
        tmp_path_factory.mktemp("decoder") / "b.mp4", [(6.0, True)], options={"bf": "2", "preset": "veryfast"}
    )


def test_all_pictures_come_once_and_are_counted(film: Path) -> None:
    tally = Tally()
    with av.open(str(film)) as container:
        decoder = Decoder(container.streams.video[0], tally)
        shown = [picture for packet in container.demux(video=0) for picture in decoder.decode(packet)]
    assert [p.pts for p in shown] == pytest.approx([k / FPS for k in range(6 * FPS)])
    assert (tally.frames, tally.errors) == (6 * FPS, 0)
    assert tally.decode_seconds > 0


def test_it_decodes_in_the_callers_thread_alone(film: Path) -> None:
    """FFmpeg would take a thread for each processor, for each camera."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        decoder = Decoder(stream, Tally())
        threads = psutil.Process().num_threads()
        for packet in container.demux(video=0):
            decoder.decode(packet)
        context = stream.codec_context
        assert context.thread_count == 1
        assert context.thread_type == ThreadType.NONE
        assert psutil.Process().num_threads() == threads


def test_a_keyframe_alone_is_drained_with_its_time_and_what_follows_decodes_after_a_flush(film: Path) -> None:
    tally = Tally()
    with av.open(str(film)) as container:
        decoder = Decoder(container.streams.video[0], tally)
        packets = [packet for packet in container.demux(video=0) if packet.size]
        second = [k for k, packet in enumerate(packets) if packet.is_keyframe][1]
        shown = decoder.decode(packets[second]) or decoder.decode(None)
        assert [p.pts for p in shown] == pytest.approx([2.0])
        assert not shown[0].damaged
        decoder.flush()
        rest = [picture for packet in packets[second:] for picture in decoder.decode(packet)]
    assert [p.pts for p in rest][:10] == pytest.approx([2.0 + k / FPS for k in range(10)])
    assert tally.errors == 0


def test_what_follows_a_refused_packet_is_damaged_until_a_keyframe_or_a_flush(film: Path) -> None:
    tally = Tally()
    with av.open(str(film)) as container:
        decoder = Decoder(container.streams.video[0], tally)
        packets = [packet for packet in container.demux(video=0) if packet.size]
        broken = av.Packet(b"\x00\x00\x00\x05\x41\xff\xff\xff\xff" * 3)
        for packet in packets[:4]:
            decoder.decode(packet)
        decoder.decode(broken)  # type: ignore[arg-type]
        after = [picture.damaged for packet in packets[4:19] for picture in decoder.decode(packet)]
        assert tally.errors >= 1
        assert any(after)
        decoder.flush()
        second = [k for k, packet in enumerate(packets) if packet.is_keyframe][1]
        again = [picture.damaged for packet in packets[second:] for picture in decoder.decode(packet)]
    assert not any(again)


def test_without_deblocking_pictures_are_almost_the_same_and_as_many(film: Path) -> None:
    def decode(deblock: bool) -> list[Image]:
        with av.open(str(film)) as container:
            decoder = Decoder(container.streams.video[0], Tally(), deblock)
            return [p.scale(64) for packet in container.demux(video=0) for p in decoder.decode(packet)]

    filtered, plain = decode(True), decode(False)
    assert len(filtered) == len(plain) == 6 * FPS
    differences = [np.abs(a.astype(int) - b).mean() for a, b in zip(filtered, plain, strict=True)]
    assert 0.0 < max(differences) < 3.0  # grey levels
