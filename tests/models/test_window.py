"""Windows of tokens: newest last, holes masked, never spliced."""

import weakref
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamwatch.models.detection import Token
from streamwatch.models.window import TokenWindow, pool

DIM, GRID = 4, 2


def token(index: int, epoch: int = 0) -> Token:
    """A token whose embedding is filled with its index + 1."""
    grid = np.full((DIM, GRID, GRID), index + 1, np.float32)
    motion = np.ones((GRID, GRID), np.float32)
    at = 100.0 + index
    activity = np.diag(np.arange(1, GRID + 1, dtype=np.float32)) * (index + 1)
    return Token("dock", at, at + 1, np.full(DIM, index + 1, np.float32), grid, motion, activity, epoch, index)


def slots(ring: TokenWindow) -> list[int]:
    """The first number of each slot of the window, 0 for a masked one."""
    (window,) = ring.windows()
    assert ((window.visual[:, 0] > 0) == (window.mask > 0)).all()
    return [int(value) for value in window.visual[:, 0]]


def ring_of(*tokens: Token, size: int = 4, zones: Sequence[tuple[str, NDArray[np.float32]]] = ()) -> TokenWindow:
    ring = TokenWindow(size, zones)
    for each in tokens:
        ring.add(each)
    return ring


def test_fills_from_the_newest_slot() -> None:
    ring = ring_of(token(0))
    assert slots(ring) == [0, 0, 0, 1]
    ring.add(token(1))
    assert slots(ring) == [0, 0, 1, 2]


def test_slides() -> None:
    assert slots(ring_of(*map(token, range(6)))) == [3, 4, 5, 6]


def test_a_dropped_clip_is_a_hole() -> None:
    assert slots(ring_of(token(0), token(2), token(3))) == [1, 0, 3, 4]


def test_what_a_hole_pushes_out_is_gone() -> None:
    assert slots(ring_of(token(0), token(1), token(5))) == [0, 0, 0, 6]


def test_another_epoch_starts_anew() -> None:
    assert slots(ring_of(token(0), token(1), token(0, epoch=1))) == [0, 0, 0, 1]


def test_a_late_or_repeated_token_is_ignored() -> None:
    assert slots(ring_of(token(0), token(2), token(1), token(2))) == [0, 1, 0, 3]


def test_tells_times_and_age() -> None:
    (window,) = ring_of(token(0), token(1)).windows()
    assert (window.camera, window.start, window.end) == ("dock", 100.0, 102.0)
    assert window.age.tolist() == [3, 2, 1, 0]
    assert window.visual.dtype == window.age.dtype == window.mask.dtype == np.float32


def test_motion_is_the_newest_activity_of_the_picture_or_the_zone() -> None:
    low, right = np.array([[0, 0], [0, 0.2]], np.float32), np.array([[0, 1], [0, 0]], np.float32)
    ring = ring_of(token(0), token(2), zones=[("low", low), ("right", right)])  # cells of 3, 0, 0, 6: median 1.5
    motion = {window.zone: window.motion for window in ring.windows()}
    assert motion == {None: pytest.approx(3 - 1.5), "low": pytest.approx(6 - 1.5), "right": 0}


def test_a_zone_has_a_window_of_its_own_that_holds_what_its_cells_held_at_each_second() -> None:
    rng = np.random.default_rng(1)
    left, none = np.array([[1, 0], [0.5, 0]], np.float32), np.zeros((GRID, GRID), np.float32)
    tokens = [
        replace(token(k), grid=rng.normal(size=(DIM, GRID, GRID)).astype(np.float32), start=float(k)) for k in (0, 1, 3)
    ]
    whole, seen, empty = ring_of(*tokens, zones=[("left", left), ("none", none)]).windows()
    assert (whole.zone, seen.zone, empty.zone) == (None, "left", "none")
    assert seen.mask.tolist() == whole.mask.tolist() == empty.mask.tolist() == [1, 1, 0, 1]
    for place, of in ((0, tokens[0]), (1, tokens[1]), (3, tokens[2])):
        assert seen.visual[place] == pytest.approx(pool(of, left))
    assert not empty.visual.any()


def test_before_the_first_token_there_is_no_window() -> None:
    assert TokenWindow(4, [("left", np.ones((GRID, GRID), np.float32))]).windows() == []


def test_grids_are_not_kept() -> None:
    ring = ring_of(*map(token, range(4)), zones=[("all", np.ones((GRID, GRID), np.float32))])
    old = token(4)
    gone = weakref.ref(old.grid)
    ring.add(old)
    del old
    ring.add(token(5))
    assert gone() is None


def test_the_whole_picture_as_a_zone_gives_the_same_token() -> None:
    rng = np.random.default_rng(0)
    grid = rng.normal(size=(DIM, GRID, GRID)).astype(np.float32)
    motion = rng.uniform(0.1, 2, size=(GRID, GRID)).astype(np.float32)
    embedding = (grid * motion).sum(axis=(1, 2)) / motion.sum()
    whole = Token("dock", 0, 1, embedding, grid, motion, np.zeros_like(motion), 0, 0)
    assert pool(whole, np.ones((GRID, GRID), np.float32)) == pytest.approx(embedding, abs=1e-5)


def test_a_zone_sees_its_cells_only() -> None:
    grid = np.zeros((DIM, GRID, GRID), np.float32)
    grid[:, 0, 0] = 7
    even = np.ones((GRID, GRID), np.float32)
    seen = Token("dock", 0, 1, grid.mean(axis=(1, 2)), grid, even, even, 0, 0)
    left = np.array([[1, 0], [0, 0]], np.float32)
    assert pool(seen, left).tolist() == [7] * DIM
    assert pool(seen, 1 - left).tolist() == [0] * DIM
    assert pool(seen, 0 * left).tolist() == [0] * DIM


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), min_size=1, max_size=40), st.integers(1, 6))
def test_never_splices_across_a_gap(steps: list[tuple[int, int]], size: int) -> None:
    """Whatever comes, all tokens of a window are of the newest epoch and lie where their index says."""
    ring = TokenWindow(size)
    epoch = index = 0
    for step, advance in steps:
        epoch, index = (epoch + 1, 0) if step == 2 else (epoch, index + advance)
        ring.add(token(index, epoch))
        found = slots(ring)
        assert found[-1] == index + 1
        assert all(value in (0, index + 1 - age) for age, value in enumerate(reversed(found)))
