"""The two networks: what their outputs promise to the live side."""

import pytest
import torch
from torch import Tensor

from streamwatch.training.videobert import CELL_FEATURES, ClipEncoder, Dims, Joint, pool

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


def test_the_token_is_the_motion_weighted_mean_of_the_grid(encoder: ClipEncoder) -> None:
    frames = torch.randint(0, 255, (2, 8, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        token, grid, motion = encoder(frames)
    assert token.shape == (2, 24)
    assert grid.shape == (2, 24, 4, 4)
    assert motion.shape == (2, 4, 4)
    assert (motion > 0).all()
    expected = (grid * motion[:, None]).sum((2, 3)) / motion.sum((1, 2))[:, None]
    torch.testing.assert_close(token, expected)


def test_a_still_picture_gives_finite_tokens_and_no_motion(encoder: ClipEncoder) -> None:
    still = torch.randint(0, 255, (1, 1, 64, 64, 3), dtype=torch.uint8).expand(1, 8, 64, 64, 3)
    moving = torch.randint(0, 255, (1, 8, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        token, _, motion = encoder(still)
        busy = encoder(moving)[2]
    assert torch.isfinite(token).all()
    assert motion.mean() < busy.mean() / 10


def test_attention_is_where_it_moves(encoder: ClipEncoder) -> None:
    frames = torch.full((1, 8, 64, 64, 3), 100, dtype=torch.uint8)
    frames[:, ::2, 40:60, 40:60] = 250
    with torch.no_grad():
        motion = encoder(frames)[2][0]
    assert motion[2:, 2:].sum() > 5 * motion[:2, :2].sum()


def test_cells_have_the_stated_number_of_features(encoder: ClipEncoder) -> None:
    with torch.no_grad():
        cells, motion = encoder.cells(torch.zeros(1, 8, 64, 64, 3, dtype=torch.uint8))
    assert cells.shape == (1, CELL_FEATURES, 4, 4)
    assert pool(cells, motion).shape == (1, CELL_FEATURES)


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
