"""PtsClock: tables of (pts, arrival) → times, and what must hold for any stream."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.video.clock import PtsClock, Stamp, SteadyClock

WALL = 1_700_000_000.0


def run(steps: list[tuple[float | None, float]], wall: float = WALL) -> list[Stamp]:
    """Stamp (pts, arrival) pairs; the wall clock runs with the monotonic one, from ``wall`` at 0."""
    clock = PtsClock()
    return [clock.stamp(pts, arrival, wall + arrival) for pts, arrival in steps]


def steady(count: int, pts: float, arrival: float, step: float = 0.04) -> list[tuple[float | None, float]]:
    return [(pts + k * step, arrival + k * step) for k in range(count)]


def test_the_first_arrival_is_the_anchor() -> None:
    stamps = run([(90.0, 10.0), (90.04, 10.04), (90.08, 10.08)])
    assert [s.at for s in stamps] == pytest.approx([WALL + 10, WALL + 10.04, WALL + 10.08])
    assert [s.pts for s in stamps] == [90.0, 90.04, 90.08]
    assert [s.gap for s in stamps] == [None] * 3


def test_network_jitter_does_not_reach_the_times() -> None:
    late = [0.0, 0.3, 0.05, 0.9, 0.2, 0.0]
    stamps = run([(k * 0.04, 10 + k * 0.04 + delay) for k, delay in enumerate(late)])
    assert [s.at - WALL for s in stamps] == pytest.approx([10 + k * 0.04 for k in range(6)], abs=1e-4)
    assert [s.late for s in stamps] == pytest.approx(late, abs=1e-4)


def test_a_first_picture_that_waited_for_the_decoder_is_corrected_within_a_second() -> None:
    # three pictures come together, 0.3 s after the first was taken: then one each 0.1 s
    pairs: list[tuple[float | None, float]] = [(0.0, 10.3), (0.1, 10.3), (0.2, 10.3)]
    stamps = run(pairs + steady(10, 0.3, 10.3, 0.1))
    assert [s.gap for s in stamps] == [None] * 13
    assert stamps[-1].at == pytest.approx(WALL + 10 + 1.2)
    assert all(b.at > a.at for a, b in pairwise(stamps))


@pytest.mark.parametrize(
    ("name", "after", "gap"),
    [
        ("a camera that restarts its clock", (0.0, 20.04), "backwards"),
        ("a pts a second back", (99.0, 20.04), "backwards"),
        ("a pts that jitters back", (99.96, 20.04), None),
        ("a pts an hour ahead", (3700.0, 20.04), "jump"),
        ("a pts four seconds ahead", (104.0, 20.04), "jump"),
        ("a pts two seconds ahead: silence to the window", (102.0, 20.04), None),
        ("lost frames: pts and arrival go on alike", (105.0, 25.0), None),
        ("a network that stalls", (100.04, 24.0), None),
        ("a clock that stands still", (100.04, 31.0), "drift"),
    ],
)
def test_breaks_in_time(name: str, after: tuple[float, float], gap: str | None) -> None:
    pts, arrival = after
    stamps = run([(99.96, 19.96), (100.0, 20.0), (pts, arrival)])
    assert stamps[-1].gap == gap, name
    assert stamps[-1].at >= stamps[-2].at
    if gap is not None:
        assert (stamps[-1].pts, stamps[-1].at) == (pts, WALL + arrival)


def test_a_picture_after_lost_ones_is_not_dated_ahead() -> None:
    stamps = run([*steady(3, 100.0, 20.0), *steady(3, 102.0, 20.12)])
    assert [s.at - WALL for s in stamps[3:]] == pytest.approx([20.12, 20.16, 20.2])


def test_after_a_gap_time_goes_on_from_the_new_anchor() -> None:
    stamps = run([*steady(3, 100.0, 20.0), *steady(3, 5.0, 20.12)])
    assert [s.gap for s in stamps] == [None, None, None, "backwards", None, None]
    assert stamps[-1].at == pytest.approx(WALL + 20.2)


def test_unknown_first_pts_do_not_break_the_stream() -> None:
    stamps = run([(None, 10.0), (None, 10.04), *steady(3, 700.0, 10.08)])
    assert [s.gap for s in stamps] == [None] * 5
    assert [s.pts for s in stamps] == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16])
    assert stamps[-1].at == pytest.approx(WALL + 10.16)


def test_a_stream_without_pts_has_its_arrivals() -> None:
    stamps = run([(None, 10.0), (None, 10.5), (None, 12.0)])
    assert [s.at - WALL for s in stamps] == pytest.approx([10.0, 10.5, 12.0])
    assert [s.gap for s in stamps] == [None] * 3


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86_400.0, -86_400.0])
def test_setting_the_wall_clock_is_no_gap_and_bends_no_time(step: float) -> None:
    clock = PtsClock()
    stamps = []
    for k in range(500):
        t = k * 0.04
        stamps.append(clock.stamp(t, 10 + t, WALL + t + (step if k > 250 else 0)))
    assert {s.gap for s in stamps} == {None}
    assert [s.at - WALL for s in stamps] == pytest.approx([k * 0.04 for k in range(500)])


@pytest.mark.parametrize("drift", [100e-6, -100e-6])
def test_a_cameras_crystal_never_leads_it_astray(drift: float) -> None:
    clock = PtsClock()
    worst = 0.0
    for k in range(2 * 86_400):  # two days, a picture a second
        arrival = float(k)
        stamp = clock.stamp(arrival * (1 + drift), arrival, WALL + arrival)
        assert stamp.gap is None
        worst = max(worst, abs(stamp.at - WALL - arrival))
    assert worst < 0.01


def test_a_steady_clock_is_the_wall_at_its_birth_and_monotonic_since() -> None:
    clock = SteadyClock(WALL, 500.0)
    assert clock.at(500.0) == WALL
    assert clock.at(560.0) == WALL + 60


numbers = st.floats(-1e5, 1e5, allow_nan=False)


@given(st.lists(st.tuples(st.one_of(st.none(), numbers), st.floats(0, 20), st.floats(-1e6, 1e6)), max_size=60))
def test_any_stream_gives_times_that_never_run_back(steps: list[tuple[float | None, float, float]]) -> None:
    clock = PtsClock()
    arrival, last = 0.0, None
    for pts, wait, shift in steps:
        arrival += wait
        stamp = clock.stamp(pts, arrival, WALL + arrival + shift)
        assert stamp.late >= 0
        if last is not None:
            assert stamp.at >= last.at
            assert stamp.gap is not None or stamp.pts >= last.pts
        last = stamp


@given(st.lists(st.floats(0.01, 0.9), min_size=1, max_size=60), st.lists(st.floats(0, 2), min_size=60, max_size=60))
def test_a_sane_stream_behind_any_network_has_no_gap_and_the_right_time(
    steps: list[float], delays: list[float]
) -> None:
    clock = PtsClock()
    clock.stamp(0.0, 10.0, WALL)
    pts, arrival = 0.0, 10.0
    for step, delay in zip(steps, delays, strict=False):
        pts += step
        arrival = max(arrival, 10 + pts + delay)  # TCP: late, never out of order
        stamp = clock.stamp(pts, arrival, WALL)
        assert stamp.gap is None
        assert stamp.at - WALL == pytest.approx(pts, abs=0.02)
