"""Rendered scenes as a further source, ``synthetic``: falls and fights with exact times, and everyday life."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from streamwatch.training.data import FRAMES, Entry, Picture, Segment, Variant
from streamwatch.video.synthetic import PLOTS, Scene

__all__ = ["UNSEEN", "cast", "entry_of", "look", "pictures_of", "segments_of", "stagings"]

SECONDS = 15.0
UNSEEN = 100_000  # the first seed of scenes that eyes are not tuned on
EVENTFUL = {"fall": 14, "fight": 5, "crouch": 3, "pickup": 3, "lie_down": 2, "crowd": 4}  # oftener than the other plots
NOT_ONE_THING = {"mixed"}


def cast(rounds: int, first_seed: int = 0) -> Iterator[Scene]:
    """``rounds`` scenes of each everyday plot, more of the events and of what is taken for them; no seed twice."""
    seed = first_seed
    for number in range(rounds):
        for plot in sorted(set(PLOTS) - NOT_ONE_THING):
            for _ in range(EVENTFUL.get(plot, 1)):
                size = (320, 180) if number % 3 else (480, 270)
                yield Scene(plot, seed=seed, size=size, duration=SECONDS)
                seed += 1


def entry_of(scene: Scene, split: str) -> Entry:
    """A row as if from clips.csv; each scene is its own group."""
    kinds = {event.event for event in scene.truth}
    label = scene.plot if scene.plot in kinds else "normal"
    name = f"synthetic/{scene.plot}_{scene.seed}"
    return Entry(name, "synthetic", label, f"synthetic_{scene.seed}", split, scene.duration, "Apache-2.0 (ours)")


def segments_of(scene: Scene) -> list[Segment]:
    return [(event.start, event.end, event.event, scene.caption) for event in scene.truth]


def pictures_of(scene: Scene, per_second: int = 2 * FRAMES) -> list[Picture]:
    """The scene rendered twice as often as clips sample it, so that they can be cut anywhere."""
    pictures = []
    for number in range(int(scene.duration * per_second)):
        frame = av.VideoFrame.from_ndarray(scene.render(number / per_second), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, per_second)
        pictures.append(Picture(number / per_second, frame))
    return pictures


def look(scene: Scene) -> Variant:
    """Compressed as a camera would, half of them mirrored, light up and down."""
    rng = np.random.default_rng(scene.seed)
    return Variant(
        flip=bool(rng.random() < 0.5),
        gain=float(rng.uniform(0.85, 1.15)),
        bias=float(rng.uniform(-10, 10)),
        quality=int(rng.integers(35, 92)),
    )


def stagings(scene: Scene) -> list[Variant]:
    """How a scene is looked at; a fall, which lasts a second, three times with the clips cut elsewhere."""
    first = look(scene)
    if scene.plot != "fall":
        return [first]
    return [replace(first, offset=shift * 5 / 16, flip=first.flip ^ (shift == 1)) for shift in range(3)]
