"""Back-off: pure, so chance and time are given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.video.backoff import Backoff


def highest() -> float:
    return 1.0


def test_limits_double_up_to_the_ceiling() -> None:
    backoff = Backoff(highest)
    assert [backoff.delay(0.0) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(("lasted", "expected"), [(59.9, 8.0), (60.0, 0.5), (86_400.0, 0.5)])
def test_a_stable_run_begins_anew(lasted: float, expected: float) -> None:
    backoff = Backoff(highest)
    for _ in range(4):
        backoff.delay(0.0)
    assert backoff.delay(lasted) == expected


def test_after_a_reset_it_grows_again() -> None:
    backoff = Backoff(highest)
    for _ in range(4):
        backoff.delay(0.0)
    assert [backoff.delay(lasted) for lasted in (60.0, 0.0, 0.0)] == [0.5, 1, 2]


def test_jitter_is_full() -> None:
    shares = iter([0.0, 0.5, 0.25])
    backoff = Backoff(lambda: next(shares))
    assert [backoff.delay(0.0) for _ in range(3)] == [0.0, 0.5, 0.5]


@given(st.lists(st.tuples(st.floats(0, 0.999), st.floats(0, 1e5))))
def test_delays_never_leave_their_bounds(runs: list[tuple[float, float]]) -> None:
    drawn = 0.0
    backoff = Backoff(lambda: drawn)
    for share, lasted in runs:
        drawn = share
        assert 0 <= backoff.delay(lasted) < 30


def test_what_was_in_the_way_can_be_over() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.delay(0.0) for _ in range(3)] == [0.5, 1.0, 2.0]
    backoff.begin()
    assert backoff.delay(0.0) == 0.5
