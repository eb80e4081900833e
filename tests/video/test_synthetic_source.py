"""URLs of synthetic cameras."""

import numpy as np
import pytest

from streamwatch.errors import ConfigError
from streamwatch.video.synthetic import Scene
from streamwatch.video.synthetic_source import frames, parse_synthetic


@pytest.mark.parametrize(
    ("url", "scene"),
    [
        ("synthetic:walk", Scene("walk")),
        (
            "synthetic:fall?seed=3&duration=30&fps=12.5&size=320x180",
            Scene("fall", 3, (320, 180), 12.5, 30.0),
        ),
        ("synthetic://fight?seed=2", Scene("fight", 2)),
        ("synthetic:mixed?size=640X360", Scene("mixed")),
    ],
)
def test_a_url_describes_a_scene(url: str, scene: Scene) -> None:
    assert parse_synthetic(url) == scene


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("synthetic:wlak", "did you mean 'walk'"),
        ("synthetic:", "no plot ''"),
        ("synthetic:walk?sed=3", "did you mean 'seed'"),
        ("synthetic:walk?zzz=3", "use seed, duration, fps, size"),
        ("synthetic:walk?seed=1&seed=2", "twice"),
        ("synthetic:walk?seed=1.5", "whole number"),
        ("synthetic:walk?seed=", "whole number"),
        ("synthetic:walk?fps=fast", "fps='fast' is not a number"),
        ("synthetic:walk?size=640", "WIDTHxHEIGHT"),
        ("synthetic:walk?size=-1x5", "WIDTHxHEIGHT"),
        ("synthetic:walk?duration=inf", "duration"),
        ("rtsp://camera/1", "not a synthetic"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_synthetic(url)


def test_frames_come_in_order_at_the_scenes_rate() -> None:
    scene = Scene("walk", 1, (160, 90), fps=10, duration=1)
    seen = list(frames(scene))
    assert [pts for pts, _ in seen] == pytest.approx([n / 10 for n in range(10)])
    assert np.array_equal(seen[4][1], scene.render(0.4))
