"""What a pack says of itself: the recipe's own where it speaks of these clips, what is counted elsewhere."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from streamwatch.training.card import digest, draft, limits, named, sources, write_card
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.data import Entry
from streamwatch.training.recipe import CardRecipe, Recipe, load_recipe
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import ClipEncoder, Dims, Joint

ENTRIES = [
    Entry("a.mp4", "street", "fight", "g0", "train", 2.0, "MIT"),
    Entry("b.mp4", "street", "normal", "g1", "val", 2.0, "MIT"),
    Entry("c.mp4", "door", "fall", "g2", "val", 2.0, "", ("fight",)),
]


def test_the_digest_is_of_which_clips_there_are_and_what_is_said_of_them() -> None:
    known = digest(ENTRIES)
    assert known == digest(ENTRIES[::-1])
    assert known == digest([replace(e, seconds=9.0, licence="") for e in ENTRIES])
    first, *rest = ENTRIES
    changes: list[Entry] = [
        replace(first, path="d.mp4"),
        replace(first, group="g9"),
        replace(first, split="test"),
        replace(first, label="normal"),
        replace(first, also=("fall",)),
        replace(first, annotates=frozenset({"fight"})),
    ]
    assert len({known, digest(rest), *(digest([changed, *rest]) for changed in changes)}) == 8


def test_a_recipe_names_its_pack(capsys: pytest.CaptureFixture[str]) -> None:
    card = CardRecipe(version="2.1", thresholds={"fall": (0.9, 0.4)})
    for said in (card, card.model_copy(update={"clips": digest(ENTRIES)})):
        recipe, found = named(Recipe(name="ward", card=said), ENTRIES)
        assert (recipe.name, found.version, found.thresholds) == ("ward", "2.1", {"fall": (0.9, 0.4)})
    recipe, found = named(Recipe(name="ward"), ENTRIES)
    assert (recipe.name, found) == ("ward", CardRecipe())
    assert named(None, ENTRIES) == (Recipe(), CardRecipe())
    assert not capsys.readouterr().err


def test_what_is_said_of_other_clips_is_not_said_of_these(capsys: pytest.CaptureFixture[str]) -> None:
    """Also of a checkpoint from before recipes had cards: the shipped recipe's is the bundled pack's."""
    for recipe in (load_recipe("videobert-small"), Recipe(name="videobert-small", about="eyes")):
        found, said = named(recipe, ENTRIES)
        assert (found.name, found.about, said) == ("own", recipe.about, CardRecipe())
        told = capsys.readouterr().err
        assert "videobert-small" in told and digest(ENTRIES) in told and "--recipe" in told


def test_an_older_checkpoint_of_a_shipped_recipe_has_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load_recipe("videobert-small")
    assert shipped.card is not None
    monkeypatch.setattr("streamwatch.training.card.digest", lambda _: shipped.card.clips)  # its clips are not here
    found, said = named(Recipe(name="videobert-small"), ENTRIES)
    assert (found.name, said) == ("videobert-small", shipped.card)


def test_the_draft_has_the_recipes_words_and_no_ones_thresholds() -> None:
    dims = Dims(dim=32, layers=1, heads=4, inner=32, ages=8, words=16)
    made = Checkpoint(ClipEncoder(dim=32), Joint(dims), Settings(size=96, window=4))
    said = CardRecipe(version="3", descriptions={"fall": "drops"}, thresholds={"fall": (0.9, 0.4)})
    found = draft(made, Recipe(name="ward", about="two rooms"), said, "fp16")
    assert [found[k] for k in ("name", "version", "about", "precision")] == ["ward", "3", "two rooms", "fp16"]
    assert [found[k] for k in ("size", "window", "dim", "grid")] == [96, 4, 32, 3]
    assert found["events"]["fall"] == {"scale": 1.0, "bias": 0.0, "on": 0.7, "off": 0.5, "description": "drops"}
    assert "room" not in found["events"]["shoplifting"]["description"]
    assert "about" not in draft(made, Recipe(), said, "int8")


def test_sources_are_counted_by_licence() -> None:
    assert sources(ENTRIES) == [
        {"source": "door", "clips": 1, "licence": ""},
        {"source": "street", "clips": 2, "licence": "MIT"},
    ]


def test_limits_are_the_recipes_or_what_the_figures_rest_on() -> None:
    assert limits(CardRecipe(limits=["at night"]), "val", ENTRIES) == ["at night"]
    (found,) = limits(CardRecipe(), "val", ENTRIES)
    assert found == "calibrated on 3 clips of split val: fight in 2, fall in 1, shoplifting in 0; 1 are normal"


def test_files_that_run_are_hashed_and_those_that_are_read_are_not(tmp_path: Path) -> None:
    for name in ("joint.onnx", "MODEL_CARD.md", "evaluation.json", "card.json"):
        (tmp_path / name).write_text(name)
    write_card(tmp_path, {"name": "ward"})
    found = json.loads((tmp_path / "card.json").read_text())
    assert found == {"name": "ward", "files": {"joint.onnx": hashlib.sha256(b"joint.onnx").hexdigest()}}
