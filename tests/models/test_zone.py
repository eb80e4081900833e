"""Cells of the grid that a polygon covers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.models.zone import zone_cells

WHOLE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]


def test_the_whole_picture_is_every_cell() -> None:
    assert zone_cells(WHOLE, 5) == pytest.approx(np.ones((5, 5)))


def test_rows_run_down_and_columns_right() -> None:
    upper_right = [(0.5, 0.0), (1.0, 0.0), (1.0, 0.5), (0.5, 0.5)]
    assert zone_cells(upper_right, 2).tolist() == [[0, 1], [0, 0]]


def test_shares_follow_the_area() -> None:
    triangle = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
    assert zone_cells(triangle, 10).mean() == pytest.approx(0.5, abs=0.02)
    assert zone_cells(triangle, 10)[0, 0] == 1
    assert zone_cells(triangle, 10)[9, 9] == 0


def test_a_sliver_still_has_cells() -> None:
    sliver = [(0.2, 0.501), (0.8, 0.501), (0.5, 0.502)]
    assert zone_cells(sliver, 4).any()


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=8), st.integers(1, 10))
def test_any_polygon_has_shares(polygon: list[tuple[float, float]], grid: int) -> None:
    cells = zone_cells(polygon, grid)
    assert cells.shape == (grid, grid)
    assert cells.any()
    assert ((cells >= 0) & (cells <= 1)).all()
