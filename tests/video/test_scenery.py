"""What of a scene a picture still shows: light may change, the view may not."""

import cv2
import numpy as np
import pytest

from streamwatch.video.frame import Image
from streamwatch.video.scenery import BLOCKS, FEW, SIZE, Likeness, Scenery
from tests.video.scenes import grey, scene, view

RNG = np.random.default_rng(7)


def learnt(room: Image, hidden: Image | None = None, looks: int = 40) -> Scenery:
    subject = Scenery(None if hidden is None else hidden > 0)
    for _ in range(looks):
        subject.learn(subject.look(grey(view(room, RNG))))
    return subject


def compared(subject: Scenery, picture: Image) -> Likeness:
    likeness = subject.compare(subject.look(picture))
    assert likeness is not None
    return likeness


@pytest.mark.parametrize("seed", range(4))
def test_the_same_view_matches(seed: int) -> None:
    room = scene(seed)
    likeness = compared(learnt(room), grey(view(room, RNG)))
    assert likeness.match > 0.95
    assert likeness.lost == 0
    assert likeness.contrast == pytest.approx(1, abs=0.1)
    assert likeness.detail == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("turn", [(16, 0), (0, 16), (-16, 16), (35, 20)])
def test_a_turned_view_does_not(seed: int, turn: tuple[int, int]) -> None:
    room = scene(seed)
    likeness = compared(learnt(room), grey(view(room, RNG, turn)))
    assert likeness.match < 0.3
    assert likeness.contrast > 0.5


def test_less_light_or_more_does_not_change_the_match() -> None:
    room = scene(1)
    subject = learnt(room)
    for gain in (0.4, 0.7, 1.2):
        picture = np.clip(grey(view(room, RNG)) * gain, 0, 255).astype(np.uint8)
        likeness = compared(subject, picture)
        assert likeness.match > 0.9, gain
        assert likeness.detail is not None
        assert likeness.detail > 0.8, gain


def test_light_from_one_side_does_not_change_the_match() -> None:
    room = scene(2)
    subject = learnt(room)
    lamp = np.linspace(0.3, 1.2, SIZE)[None]
    assert compared(subject, np.clip(grey(view(room, RNG)) * lamp, 0, 255).astype(np.uint8)).match > 0.9


@pytest.mark.parametrize(("sigma", "limit"), [(1.0, 0.75), (2.0, 0.5), (4.0, 0.4)])
def test_blur_takes_the_detail_and_leaves_the_view(sigma: float, limit: float) -> None:
    room = scene(3)
    picture = np.asarray(cv2.GaussianBlur(grey(view(room, RNG, noise=0)), (0, 0), sigma), np.uint8)
    likeness = compared(learnt(room), picture)
    assert likeness.detail is not None
    assert likeness.detail < limit
    assert likeness.match > 0.5


def test_noise_is_no_detail() -> None:
    room = scene(3)
    sharp = compared(learnt(room), grey(view(room, RNG, noise=12)))
    assert sharp.detail == pytest.approx(1, abs=0.15)


def test_a_covered_lens_loses_the_edges() -> None:
    subject = learnt(scene(1))
    cover = np.linspace(100, 140, SIZE).astype(np.uint8)[None].repeat(SIZE, 0)
    likeness = compared(subject, cover)
    assert likeness.lost > 0.95
    assert likeness.contrast < 0.1
    assert likeness.match < 0.3


def test_what_passes_averages_out() -> None:
    room, subject = scene(4), Scenery()
    for k in range(60):
        picture = grey(view(room, RNG))
        cv2.rectangle(picture, (k * 2, 20), (k * 2 + 40, 150), 200, -1)
        subject.learn(subject.look(picture))
    assert compared(subject, grey(view(room, RNG))).match > 0.9


def test_a_plain_wall_cannot_be_compared() -> None:
    subject = Scenery()
    wall = np.full((SIZE, SIZE), 120, np.uint8)
    wall[: SIZE // BLOCKS, : FEW // 2] = 0
    assert subject.compare(subject.look(wall)) is None
    subject.learn(subject.look(wall))
    assert subject.compare(subject.look(wall)) is None


def test_a_mask_and_its_border_are_not_looked_at() -> None:
    room = scene(1)
    hidden = np.zeros((SIZE, SIZE), np.uint8)
    hidden[:, :83] = 255
    room[:, : 40 + 83] = 0
    likeness = compared(learnt(room, hidden), grey(view(room, RNG)))
    assert not likeness.structured[:, :5].any()
    assert likeness.structured[:, 6:].any()
    turned = grey(view(scene(1), RNG, (20, 20)))
    turned[hidden > 0] = 0
    assert compared(learnt(room, hidden), turned).match < 0.3


def test_the_reference_follows_slowly() -> None:
    subject = learnt(scene(1), looks=300)
    for _ in range(20):
        subject.learn(subject.look(grey(view(scene(9), RNG))))
    assert compared(subject, grey(view(scene(1), RNG))).match > 0.9
