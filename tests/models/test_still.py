"""What is remembered of still cameras, and when it no longer holds."""

import numpy as np
import pytest

from streamwatch.models.detection import Token
from streamwatch.models.still import Stills
from streamwatch.models.window import Window
from streamwatch.video.frame import Clip


def clip(level: int = 9, index: int = 0, camera: str = "a", still: float = 1.0, on_demand: bool = True) -> Clip:
    frames = np.full((4, 8, 8, 3), level, np.uint8)
    known = np.zeros((2, 2), np.float32) if on_demand and not still else None
    return Clip(camera, 10.0 + index, 10.9 + index, frames, 2, index, still=still, activity=known)


def token(of: Clip, value: float = 0.5, motion: float = 0.0) -> Token:
    grid = np.full((3, 2, 2), value, np.float32)
    cells = np.zeros((2, 2), np.float32)
    active = np.array([[4 * motion, motion], [0.0, 0.0]], np.float32)
    return Token(of.camera, of.start, of.end, grid[:, 0, 0], grid, cells, active, of.epoch, of.index)


def window(value: float = 0.5, filled: int = 4, zone: str | None = None) -> Window:
    mask = np.array([0.0] * (4 - filled) + [1.0] * filled, np.float32)
    visual = np.full((4, 3), value, np.float32)
    return Window("a", 0.0, 4.0, zone, visual, np.arange(3, -1, -1, dtype=np.float32), mask, 0.0)


def test_a_still_clip_has_the_token_of_the_same_picture_at_its_own_time() -> None:
    stills = Stills()
    stills.keep(clip(), token(clip()))
    found = stills.token(clip(index=7))
    assert found is not None
    assert (found.start, found.end, found.epoch, found.index) == (17.0, 17.9, 2, 7)
    assert np.array_equal(found.embedding, [0.5] * 3)


def test_another_picture_another_camera_and_motion_have_none() -> None:
    stills = Stills()
    assert stills.token(clip()) is None
    stills.keep(clip(), token(clip()))
    assert stills.token(clip(level=10)) is not None  # noise
    assert stills.token(clip(level=13)) is None
    assert stills.token(clip(level=5)) is None
    assert stills.token(clip(camera="b")) is None
    assert stills.token(clip(still=0.5)) is None


def test_a_still_clip_repeats_the_last_second_that_was_decoded_and_calm() -> None:
    stills = Stills()
    stills.keep(clip(still=0.0), token(clip(), 0.3))
    stills.keep(clip(still=0.0, index=1), token(clip(), 0.4))
    border = clip(still=0.5, index=2)
    stills.keep(border, token(border, 0.9))
    found = stills.token(clip(index=3))
    assert found is not None
    assert found.embedding[0] == np.float32(0.4)
    assert found.index == 3


@pytest.mark.parametrize("still", [0.0, 0.5])
def test_what_moved_is_not_remembered_and_ends_what_was(still: float) -> None:
    """Whoever came may be too small to make another picture."""
    stills = Stills()
    stills.keep(clip(), token(clip()))
    moved = clip(still=still)
    stills.keep(moved, token(moved, motion=1.0))
    assert stills.token(clip()) is None


def test_nothing_is_kept_of_cameras_that_are_decoded_all_the_time() -> None:
    stills = Stills()
    stills.keep(clip(still=0.0, on_demand=False), token(clip()))
    assert stills.token(clip()) is None


def test_what_is_kept_is_its_own() -> None:
    """Tokens are parts of a batch; a camera that is still for hours must not hold all of it."""
    stills, mine = Stills(), token(clip())
    stills.keep(clip(), mine)
    found = stills.token(clip(index=1))
    assert found is not None
    for a, b in ((found.embedding, mine.embedding), (found.grid, mine.grid), (found.motion, mine.motion)):
        assert not np.shares_memory(a, b)


def test_a_window_that_repeats_has_its_scores() -> None:
    stills = Stills()
    assert stills.scores(window()) is None
    stills.keep_scores(window(), np.array([0.25]))
    assert stills.scores(window()) == np.array([0.25])


def test_a_window_with_other_tokens_slots_or_zone_has_none() -> None:
    stills = Stills()
    stills.keep_scores(window(), np.array([0.25]))
    assert stills.scores(window(0.6)) is None
    assert stills.scores(window(filled=3)) is None
    assert stills.scores(window(zone="gate")) is None
