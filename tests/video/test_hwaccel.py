"""Decoding by hardware: on a machine without any, FFmpeg itself refuses, and the CPU goes on."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import av
import numpy as np
import pytest
import structlog
from av.codec.hwaccel import HWAccel
from av.video.stream import VideoStream

from streamwatch.secret import SecretUrl
from streamwatch.video import ffmpeg
from streamwatch.video import hwaccel as module
from streamwatch.video.decoder import Decoder
from streamwatch.video.ffmpeg import FfmpegSource
from streamwatch.video.hwaccel import hwaccel
from streamwatch.video.picture import Opening, Tally


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    for asked in (module._opens, module._tell):
        asked.cache_clear()
    yield
    for asked in (module._opens, module._tell):
        asked.cache_clear()


def device(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[str]:
    """A machine whose device opens, or fails with ``error``; the names it was asked for."""
    asked = []

    def create(codec: av.Codec) -> None:
        asked.append(codec.name)
        if error is not None:
            raise error

    def opening(device_type: str, allow_software_fallback: bool) -> SimpleNamespace:
        assert allow_software_fallback
        return SimpleNamespace(device_type=device_type, create=create)

    monkeypatch.setattr(module, "HWAccel", opening)
    return asked


def test_none_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = device(monkeypatch, None)
    assert hwaccel("none") is None
    assert asked == []


def test_a_device_that_opens_is_tried_once_and_used_for_every_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = device(monkeypatch, None)
    found = [hwaccel("cuda"), hwaccel("cuda")]
    assert [accel is not None and accel.device_type for accel in found] == ["cuda", "cuda"]  # type: ignore[attr-defined]
    assert found[0] is not found[1]  # FFmpeg's context belongs to one decoder
    assert asked == ["h264"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (av.error.ExternalError(1, "no device"), "hwaccel does not open"),
        (OSError(1, "Operation not permitted"), "hwaccel does not open"),
        (NotImplementedError("No supported hardware config"), "hwaccel is not part of this FFmpeg"),
    ],
)
def test_one_that_does_not_is_told_once_and_left(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    asked = device(monkeypatch, error)
    with structlog.testing.capture_logs() as logs:
        assert [hwaccel("cuda"), hwaccel("cuda")] == [None, None]
    assert asked == ["h264"]
    assert [(entry["log_level"], entry["hwaccel"]) for entry in logs] == [("warning", "cuda")]
    assert logs[0]["event"].startswith(said)
    assert "CPU" in logs[0]["event"]


@pytest.mark.parametrize("name", ["cuda", "qsv", "vaapi", "videotoolbox", "d3d11va"])
def test_whatever_this_machine_has_the_pictures_are_those_of_the_cpu(film: Path, name: str) -> None:
    def pictures(hwaccel: str) -> tuple[list[np.ndarray], Opening]:
        opening = Opening(SecretUrl(f"file://{film}"), hwaccel=hwaccel)
        source = FfmpegSource(opening)
        found = [picture.scale(32).astype(int) for picture in source]
        source.close()
        return found, opening

    (plain, one), (other, two) = pictures("none"), pictures(name)
    assert not one.tally.hardware
    assert len(plain) == len(other) == 200
    assert max(np.abs(a - b).max() for a, b in zip(plain, other, strict=True)) <= (2 if two.tally.hardware else 0)


def test_what_the_device_cannot_decode_the_cpu_does_and_says_so_once(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = HWAccel(device_type="drm", allow_software_fallback=True)  # has no decoder of H.264 in PyAV's FFmpeg
    monkeypatch.setattr(ffmpeg, "hwaccel", lambda name: real)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            opening = Opening(SecretUrl(f"file://{film}"), hwaccel="cuda")
            source = FfmpegSource(opening)
            assert len(list(source)) == 200
            source.close()
            assert not opening.tally.hardware
    assert [(entry["log_level"], entry["codec"]) for entry in logs] == [("warning", "h264")]


@pytest.mark.parametrize(
    ("pixel_format", "device", "found"),
    [("nv12", True, True), ("p010le", True, True), ("yuv420p", True, False), ("yuv420p", False, False)],
)
def test_what_decodes_is_told_by_the_pictures(pixel_format: str, device: bool, found: bool) -> None:
    """A device may refuse a stream as late as at its first picture; PyAV goes on naming the device."""
    picture = av.VideoFrame(64, 48, pixel_format)
    context = SimpleNamespace(
        name="h264", is_hwaccel=device, options={}, thread_count=0, thread_type="AUTO", decode=lambda packet: [picture]
    )
    stream = cast(VideoStream, SimpleNamespace(codec_context=context, time_base=Fraction(1, 25)))
    tally = Tally()
    assert Decoder(stream, tally, accelerated=True).decode(None)[0].scale(8).shape == (8, 8, 3)
    assert tally.hardware == found
    unasked = Tally()
    Decoder(stream, unasked).decode(None)
    assert not unasked.hardware
