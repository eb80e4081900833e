"""What is done to clips while eyes are trained."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from streamwatch.training.disturb import affine, disturb, recompress, shrink
from streamwatch.training.recipe import Disturb

NOTHING = Disturb(
    crop=1.0, rotation=0.0, shake=0.0, small=0.0, gain=(1.0, 1.0), bias=0.0, flicker=0.0, grey=0.0, noise=0.0,
    recompress=0.0,
)  # fmt: skip


def clips(count: int = 2) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 255, (count, 8, 96, 96, 3), dtype=np.uint8))


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_the_same_numbers_give_the_same_and_others_do_not() -> None:
    x, stills = clips(), clips(1)[0]
    one, two = (disturb(x, stills, rng(), Disturb()) for _ in range(2))
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    assert one.shape == x.shape and one.min() >= 0 and one.max() <= 255
    assert not torch.equal(one, disturb(x, stills, np.random.default_rng(4), Disturb()))


def test_frames_of_one_clip_are_turned_alike_unless_the_camera_shakes() -> None:
    calm, shaken = affine(6, 8, rng(), Disturb(shake=0.0)), affine(6, 8, rng(), Disturb(shake=1.0))
    assert (calm == calm[:, :1]).all()
    assert len(np.unique(calm[:, 0, 0, 2])) == 6
    moved = np.abs(shaken[:, 1:, :, 2] - shaken[:, :-1, :, 2])
    assert (moved.max((1, 2)) > 0).all() and moved.max() < 0.1
    assert (shaken[:, :, :, :2] == shaken[:, :1, :, :2]).all()


def test_half_of_the_clips_are_mirrored() -> None:
    found = affine(400, 1, rng(), Disturb(rotation=0.0))[:, 0, 0, 0]
    assert 0.4 < (found < 0).mean() < 0.6


def test_small_ones_lie_whole_in_a_still_picture() -> None:
    stills = torch.full((1, 96, 96, 3), 7, dtype=torch.uint8)
    x = clips(8).permute(0, 1, 4, 2, 3).float() + 10.0
    found = shrink(x.clone(), stills, rng(), Disturb(small=1.0))
    for before, after in zip(x, found, strict=True):
        inside = (after != 7.0).any(0).any(0)
        rows, columns = torch.nonzero(inside.any(1))[:, 0], torch.nonzero(inside.any(0))[:, 0]
        side = len(rows)
        assert side == len(columns) and side in (48, 32, 24)
        seen = after[:, :, rows[0] : rows[0] + side, columns[0] : columns[0] + side]
        torch.testing.assert_close(seen, torch.nn.functional.avg_pool2d(before, 96 // side))


def test_nothing_is_done_where_nothing_is_asked() -> None:
    x = clips()
    found = disturb(x, clips(1)[0], rng(), NOTHING)
    wide = x.float().permute(0, 1, 4, 2, 3)
    assert abs(found.mean() - x.float().mean()) < 2.0
    assert found.std() > 0.8 * wide.std()  # stretched by a tenth at most, or mirrored


def test_grey_cameras_have_no_colour_and_noise_is_on_half() -> None:
    grey = disturb(clips(), clips(1)[0], rng(), NOTHING.model_copy(update={"grey": 1.0}))
    torch.testing.assert_close(grey[..., 0], grey[..., 2])
    flat = torch.full((40, 8, 96, 96, 3), 120, dtype=torch.uint8)
    noisy = disturb(flat, clips(1)[0], rng(), NOTHING.model_copy(update={"noise": 7.0}))
    spread = noisy.flatten(1).std(1)
    assert 0.3 < (spread > 0.01).float().mean() < 0.7
    assert spread.max() < 7.5


@pytest.mark.parametrize("coarseness", [0.5, 2.0])
def test_recompression_is_what_jpeg_does(coarseness: float) -> None:
    """OpenCV's encoder at the quality of the same table (IJG: scale 200 - 2·quality, or 5000 / quality, per cent)."""
    quality = round(100 - 50 * coarseness) if coarseness <= 1 else round(50 / coarseness)
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (96, 96), dtype=np.uint8), (0, 0), 2.5)
    _, packed = cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, quality])
    theirs = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32)
    x = torch.from_numpy(smooth.astype(np.float32)).expand(1, 3, 96, 96)
    ours = recompress(x, coarseness)[0, 0].clamp(0, 255).numpy()
    assert np.abs(ours - theirs).mean() < 0.6 < np.abs(ours - smooth).mean() + 0.5
    assert np.abs(ours - smooth).mean() > 0.2
