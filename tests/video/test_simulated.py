"""Made-up scenes as cameras."""

import time

import pytest

from streamwatch.errors import ConfigError, EndOfStreamError
from streamwatch.secret import SecretUrl
from streamwatch.video.picture import Opening
from streamwatch.video.simulated import SyntheticSource

SCENE = SecretUrl("synthetic:walk?seed=1&duration=1&fps=4&size=160x90")


def test_without_pace_a_scene_ends_cleanly_and_is_counted() -> None:
    opening = Opening(SCENE)
    pictures = list(SyntheticSource(opening))
    assert [p.pts for p in pictures] == pytest.approx([0.0, 0.25, 0.5, 0.75])
    assert pictures[0].shape == (160, 90)
    assert (opening.tally.packets, opening.tally.frames) == (4, 4)


def test_as_a_camera_it_is_paced_and_its_end_is_an_error() -> None:
    source = SyntheticSource(Opening(SCENE, wait=time.sleep))
    seen = []
    with pytest.raises(EndOfStreamError, match="ended"):
        for _ in source:
            seen.append(time.monotonic())  # noqa: PERF401
    assert len(seen) == 4
    assert seen[-1] - seen[0] >= 0.74
    source.close()


def test_an_unknown_scene_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigError):
        SyntheticSource(Opening(SecretUrl("synthetic:no-such-plot")))
