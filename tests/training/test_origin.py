"""Eyes are taken for what they were asked for, or refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.data import Entry
from streamwatch.training.lite0 import Lite0
from streamwatch.training.manifest import Manifest
from streamwatch.training.origin import Origin, refuse_other_eyes
from streamwatch.training.recipe import Disturb, EncoderRecipe, FeatureRecipe, LabelRecipe, Recipe, ShiftRecipe
from streamwatch.training.settings import Settings
from streamwatch.training.sight import Sight, Tuned
from streamwatch.training.videobert import CELL_FEATURES, NEAR_FEATURES, ClipEncoder, Dims, Joint

ENTRIES = [
    Entry(f"{i}.mp4", "street", "normal", f"g{i}", split, 2.0, "") for i, split in enumerate(("train", "train", "val"))
]
MANIFEST = Manifest(Path("m.csv"), ENTRIES, {})
RECIPE = Recipe(encoder=EncoderRecipe(steps=3), train=Settings(size=96))
FILE = Path("work/encoder.pt")


def changed(**sections: Any) -> Recipe:
    return RECIPE.model_copy(update=sections)


def test_the_same_is_accepted_and_so_is_what_comes_after_the_eyes(capsys: pytest.CaptureFixture[str]) -> None:
    kept = Origin.of(MANIFEST, RECIPE).state()
    later = [
        RECIPE,
        changed(name="other", labels=LabelRecipe(unsaid={})),
        changed(train=Settings(size=96, steps=9, rate=1e-4)),
        changed(encoder=EncoderRecipe(steps=3, heads=["fall"])),
    ]
    for recipe in later:
        Origin.of(MANIFEST, recipe).accept(FILE, kept)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (changed(encoder=EncoderRecipe(steps=4)), "encoder.steps: 3, now 4"),
        (changed(encoder=EncoderRecipe(steps=0)), "encoder.steps: 3, now 0"),
        (changed(encoder=EncoderRecipe(steps=3, disturb=Disturb(small=0.5))), "encoder.disturb.small: 0.25, now 0.5"),
        (changed(train=Settings(size=192)), "train.size: 96, now 192"),
        (changed(train=Settings(size=96, seed=2)), "seed: 0, now 2"),
    ],
)
def test_another_recipe_is_refused_by_key_and_value(recipe: Recipe, said: str) -> None:
    with pytest.raises(TrainingError) as caught:
        Origin.of(MANIFEST, recipe).accept(FILE, Origin.of(MANIFEST, RECIPE).state())
    assert str(FILE) in str(caught.value) and said in str(caught.value) and "--work" in str(caught.value)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([ENTRIES[0], replace(ENTRIES[1], split="val"), ENTRIES[2]], "1.mp4 (group g1) was tuned on"),
        ([*ENTRIES[:2], replace(ENTRIES[2], split="train")], "2.mp4 (group g2) is in train now"),
        ([replace(ENTRIES[0], group="g7"), *ENTRIES[1:]], "0.mp4 (group g0) was tuned on"),
    ],
)
def test_other_clips_are_refused_by_name(entries: list[Entry], said: str) -> None:
    with pytest.raises(TrainingError) as caught:
        Origin.of(replace(MANIFEST, entries=entries), RECIPE).accept(FILE, Origin.of(MANIFEST, RECIPE).state())
    assert said in str(caught.value)


def test_a_shift_is_missed_where_the_recipe_has_none_any_more() -> None:
    shifting = changed(encoder=EncoderRecipe(steps=3, shift=ShiftRecipe(blocks=[9, 10])))
    with pytest.raises(TrainingError, match=r"encoder\.shift\.blocks: \[9, 10\], now None"):
        Origin.of(MANIFEST, RECIPE).accept(FILE, Origin.of(MANIFEST, shifting).state())
    with pytest.raises(TrainingError, match=r"encoder\.shift\.blocks: None, now \[9, 10\]"):
        Origin.of(MANIFEST, shifting).accept(FILE, Origin.of(MANIFEST, RECIPE).state())


def test_of_many_differences_the_first_are_told_and_the_rest_counted() -> None:
    with pytest.raises(TrainingError, match=r"1\.mp4.*; and 3 more\."):
        Origin.of(replace(MANIFEST, entries=[]), changed(train=Settings(size=192, seed=1))).accept(
            FILE, Origin((o := Origin.of(MANIFEST, RECIPE)).how, o.size, 0, (*o.clips, ("8", "x"), ("9", "y"))).state()
        )


def test_clips_outside_train_may_come_and_go() -> None:
    more = [*ENTRIES[:2], Entry("9.mp4", "door", "fight", "g9", "test", 2.0, "")]
    Origin.of(replace(MANIFEST, entries=more), RECIPE).accept(FILE, Origin.of(MANIFEST, RECIPE).state())


def test_a_fold_is_of_all_but_its_groups() -> None:
    fold = Origin.of(MANIFEST, RECIPE, {"g1"})
    assert fold.clips == (("0.mp4", "g0"),)
    with pytest.raises(TrainingError, match=r"1\.mp4"):
        fold.accept(FILE, Origin.of(MANIFEST, RECIPE).state())


def test_other_seeds_may_be_tried_behind_the_same_eyes_and_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    kept = Origin.of(MANIFEST, RECIPE).state()
    Origin.of(MANIFEST, changed(train=Settings(size=96, seed=2))).accept(FILE, kept, any_seed=True)
    assert "another seed: 0, now 2" in capsys.readouterr().err


def test_a_key_that_came_later_meant_its_default() -> None:
    kept = Origin.of(MANIFEST, RECIPE).state()
    kept["how"] = {key: value for key, value in kept["how"].items() if key not in ("blend", "gone")} | {"gone": 1}
    Origin.of(MANIFEST, RECIPE).accept(FILE, kept)
    with pytest.raises(TrainingError, match=r"encoder\.blend: False, now True"):
        Origin.of(MANIFEST, changed(encoder=EncoderRecipe(steps=3, blend=True))).accept(FILE, kept)


def test_a_file_from_before_is_taken_with_one_warning(capsys: pytest.CaptureFixture[str]) -> None:
    Origin.of(MANIFEST, RECIPE).accept(FILE, None)
    told = capsys.readouterr().err
    assert str(FILE) in told and "unchecked" in told and len(told.splitlines()) == 1


def eyes(seed: int) -> tuple[Tuned, Checkpoint]:
    torch.manual_seed(seed)
    lite0 = Lite0()
    sight = Sight(lite0, torch.zeros(NEAR_FEATURES), torch.zeros(3, CELL_FEATURES), torch.zeros(3))
    joint = Joint(Dims(dim=32, layers=1, heads=4, inner=32, ages=8, words=16))
    return Tuned(sight), Checkpoint(ClipEncoder(32, lite0), joint, Settings(size=96), RECIPE)


def test_pretraining_by_other_eyes_is_refused() -> None:
    (tuned, start), (other, _) = eyes(0), eyes(1)
    refuse_other_eyes(start, tuned, RECIPE, "pretrained.pt")
    refuse_other_eyes(replace(start, recipe=None), tuned, RECIPE, "pretrained.pt")
    with pytest.raises(TrainingError, match=r"pretrained\.pt: has other eyes"):
        refuse_other_eyes(start, other, RECIPE, "pretrained.pt")
    foreign = changed(features=FeatureRecipe(backbone="some/vit"))
    with pytest.raises(TrainingError, match="saw through Lite0, this recipe through some/vit"):
        refuse_other_eyes(start, None, foreign, "pretrained.pt")
    refuse_other_eyes(replace(start, recipe=foreign), None, foreign, "pretrained.pt")
