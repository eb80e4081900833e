"""The two networks: what their outputs promise to the live side."""

import pytest
import torch
from torch import Tensor

from streamwatch.training.videobert import (
    CELL_FEATURES,
    NEAR_FEATURES,
    ClipEncoder,
    Dims,
    Joint,
    close_up,
    most_motion,
    pool,
)

TINY = Dims(dim=24, layers=2, heads=4, inner=32, events=3, ages=8, words=8)


@pytest.fixture(scope="module")
def encoder() -> ClipEncoder:
    torch.manual_seed(0)
    return ClipEncoder(dim=24).eval()


@pytest.fixture(scope="module")
def joint() -> Joint:
    torch.manual_seed(0)
    return Joint(TINY).eval()


def slots(batch: int = 2, length: int = 1) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {
        "visual": torch.randn(batch, 6, 24),
        "age": torch.arange(5, -1, -1).float().expand(batch, 6).contiguous(),
        "visual_mask": torch.ones(batch, 6),
        "text": torch.zeros(batch, length, 24),
        "text_mask": torch.zeros(batch, length),
    }


def blob(row: int, column: int, size: int = 96) -> Tensor:
    """A grey picture with a square of 16 pixels that blinks at these pixels."""
    frames = torch.full((1, 8, size, size, 3), 100, dtype=torch.uint8)
    frames[:, ::2, row : row + 16, column : column + 16] = 250
    return frames


def test_the_token_is_the_motion_weighted_mean_of_the_grid(encoder: ClipEncoder) -> None:
    frames = torch.randint(0, 255, (2, 8, 96, 96, 3), dtype=torch.uint8)
    with torch.no_grad():
        token, grid, motion = encoder(frames)
    assert token.shape == (2, 24)
    assert grid.shape == (2, 24, 3, 3)
    assert motion.shape == (2, 3, 3)
    assert (motion > 0).all()
    expected = (grid * motion[:, None]).sum((2, 3)) / motion.sum((1, 2))[:, None]
    torch.testing.assert_close(token, expected)


def test_the_token_is_what_the_heads_make_of_what_is_seen(encoder: ClipEncoder) -> None:
    weight, bias = torch.randn(24, CELL_FEATURES) / 100, torch.randn(24)
    own = ClipEncoder(24, encoder.lite0).eval()
    own.set_heads(weight, bias)
    own.usual.copy_(torch.randn(NEAR_FEATURES))
    frames = torch.cat([blob(8, 8), blob(64, 40)])
    with torch.no_grad():
        token, seen = own(frames)[0], own.see(frames)
    assert seen.shape == (2, CELL_FEATURES)
    torch.testing.assert_close(token, seen @ weight.T + bias, rtol=1e-4, atol=1e-4)


def test_a_still_picture_gives_finite_tokens_and_no_motion(encoder: ClipEncoder) -> None:
    still = torch.randint(0, 255, (1, 1, 96, 96, 3), dtype=torch.uint8).expand(1, 8, 96, 96, 3)
    moving = torch.randint(0, 255, (1, 8, 96, 96, 3), dtype=torch.uint8)
    with torch.no_grad():
        token, _, motion = encoder(still)
        busy = encoder(moving)[2]
    assert torch.isfinite(token).all()
    assert motion.mean() < busy.mean() / 10


def test_attention_is_where_it_moves(encoder: ClipEncoder) -> None:
    with torch.no_grad():
        motion = encoder(blob(72, 72))[2][0]
    assert motion[1:, 1:].sum() > 5 * motion[0].sum()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (16, 64), (80, 80), (40, 24)])
def test_the_close_look_goes_where_it_moves_and_shows_the_very_pixels(row: int, column: int) -> None:
    frames = torch.randint(90, 110, (1, 1, 96, 96, 3), dtype=torch.uint8).repeat(1, 8, 1, 1, 1)
    frames[:, ::2, row : row + 16, column : column + 16] = 250
    half = torch.nn.functional.avg_pool2d(frames[0].permute(0, 3, 1, 2).float(), 2)[None]
    top, left = (16 * int(x) for x in most_motion(half))
    assert top <= row <= top + 16 or top == 64
    assert left <= column <= left + 16 or left == 64
    seen = close_up(frames, torch.tensor([top // 16]), torch.tensor([left // 16]))
    assert seen.shape == (8, 3, 32, 32)
    torch.testing.assert_close(seen, frames[0, :, top : top + 32, left : left + 32].permute(0, 3, 1, 2))


def test_clips_of_one_batch_look_each_at_its_own_place(encoder: ClipEncoder) -> None:
    both = torch.cat([blob(8, 8), blob(72, 64)])
    with torch.no_grad():
        together, alone = encoder(both)[0], torch.cat([encoder(both[i : i + 1])[0] for i in range(2)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_a_zone_that_the_close_look_does_not_touch_does_not_see_it(encoder: ClipEncoder) -> None:
    near = ClipEncoder(24, encoder.lite0).eval()
    with torch.no_grad():
        near.project.weight.zero_()
        grid = near(blob(8, 8))[1][0]
    assert grid[:, 0, 0].abs().max() > 0
    torch.testing.assert_close(grid[:, 2, 2], near.project.bias.detach())  # type: ignore[union-attr]


def test_looks_have_the_stated_numbers_of_features(encoder: ClipEncoder) -> None:
    with torch.no_grad():
        cells, motion, close, cover = encoder.looks(torch.zeros(1, 8, 96, 96, 3, dtype=torch.uint8))
    assert cells.shape == (1, CELL_FEATURES - NEAR_FEATURES, 3, 3)
    assert close.shape == (1, NEAR_FEATURES)
    assert motion.shape == cover.shape == (1, 3, 3)
    assert pool(cells, motion).shape == (1, CELL_FEATURES - NEAR_FEATURES)


def test_shapes_of_the_joint(joint: Joint) -> None:
    with torch.no_grad():
        events, each, align, embedding = joint(**slots(3, 4))
    assert (events.shape, each.shape, align.shape) == ((3, 3), (3, 6, 3), (3,))
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))


def test_what_a_masked_slot_holds_does_not_matter(joint: Joint) -> None:
    inputs = slots()
    inputs["visual_mask"][:, :3] = 0.0
    with torch.no_grad():
        before = joint(**inputs)[0]
        inputs["visual"][:, :3] = 50.0
        after = joint(**inputs)[0]
    torch.testing.assert_close(before, after)


def test_masked_words_do_not_matter(joint: Joint) -> None:
    with torch.no_grad():
        short, long = joint(**slots(2, 1))[0], joint(**slots(2, 5))[0]
    torch.testing.assert_close(short, long)


def test_age_matters_not_place(joint: Joint) -> None:
    """Slots may come in any order: their age says when they were."""
    inputs = slots()
    turned = dict(inputs, visual=inputs["visual"].flip(1), age=inputs["age"].flip(1))
    older = dict(inputs, age=inputs["age"] + 2)
    with torch.no_grad():
        here, same, other = (joint(**i)[0] for i in (inputs, turned, older))
    torch.testing.assert_close(here, same, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(here, other, atol=1e-3)


def test_an_empty_window_is_finite(joint: Joint) -> None:
    inputs = slots()
    inputs["visual_mask"][:] = 0.0
    with torch.no_grad():
        assert all(torch.isfinite(x).all() for x in joint(**inputs))
