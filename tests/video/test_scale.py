"""The one preprocessing path."""

import av
import numpy as np
import pytest

from streamwatch.video.scale import scale, scale_array


def grey(luma: int, pixel_format: str = "yuv420p", color_range: int = 0) -> av.VideoFrame:
    frame = av.VideoFrame(64, 48, pixel_format)
    for plane, value in zip(frame.planes, (luma, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.color_range = color_range
    return frame


@pytest.mark.parametrize(
    ("pixel_format", "color_range", "black", "white"),
    [("yuv420p", 0, 16, 235), ("yuv420p", 1, 16, 235), ("yuv420p", 2, 0, 255), ("yuvj420p", 0, 0, 255)],
)
def test_the_colour_range_is_the_streams(pixel_format: str, color_range: int, black: int, white: int) -> None:
    assert scale(grey(black, pixel_format, color_range), 16).max() <= 2
    assert scale(grey(white, pixel_format, color_range), 16).min() >= 252


def test_a_scaler_is_used_again_whatever_came_before() -> None:
    """One of a camera whose resolution, format or range changes is as a new one."""
    rng = np.random.default_rng(0)
    frames = [
        grey(60),
        av.VideoFrame.from_ndarray(rng.integers(0, 256, (90, 160, 3), np.uint8), format="rgb24"),
        av.VideoFrame.from_ndarray(rng.integers(0, 256, (72, 48), np.uint8), format="yuv420p"),
        grey(60, color_range=2),
        grey(60, "yuvj420p"),
        grey(60),
    ]
    for frame in frames:
        alone = frame.reformat(16, 16, "rgb24", interpolation="BILINEAR", threads=1).to_ndarray()
        assert np.array_equal(scale(frame, 16), alone)
    assert scale(frames[0], 16).max() != scale(frames[3], 16).max()


def test_the_channels_are_rgb() -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 255
    small = scale_array(red, 16)
    assert small.shape == (16, 16, 3)
    assert small.dtype == np.uint8
    assert small[..., 0].min() > 250
    assert small[..., 1:].max() < 5


def test_the_whole_picture_is_squashed() -> None:
    halves = np.zeros((90, 160, 3), np.uint8)
    halves[:, 80:] = 200
    small = scale_array(halves, 32)
    assert small[:, :14].max() < 5
    assert small[:, 18:].min() > 190


def test_small_things_are_averaged_and_not_skipped() -> None:
    lines = np.zeros((160, 1600, 3), np.uint8)
    lines[:, ::10] = 250  # thin bright lines, ten to a pixel of the result
    small = scale_array(lines, 16)
    assert np.abs(small[:, 2:-2].astype(int) - 25).max() <= 4


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (161, 121), (1280, 720)])
def test_any_size_scales(size: tuple[int, int]) -> None:
    width, height = size
    assert scale_array(np.full((height, width, 3), 77, np.uint8), 24).shape == (24, 24, 3)
