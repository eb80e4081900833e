"""Which seconds the eyes are shown, and what is said of them."""

import numpy as np
import pytest
import torch

from streamwatch.training.data import Entry
from streamwatch.training.drawing import AWAY, ODDS, Drawing, kind_of
from streamwatch.training.recipe import Recipe
from streamwatch.training.reel import PER_SECOND, Reel

SECONDS = 6
ONSET = 3.0


def entry(number: int, source: str, label: str) -> Entry:
    return Entry(f"{number}.mp4", source, label, f"g{number}", "train", SECONDS, "")


ENTRIES = [
    entry(0, "street", "fight"),
    entry(1, "street", "normal"),
    entry(2, "shop", "shoplifting"),
    entry(3, "shop", "normal"),
    entry(4, "home", "fall"),
    entry(5, "home", "normal"),
    entry(6, "park", "normal"),
    entry(7, "synthetic", "fall"),
    entry(8, "synthetic", "normal"),
]
FALLS = {name: [(ONSET, 6.0, "fall", "falls")] for name in ("4.mp4", "7.mp4")}


@pytest.fixture(scope="module")
def reel() -> Reel:
    count = np.full(len(ENTRIES), SECONDS * PER_SECOND)
    pictures = torch.arange(int(count.sum()) % 256, dtype=torch.uint8)[:, None, None, None].expand(-1, 2, 2, 3)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    return Reel(pictures, first, count, list(ENTRIES), FALLS)


def test_every_clip_has_its_kind() -> None:
    found = [kind_of(e, ENTRIES) for e in ENTRIES]
    assert found == [
        "fight", "near fight", "shoplifting", "near shoplifting", "fall", "near fall", AWAY,
        "rendered fall", "rendered",
    ]  # fmt: skip
    assert sum(ODDS.values()) == pytest.approx(1.0)


def test_kinds_come_as_often_as_the_table_says(reel: Reel) -> None:
    draw = Drawing(reel, range(len(ENTRIES)), Recipe())
    drawn = draw(3000, np.random.default_rng(0))
    file = drawn.pictures[:, 0] // (SECONDS * PER_SECOND)
    present = sum(ODDS[kind_of(e, ENTRIES)] for e in ENTRIES)
    for number in (0, 4, 6):
        assert (file == number).mean() == pytest.approx(ODDS[kind_of(ENTRIES[number], ENTRIES)] / present, abs=0.03)


def test_pictures_are_of_one_clip_and_in_order_of_time(reel: Reel) -> None:
    drawn = Drawing(reel, [0, 1, 6], Recipe())(400, np.random.default_rng(0))
    assert (drawn.pictures // (SECONDS * PER_SECOND) == drawn.pictures[:, :1] // (SECONDS * PER_SECOND)).all()
    assert (np.diff(drawn.pictures, axis=1) >= 0).all()
    assert np.ptp(drawn.pictures, axis=1)[np.ptp(drawn.pictures, axis=1) > 0].min() >= 0.75 * 14 - 1


def test_labels_are_of_that_second_and_backwards_nobody_falls(reel: Reel) -> None:
    drawn = Drawing(reel, [4], Recipe())(600, np.random.default_rng(0))
    fall = drawn.targets[:, 1]
    start = np.minimum(drawn.pictures[:, 0], drawn.pictures[:, -1]) % (SECONDS * PER_SECOND) / PER_SECOND
    backwards = drawn.pictures[:, -1] < drawn.pictures[:, 0]
    assert (fall == 1.0).mean() > 0.4
    assert (np.abs(start[fall == 1.0] - ONSET) < 1.0).all()
    assert 0.03 < backwards.mean() < 0.2
    assert not (fall[backwards] == 1.0).any() and (fall[backwards] == 0.0).any()
    assert (drawn.targets[:, 0] == 0.0).all()


def test_what_is_not_known_is_nan_and_other_places_weigh_little(reel: Reel) -> None:
    fights = Drawing(reel, [0], Recipe())(50, np.random.default_rng(0))
    moving = fights.pictures[:, -1] > fights.pictures[:, 0]
    assert (fights.targets[moving, 0] == 1.0).all() and np.isnan(fights.targets[:, 1]).all()
    assert fights.weights[0].tolist() == pytest.approx([1.0, 0.0, 0.1])


def test_stills_are_of_real_clips_in_which_nothing_happens(reel: Reel) -> None:
    draw = Drawing(reel, [0, 1, 6, 8], Recipe())
    assert (draw.stills() // (SECONDS * PER_SECOND)).tolist() == [1, 6]
