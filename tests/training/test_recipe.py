"""Recipes: what ships is valid, what is wrong is named."""

from pathlib import Path

import pytest

from streamwatch.errors import ConfigError
from streamwatch.models.pack import load_pack
from streamwatch.training.card import DESCRIPTIONS
from streamwatch.training.recipe import Recipe, load_recipe, recipe_names
from streamwatch.training.settings import Settings


@pytest.mark.parametrize("name", recipe_names())
def test_what_ships_is_valid_and_named_after_its_file(name: str) -> None:
    found = load_recipe(name)
    assert found.name == name
    assert found.about


def test_the_bundled_packs_recipe_trains_as_the_defaults_do() -> None:
    found = load_recipe("videobert-small")
    own = {"size", "window", "steps"}  # of the pack
    assert found.train.model_dump(exclude=own) == Settings().model_dump(exclude=own)
    assert found.features.of_source == {"mnnit_shoplifting": 4}


def test_the_shipped_card_is_the_bundled_packs() -> None:
    said, shipped = load_recipe("videobert-small").card, load_pack("bundled").card
    assert said is not None and said.clips
    assert said.version == shipped.version
    assert said.thresholds == {event: (card.on, card.off) for event, card in shipped.events.items()}
    described = {event: card.description for event, card in shipped.events.items()}
    assert DESCRIPTIONS | {str(event): text for event, text in said.descriptions.items()} == described
    assert said.limits == (shipped.model_extra or {})["limits"]


def test_a_file_may_leave_everything_out(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("# nothing yet\n")
    assert load_recipe(str(tmp_path / "mine.yml")) == Recipe()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {stepz: 3}", "train.stepz: unknown key; did you mean 'steps'?"),
        ("train: {rate: fast}", "train.rate"),
        ("features: {augment: {speed: [2, 1]}}", "features.augment.speed: must be [lowest, highest]"),
        ("train: {patience: 3}", "held"),
        ("name: Über", "name"),
        ("card: {version: one two}", "card.version"),
        ("card: {thresholds: {fight: [0.5, 0.7]}}", "card.thresholds: fight: must be [on, off] with off below on"),
        ("card: {thresholds: {figth: [0.7, 0.5]}}", "card.thresholds.figth"),
        ("features: {variants: 0}\nlabel: {}", "label: unknown key; did you mean 'labels'?"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_recipe(str(path))
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_the_nearest_shipped_recipe_is_suggested() -> None:
    with pytest.raises(ConfigError, match="did you mean 'videobert-small'"):
        load_recipe("videobert-smal")


def test_the_pruned_packs_recipe_differs_from_what_it_prunes_in_pruning_alone() -> None:
    one, two = load_recipe("videobert-small"), load_recipe("videobert-small-pruned")
    assert (two.prune.share, two.prune.steps, two.prune.batch) == (0.3, 120, 8)
    own = {"name", "about", "prune"}
    assert two.model_dump(exclude=own) == one.model_dump(exclude=own)


def test_a_recipe_is_laid_over_the_one_that_it_extends(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "base.yml").write_text(
        "name: base\nmemory: {fight: 4, fall: 5}\ntrain: {steps: 9, rate: 0.1}\nencoder: {heads: [fight, fall]}\n"
    )
    (tmp_path / "sub" / "mine.yml").write_text(
        "extends: base.yml\nname: mine\nmemory: {fall: 6}\ntrain: {steps: 7}\nencoder: {heads: [fall]}\n"
    )
    (tmp_path / "top.yml").write_text("extends: sub/mine.yml\nname: top\n")
    found = load_recipe(str(tmp_path / "top.yml"))
    assert (found.name, found.memory) == ("top", {"fight": 4, "fall": 6})
    assert (found.train.steps, found.train.rate, found.encoder.heads) == (7, 0.1, ["fall"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: videobert-smal", "did you mean 'videobert-small'"),
        ("extends: mine.yml", "extends itself"),
        ("extends: [a, b]", "must be the name of one recipe"),
        ("extends: videobert-small\ntrain: {stepz: 1}", "train.stepz: unknown key"),
        ("extends: videobert-small\ntrain: 3", "train"),
    ],
)
def test_what_cannot_be_extended_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.yml|recipe 'videobert-smal'") as caught:
        load_recipe(str(tmp_path / "mine.yml"))
    assert message in str(caught.value)
