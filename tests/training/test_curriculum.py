"""Pre-training from end to end on made-up features, and the figures it gives."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streamwatch.errors import ConfigError, TrainingError
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.codebook import PATTERNS
from streamwatch.training.curriculum import (
    codebook,
    guesses,
    load_pretraining,
    match,
    memory_of_text,
    pretrain,
    stages,
)
from streamwatch.training.manifest import Manifest
from streamwatch.training.minilm import MiniLM
from streamwatch.training.recipe import FeatureRecipe, PretrainRecipe, Recipe
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import ClipEncoder
from tests.training.test_narrated import dataset
from tests.training.test_pretrain import Numbered, clips, model

HOW = PretrainRecipe(align_steps=2, hidden_steps=4, batch=6, window=8)
RECIPE = Recipe(pretrain=HOW, train=Settings(epoch=2, half=False, ema=0.5))


def test_the_codebook_is_fitted_on_train_and_measured_on_val() -> None:
    given = dataset()
    entries = [e.__class__(e.path, e.source, e.label, e.group, "val" if e.group == "g2" else "train", 9.0, "")
               for e in given.entries]  # fmt: skip
    book, found = codebook(given.__class__(given.features, entries, given.segments))
    assert book.centres().shape == (PATTERNS, 32)
    assert found["residual_train"] < found["residual_held_out"]  # noise has no patterns
    assert {"one_group", "next_is_previous", "tokens_per_word_median"} <= set(found)


def test_both_stages_train_and_the_same_again_changes_nothing(tmp_path: Path) -> None:
    made, given = model(), clips()
    before = {name: x.clone() for name, x in made.state_dict().items()}
    stages(made, given, RECIPE, Numbered(), tmp_path)
    after = {name: x.clone() for name, x in made.state_dict().items()}
    for name in ("joint.align_head.weight", "pattern.weight", "towards.weight", "speak.weight", "blank"):
        assert not torch.equal(before[name], after[name]), name
    again = model()
    stages(again, given, RECIPE, Numbered(), tmp_path)
    assert all(torch.equal(after[name], x) for name, x in again.state_dict().items()), "finished stages are kept"


def test_guesses_stand_beside_what_costs_nothing() -> None:
    """Each file has one word, so copying a neighbour of the same file is nearly always right."""
    found = guesses(model(), clips(), clips(), HOW, rounds=3)
    assert found["pattern_copied"] > 0.8
    assert found["pattern_commonest"] == pytest.approx(0.5, abs=0.3)
    assert found["pattern_top1"] <= found["pattern_top5"] <= 1
    assert guesses(model(), clips(), clips(), HOW, rounds=3) == found, "the same windows each time"


def test_matching_labels_is_counted_beside_the_commonest() -> None:
    found = match(model(), clips(), Numbered(), HOW)
    assert found["label_commonest"] == 0.5
    assert 0 <= found["label_matched_mean"] <= 1


def test_what_is_remembered_of_text() -> None:
    made = model()
    told = ["two men fight", "a man walks", "someone falls", "birds sing", "rain"]
    assert memory_of_text(made, told, Numbered()) == pytest.approx(1.0)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in made.joint.parameters():
            parameter.add_(torch.randn_like(parameter))
    assert memory_of_text(made, told, Numbered()) < 0.99
    assert np.isnan(memory_of_text(made, told[:2], Numbered()))


def test_what_was_kept_can_be_asked_for_hidden_seconds_and_words_again(tmp_path: Path) -> None:
    made, given = model(), clips()
    stages(made, given, RECIPE, Numbered())
    made.eval()
    path = tmp_path / "pretrained.pt"
    Checkpoint(ClipEncoder(16), made.joint, RECIPE.train, guessing=made.guessing()).save(path)
    words = MiniLM({"embeddings.word_embeddings.weight": made.get_buffer("words")}, "")
    again = load_pretraining(path, words)
    assert guesses(again, given, given, HOW, rounds=3) == guesses(made, given, given, HOW, rounds=3)
    text = made.text(Numbered()(["two men fight"]))
    with torch.no_grad():
        said, expected = (one.say(one.read(text)[1]) for one in (again, made))
    assert said.shape == (1, 3, 120)
    torch.testing.assert_close(said, expected, rtol=0, atol=0)
    assert not torch.equal(expected, model().eval().say(made.read(text)[1])), "it had learnt something"


def test_a_checkpoint_without_heads_for_words_is_refused(tmp_path: Path) -> None:
    made = model()
    path = tmp_path / "finetuned.pt"
    words = MiniLM({"embeddings.word_embeddings.weight": made.get_buffer("words")}, "")
    Checkpoint(ClipEncoder(16), made.joint, RECIPE.train).save(path)
    with pytest.raises(TrainingError, match=r"finetuned\.pt: holds no heads for words"):
        load_pretraining(path, words)
    Checkpoint(ClipEncoder(16), made.joint, RECIPE.train, guessing={"blank": torch.zeros(3)}).save(path)
    with pytest.raises(TrainingError, match="other heads for words"):
        load_pretraining(path, words)


def test_foreign_eyes_are_refused_before_anything_is_seen(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"name": "mine", "features": FeatureRecipe(backbone="google/vit")})
    nothing = Manifest(tmp_path / "none.csv", [], {})
    with pytest.raises(ConfigError, match=r"recipe mine: features\.backbone: 'google/vit' .* leave it out for"):
        pretrain(nothing, tmp_path / "work", recipe)
    assert not (tmp_path / "work").exists()
