"""Rendered scenes as training data."""

from streamwatch.training.data import clips_of
from streamwatch.training.scenes import cast, entry_of, look, pictures_of, segments_of, stagings
from streamwatch.video.synthetic import PLOTS, Scene


def test_the_cast_plays_every_plot_but_the_mixed_one_and_no_seed_twice() -> None:
    scenes = list(cast(1))
    assert {scene.plot for scene in scenes} == set(PLOTS) - {"mixed"}
    assert len({scene.seed for scene in scenes}) == len(scenes)
    assert sum(scene.plot == "fall" for scene in scenes) > sum(scene.plot == "walk" for scene in scenes)


def test_a_scene_becomes_a_row_with_its_own_truth() -> None:
    scene = Scene("fall", seed=1, size=(96, 64), duration=12.0)
    entry = entry_of(scene, "train")
    assert (entry.source, entry.label, entry.group) == ("synthetic", "fall", "synthetic_1")
    ((start, end, label, caption),) = segments_of(scene)
    assert label == "fall"
    assert 0 <= start < end <= 12
    assert caption
    assert entry_of(Scene("walk", seed=1), "train").label == "normal"


def test_pictures_cut_into_clips() -> None:
    scene = Scene("walk", seed=2, size=(96, 64), duration=2.0)
    clips = list(clips_of(pictures_of(scene), 32, look(scene)))
    assert len(clips) == 2
    assert clips[0][2].shape == (8, 32, 32, 3)


def test_falls_are_cut_at_several_places() -> None:
    variants = stagings(Scene("fall", seed=3))
    assert len({variant.offset for variant in variants}) == len(variants) == 3
    assert len({variant.flip for variant in variants}) == 2
    assert len(stagings(Scene("sit", seed=3))) == 1
