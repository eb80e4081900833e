"""Quantisers read from real streams of many settings: what the encoder was told must be found."""

import math
import random
from pathlib import Path

import av
import pytest

from streamwatch.video.quantizer import MIDDLE, START, Quantizer
from tests.video.stage import stage_film

PLAY = [(1.0, False), (2.0, True)]


def quantizers(film: Path, annex_b: bool = False) -> list[float]:
    """log2 of weight over size, as a difference of quantisers."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        if annex_b:
            filtered = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", stream)
            packets = [bytes(out) for packet in container.demux(stream) for out in filtered.filter(packet)]
            reader = Quantizer(None)
        else:
            packets = [bytes(packet) for packet in container.demux(stream)]
            reader = Quantizer(stream.codec_context.extradata)
    return [
        MIDDLE + 6 * math.log2(reader.weight(packet[:START], len(packet)) / len(packet)) for packet in packets if packet
    ]


@pytest.mark.parametrize("annex_b", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"profile": "baseline"},
        {"profile": "main", "preset": "veryfast", "bf": "0"},
        {"profile": "main", "preset": "medium", "x264-params": "weightp=2:ref=4"},
        {"profile": "main", "preset": "medium", "x264-params": "cabac=0:slices=3"},
        {"profile": "high", "preset": "medium", "x264-params": "interlaced=1"},
        {"profile": "high", "preset": "slow", "x264-params": "cqm=jvt:ref=5"},
    ],
)
@pytest.mark.parametrize("qp", [14, 37])
def test_a_constant_quantizer_is_found_in_every_packet(
    tmp_path: Path, options: dict[str, str], qp: int, annex_b: bool
) -> None:
    params = options.get("x264-params", "")
    fixed = f"qp={qp}:ipratio=1.0:pbratio=1.0:aq-mode=0" + (f":{params}" if params else "")
    film = stage_film(tmp_path / "film.mp4", PLAY, options=options | {"x264-params": fixed})
    assert quantizers(film, annex_b) == pytest.approx([qp] * 30)


@pytest.mark.parametrize("annex_b", [False, True])
def test_b_frames_are_read_too(tmp_path: Path, annex_b: bool) -> None:
    options = {"preset": "medium", "bf": "3", "x264-params": "qp=30:ipratio=1.0:pbratio=1.0:weightb=1:b-pyramid=2"}
    found = quantizers(stage_film(tmp_path / "film.mp4", PLAY, options=options), annex_b)
    assert found == pytest.approx([30] * 30)


def test_other_codecs_and_rubbish_are_weighed_by_their_size() -> None:
    rng = random.Random(5)
    for extradata in (None, b"", b"\x01", b"\x01\x64\x00\x1f\xff\xe1\x00", rng.randbytes(60)):
        reader = Quantizer(extradata)
        assert reader.weight(b"", 0) == 0
        assert reader.weight(b"\x00" * 50, 50) == 50


def test_mutated_packets_always_have_a_weight(tmp_path: Path) -> None:
    film = stage_film(tmp_path / "film.mp4", PLAY, options={"bf": "2", "preset": "medium"})
    rng = random.Random(6)
    with av.open(str(film)) as container:
        extradata = container.streams.video[0].codec_context.extradata
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert extradata is not None
    for number in range(2000):
        head = bytearray(extradata)
        data = bytearray(packets[number % len(packets)][:200])
        for target in (head, data):
            target[rng.randrange(len(target))] = rng.randrange(256)
        weight = Quantizer(bytes(head)).weight(bytes(data), 200)
        assert 200 / 2**9 < weight < 200 * 2**5
