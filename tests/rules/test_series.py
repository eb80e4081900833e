"""Values in promtool's signs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.rules.series import MAX_VALUES, parse_series


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.5", (0.5,)),
        ("0.05 0.9\n 1", (0.05, 0.9, 1)),
        ("0.9x3", (0.9, 0.9, 0.9, 0.9)),  # that many further ones, as in promtool
        ("0.9x0", (0.9,)),
        ("0.1+0.2x3", (0.1, 0.3, 0.5, 0.7)),
        ("0.9-0.4x2", (0.9, 0.5, 0.1)),
        ("_", (None,)),
        ("0.1 _x2 0.2", (0.1, None, None, 0.2)),
    ],
)
def test_reads(text: str, values: tuple[float | None, ...]) -> None:
    assert parse_series(text) == values


@pytest.mark.parametrize(
    "text", ["", "  ", "x3", "0.1+0.2", "-0.5", "0.1x", "0.1 x3", "1e3", "nan", "0.1+0.2x3x4", "_x0"]
)
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="value"):
        parse_series(text)


def test_is_bounded() -> None:
    with pytest.raises(ValueError, match=f"more than {MAX_VALUES} values"):
        parse_series("0.1x60000 _x60000")


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_reads_what_is_written_out(hundredths: list[int]) -> None:
    assert parse_series(" ".join(f"{h / 100:.2f}" for h in hundredths)) == tuple(h / 100 for h in hundredths)
