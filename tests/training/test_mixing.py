"""Seconds left out and windows mixed: what they promise about targets."""

import numpy as np

from streamwatch.training.mixing import mix, thin
from streamwatch.training.windows import Batch

NAN = np.float32(np.nan)


def batch(count: int = 6, slots: int = 6) -> Batch:
    """Window i holds i in every slot; odd ones are an event in the second before the newest."""
    number = np.arange(count, dtype=np.float32)
    visual = np.broadcast_to(number[:, None, None], (count, slots, 2)).copy()
    age = np.broadcast_to(np.arange(slots - 1, -1, -1, dtype=np.float32), (count, slots)).copy()
    each = np.zeros((count, slots, 1), np.float32)
    each[1::2, -2] = 1.0
    return Batch(visual, age, np.ones((count, slots), np.float32), each.max(1), each, ("normal",) * count)


def test_windows_keep_every_nth_second_counted_from_now() -> None:
    found = thin(batch(), 4, np.random.default_rng(0))
    kept = {tuple(row[mask > 0].astype(int)) for row, mask in zip(found.age, found.mask, strict=True)}
    assert kept <= {(5, 4, 3, 2, 1, 0), (4, 2, 0), (3, 0), (4, 0)}
    assert len(kept) > 1
    assert (found.visual[found.mask == 0] == 0).all()


def test_an_event_that_is_no_longer_seen_is_not_known() -> None:
    found = thin(batch(40), 2, np.random.default_rng(0))
    events = np.arange(40) % 2 == 1
    thinned = found.mask[:, -2] == 0
    assert (events & thinned).any() and (events & ~thinned).any()
    assert np.isnan(found.now[events & thinned]).all()
    assert (found.now[events & ~thinned] == 1).all()
    assert (found.now[~events] == 0).all()


def test_one_keeps_all() -> None:
    given = batch()
    assert thin(given, 1, np.random.default_rng(0)) is given


def test_mixed_windows_lie_between_two_and_so_do_their_targets() -> None:
    given = batch()
    found = mix(given, 2, 0.5, np.random.default_rng(2))
    assert np.array_equal(found.visual[:2], given.visual[:2]), "windows with captions are left alone"
    assert not np.array_equal(found.visual[2:], given.visual[2:])
    for row in range(2, 6):
        inside = found.visual[row, 0, 0]
        assert 2 <= inside <= 5
        assert abs(inside - row) <= 1.5, "its own half weighs more"
        assert 0 <= found.now[row, 0] <= 1


def test_what_one_of_both_does_not_know_is_not_known() -> None:
    given = batch(2)
    given.now[0] = NAN
    found = mix(given, 0, 1.0, np.random.default_rng(3))
    partnered = found.visual[1, 0, 0] != 1.0
    assert np.isnan(found.now[0, 0])
    assert np.isnan(found.now[1, 0]) == partnered


def test_empty_slots_are_never_mixed_in() -> None:
    given = batch()
    given.mask[::2, :3] = 0.0
    found = mix(given, 0, 1.0, np.random.default_rng(1))
    assert np.array_equal(found.mask, given.mask)
    lonely = (given.mask * given.mask.min(0)) == 0.0
    assert np.array_equal(found.visual[lonely & (given.mask == 0)], given.visual[lonely & (given.mask == 0)])


def test_no_mixup_leaves_the_batch() -> None:
    given = batch()
    assert mix(given, 0, 0.0, np.random.default_rng(0)) is given
