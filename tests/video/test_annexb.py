from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.video.annexb import START, parameter_sets, to_annexb, unpack_extradata
from tests.evidence.footage import make_video

SPS, PPS, SLICE = b"\x67\x64\x00\x1f", b"\x68\xee", b"\x65\x88\x80"


def test_parameter_sets_are_those_before_the_first_slice() -> None:
    assert parameter_sets(START + SPS + START + PPS + START + SLICE + START + PPS + b"\x01", "h264") == (
        START + SPS + START + PPS
    )
    assert parameter_sets(START + SLICE, "h264") == b""


def test_repeated_ones_and_trailing_zeros_make_no_difference() -> None:
    assert parameter_sets(START + SPS + b"\x00" + START + SPS + START + PPS, "h264") == START + SPS + START + PPS


def test_lengths_become_start_codes() -> None:
    assert to_annexb(b"\x00\x00\x00\x03abc\x00\x00\x00\x01d", 4) == START + b"abc" + START + b"d"
    assert to_annexb(START + b"abc", 0) == START + b"abc"


@pytest.mark.parametrize(("encoder", "codec", "raw"), [("libx264", "h264", "h264"), ("libx265", "hevc", "hevc")])
def test_an_mp4_decodes_from_start_codes_as_well(tmp_path: Path, encoder: str, codec: str, raw: str) -> None:
    film = make_video(tmp_path / "film.mp4", encoder, 2)
    with av.open(str(film)) as container:
        sets, size = unpack_extradata(bytes(container.streams.video[0].codec_context.extradata or b""), codec)
        data = sets + b"".join(to_annexb(bytes(p), size) for p in container.demux(video=0) if p.size)
    assert size == 4
    assert sets.startswith(parameter_sets(sets, codec)[:10])
    (tmp_path / "film.raw").write_bytes(data)
    with av.open(str(tmp_path / "film.raw"), format=raw) as container:
        assert len(list(container.decode(video=0))) == 20


@given(st.binary(max_size=200), st.sampled_from(["h264", "hevc"]), st.integers(1, 4))
def test_nothing_malformed_raises_or_hangs(data: bytes, codec: str, size: int) -> None:
    parameter_sets(data, codec)
    to_annexb(data, size)
    unpack_extradata(data, codec)
    unpack_extradata(b"\x01" + data, codec)


def test_one_kind_alone_is_no_format() -> None:
    assert parameter_sets(START + PPS + START + SLICE, "h264") == b""
    assert parameter_sets(START + SPS + START + SLICE, "h264") == b""
