"""Durations as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.rules.duration import MAX_DURATION, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("20s", 20.0), ("0.5s", 0.5), ("1m30s", 90.0), ("1h", 3600.0), ("250ms", 0.25), ("2d", 172800.0),
        ("1h0m1s", 3601.0), (3, 3.0), (0.25, 0.25), (0, 0.0), ("0s", 0.0),
    ],
)  # fmt: skip
def test_reads(written: object, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    ["", "s", "20", "20 s", "20sec", "1s1m", "1s1s", "-1s", "1e3s", ".5s", "1m 30s", "1.s", None, True, [], {}, "٣s",
     -1, float("nan"), float("inf"), "31d", MAX_DURATION + 1, "9" * 400 + "s"],
)  # fmt: skip
def test_refuses(written: object) -> None:
    with pytest.raises(ValueError, match=r"duration|between"):
        parse_duration(written)


@settings(deadline=None)
@given(st.text(max_size=12) | st.from_regex(r"[0-9.]{0,4}(ms|s|m|h|d){0,2}", fullmatch=True))
def test_gives_a_sane_number_or_refuses(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds <= MAX_DURATION


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_adds_its_parts(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds
