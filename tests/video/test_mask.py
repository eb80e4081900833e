"""Privacy masks."""

import numpy as np
import pytest

from streamwatch.video.mask import PrivacyMask

WHITE = np.full((10, 10, 3), 255, np.uint8)
WHITE.setflags(write=False)

Outline = list[tuple[float, float]]


@pytest.mark.parametrize(
    ("name", "polygon", "rows", "columns"),
    [
        ("left half", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)], (0, 10), (0, 5)),
        ("all", [(0, 0), (1, 0), (1, 1), (0, 1)], (0, 10), (0, 10)),
        ("a box", [(0.2, 0.3), (0.6, 0.3), (0.6, 0.9), (0.2, 0.9)], (3, 9), (2, 6)),
    ],
)
def test_a_polygon_is_black_and_the_rest_is_not(
    name: str, polygon: Outline, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    blanked = PrivacyMask([polygon], 10).apply(WHITE)
    inside = blanked[slice(*rows), slice(*columns)]
    assert not inside.any(), name
    spared = 3 * 255 * (100 - inside.shape[0] * inside.shape[1])
    assert int(blanked.sum()) >= spared - 3 * 255 * 2 * (10 + 10), name  # its border may take a pixel more


def test_a_border_that_cuts_a_pixel_takes_the_pixel() -> None:
    blanked = PrivacyMask([[(0.0, 0.0), (0.46, 0.0), (0.46, 1.0), (0.0, 1.0)]], 10).apply(WHITE)
    assert not blanked[:, 4].any()
    assert blanked[:, 6].all()


def test_several_polygons_are_all_black() -> None:
    corners: list[Outline] = [[(0, 0), (0.2, 0), (0, 0.2)], [(1, 1), (0.8, 1), (1, 0.8)]]
    blanked = PrivacyMask(corners, 10).apply(WHITE)
    assert not blanked[0, 0].any()
    assert not blanked[9, 9].any()
    assert blanked[5, 5].all()


def test_without_a_mask_the_picture_is_the_same_object() -> None:
    assert PrivacyMask([], 10).apply(WHITE) is WHITE


def test_the_picture_itself_is_not_changed() -> None:
    image = WHITE.copy()
    PrivacyMask([[(0, 0), (1, 0), (1, 1)]], 10).apply(image)
    assert image.all()


@pytest.mark.parametrize("size", [1, 7, 160, 224])
def test_a_sliver_never_vanishes(size: int) -> None:
    blanked = PrivacyMask([[(0.5, 0.5), (0.5, 0.500001), (0.500001, 0.5)]], size).apply(
        np.full((size, size, 3), 9, np.uint8)
    )
    assert not blanked.all()
