"""What is hidden, and how much of it."""

import numpy as np
import pytest

from streamwatch.training.masking import hide_spans, hide_words


def test_a_span_is_contiguous_within_what_is_filled_and_leaves_something() -> None:
    mask = np.ones((200, 16), np.float32)
    mask[::2, :9] = 0.0
    hidden = hide_spans(mask, (0.25, 0.4), np.random.default_rng(0))
    assert not hidden[mask == 0].any()
    for row, filled in zip(hidden, mask.sum(1), strict=True):
        places = np.flatnonzero(row)
        assert (np.diff(places) == 1).all()
        assert 0.2 * filled <= len(places) <= 0.45 * filled
    assert len({int(np.flatnonzero(row)[0]) for row in hidden}) > 5, "anywhere"


@pytest.mark.parametrize(("filled", "expected"), [(0, 0), (1, 0), (2, 1)])
def test_a_lone_second_is_never_hidden(filled: int, expected: int) -> None:
    mask = np.zeros((1, 4), np.float32)
    mask[0, 4 - filled :] = 1.0
    assert hide_spans(mask, (0.25, 0.9), np.random.default_rng(0)).sum() == expected


def test_words_are_hidden_as_in_bert() -> None:
    ids = [[7] * 20 for _ in range(300)]
    given, wanted = hide_words(ids, 0.15, 103, 50, np.random.default_rng(0))
    asked = wanted >= 0
    assert (asked.sum(1) == 3).all()
    assert (wanted[asked] == 7).all()
    shown = np.array(given)
    assert (shown[~asked] == 7).all()
    assert (shown[asked] == 103).mean() == pytest.approx(0.8, abs=0.05)
    assert (shown[asked] == 7).mean() == pytest.approx(0.1, abs=0.05)


def test_short_captions_hide_one_word_and_long_ones_set_the_width() -> None:
    given, wanted = hide_words([[5], [6] * 4], 0.15, 103, 50, np.random.default_rng(1))
    assert wanted.shape == (2, 4)
    assert (wanted >= 0).sum(1).tolist() == [1, 1]
    assert [len(one) for one in given] == [1, 4]
