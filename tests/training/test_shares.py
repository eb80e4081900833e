"""How much clips count."""

import pytest

from streamwatch.training.data import Entry
from streamwatch.training.recipe import Recipe, ShareRecipe
from streamwatch.training.shares import share_table


def test_home_counts_whole_away_little_and_falls_not_among_fights() -> None:
    entries = [
        Entry("a", "street", "fight", "g", "train", 1.0, ""),
        Entry("b", "home", "fall", "g", "train", 1.0, ""),
        Entry("c", "many", "normal", "g", "train", 1.0, ""),
    ]
    recipe = Recipe(shares=ShareRecipe(away=0.2, sources={"many": {"away": 0.5}, "home": {"fall": 3.0}}))
    found = share_table(entries, recipe)
    assert found[0].tolist() == pytest.approx([1.0, 0.0, 0.2])
    assert found[1].tolist() == pytest.approx([0.2, 3.0, 0.2])
    assert found[2].tolist() == pytest.approx([0.1, 0.1, 0.1])
