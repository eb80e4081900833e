"""Words of motion on made-up motion whose patterns and sizes are known."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamwatch.errors import TrainingError
from streamwatch.training.codebook import MAGNITUDES, PATTERNS, Codebook, figures, fit_codebook, motion
from streamwatch.training.videobert import CELL_FEATURES, CHANGES, NEAR_FEATURES, QUIET, WIDTHS


def moved(count: int, kinds: int = 4, seed: int = 0) -> tuple[NDArray[np.float32], list[int]]:
    """Rows of one of ``kinds`` directions, of any size, and which."""
    rng = np.random.default_rng(seed)
    directions = np.abs(np.random.default_rng(99).normal(size=(kinds, sum(WIDTHS))))
    which = rng.integers(kinds, size=count)
    size = np.exp(rng.uniform(-3, 3, size=(count, 1)))
    noise = 0.02 * rng.normal(size=(count, sum(WIDTHS)))
    return np.asarray(size * (directions[which] + noise), np.float32), which.tolist()


@pytest.fixture(scope="module")
def book() -> Codebook:
    return fit_codebook(moved(600)[0])


def test_motion_is_the_step_of_each_channel() -> None:
    change = np.arange(CELL_FEATURES, dtype=np.float32)[None] / CELL_FEATURES
    found = motion(np.log(QUIET + change))[0]
    assert found.shape == (sum(WIDTHS),)
    np.testing.assert_allclose(found[0], change[0, NEAR_FEATURES], rtol=1e-5)
    np.testing.assert_allclose(found[WIDTHS[0]], change[0, NEAR_FEATURES + CHANGES * WIDTHS[0]], rtol=1e-5)
    assert motion(np.full((1, CELL_FEATURES), -9.0, np.float32)).min() == 0.0
    with pytest.raises(TrainingError, match="features"):
        motion(np.zeros((1, 7), np.float32))


def test_one_pattern_is_one_branch_whatever_its_size(book: Codebook) -> None:
    given, which = moved(200, seed=1)
    words = book(given)
    assert words[:, 0].min() >= 0 and words[:, 0].max() == MAGNITUDES - 1
    assert words[:, 1].max() < PATTERNS
    branches = words[:, 1] // 8
    for branch in np.unique(branches):
        assert len({which[i] for i in np.flatnonzero(branches == branch)}) == 1
    louder = book(given * 1000)
    here, centres = book.target(given), book.centres()
    before, after = (np.linalg.norm(here - centres[found[:, 1]], axis=1) for found in (words, louder))
    assert np.abs(after - before).max() < 1e-5, "another word only for what lies between two"
    assert (louder[:, 0] >= words[:, 0]).all()


def test_magnitudes_are_bins_of_equal_counts(book: Codebook) -> None:
    counts = np.bincount(book(moved(600)[0])[:, 0], minlength=MAGNITUDES)
    assert counts.min() > 0.8 * 600 / MAGNITUDES


def test_words_of_what_was_not_seen_leave_as_little_as_of_what_was(book: Codebook) -> None:
    train, held = moved(600)[0], moved(200, seed=5)[0]
    groups = [f"g{i % 7}" for i in range(600)]
    found = figures(book, train, held, groups, [np.arange(0, 300), np.arange(300, 600)])
    assert max(found["residual_train"], found["residual_held_out"]) < 0.2
    assert found["one_group"] < 0.2
    assert found["words"] > 20 and found["tokens_per_word_median"] >= 1


def test_words_that_are_names_of_places_are_found_out(book: Codebook) -> None:
    """Each group has a pattern of its own, and nothing ever changes in it."""
    train, which = moved(600)
    order = np.argsort(which, kind="stable")
    sure = train[order]
    streams = [np.flatnonzero(np.sort(which) == kind) for kind in range(4)]
    found = figures(book, sure, sure, [f"g{which[i]}" for i in order], streams)
    assert found["one_group"] > 0.95
    mixed = figures(book, train, train, [f"g{i % 7}" for i in range(600)], [np.arange(600)])
    assert found["next_is_previous"] > mixed["next_is_previous"]


def test_a_book_on_disk_is_the_same(book: Codebook, tmp_path: Path) -> None:
    book.save(tmp_path / "a" / "codebook.npz")
    given = moved(50)[0]
    assert np.array_equal(Codebook.load(tmp_path / "a" / "codebook.npz")(given), book(given))


def test_too_little_is_refused() -> None:
    with pytest.raises(TrainingError, match="too few"):
        fit_codebook(moved(100)[0])
