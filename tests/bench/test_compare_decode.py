"""`decode: auto` finds what `decode: all` does, on real footage after a stretch in which nothing moves."""

import os
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.frame import PictureType

from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.video.stillness import Stillness
from tests.bench.compare_decode import Run, lost, watch

FEEDS = Path(os.environ.get("STREAMWATCH_DATA", Path(__file__).parents[3] / "shared/data")) / "feeds"
FEED = FEEDS / "stairwell_fight.mp4"  # 13.6 s, the last few of them a fight
HELD = 16  # seconds of its first picture before it: five to learn, the rest to be still in
FPS = 25


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The feed as a camera sends it that shows its first picture for long, a keyframe each two seconds."""
    path = tmp_path_factory.mktemp("held") / "stairwell.mp4"
    with av.open(str(FEED)) as source, av.open(str(path), "w") as film:
        given = source.streams.video[0]
        stream = film.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = given.codec_context.width, given.codec_context.height, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        stream.options = {"preset": "veryfast", "g": str(2 * FPS), "bf": "0", "crf": "23", "sc_threshold": "0"}
        number = 0
        for frame in source.decode(given):
            assert frame.time is not None
            frame.pict_type = PictureType.NONE  # else each repeat of a keyframe is one, too
            until = (HELD + frame.time) * FPS
            while number <= until:
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                film.mux(stream.encode(frame))
                number += 1
        film.mux(stream.encode(None))
    return path


def incident(event: str, at: float) -> Run:
    return Run(incidents=[(event, at)])


def test_an_incident_is_lost_if_it_is_missing_or_later_or_another() -> None:
    every = incident("fight", 20.0)
    assert lost(every, incident("fight", 21.0)) == []
    assert lost(every, incident("fight", 21.5)) == ["fight@20.0"]
    assert lost(every, incident("fall", 20.0)) == ["fight@20.0"]
    assert lost(every, Run()) == ["fight@20.0"]


@pytest.mark.data
@pytest.mark.skipif(not FEED.is_file(), reason=f"no real feed at {FEED}; set STREAMWATCH_DATA")
@pytest.mark.timeout(180)
def test_on_demand_the_same_incidents_are_found(held: Path) -> None:
    model = OnnxModel(load_pack("bundled"), "cpu")
    every, auto = watch(str(held), model, None), watch(str(held), model, Stillness())
    assert [event for event, _ in every.incidents] == ["fight"]
    assert every.incidents[0][1] >= HELD + 9.0
    assert [event for event, _ in auto.incidents] == ["fight"]
    assert lost(every, auto) == []
    assert every.clips == auto.clips
    assert every.still == 0
    assert auto.still >= 5, "else it has decoded all, and was not put to the test"
    assert auto.decoded < 0.8 * every.decoded
