"""What an incident is called, and who has joined it."""

from ulid import ULID

from streamwatch.rules.stretch import Stretch, incident_id
from tests.rules.play import MODEL, T0


def test_the_id_is_a_ulid_of_the_start() -> None:
    one = incident_id("site", "fall", "dock", T0 + 0.25)
    assert ULID.from_str(one).timestamp == T0 + 0.25
    others = [("site2", "fall", "dock", T0), ("site", "fight", "dock", T0), ("site", "fall", "ward-1", T0)]
    assert len({one, *(incident_id(*other) for other in others)}) == 4
    assert incident_id("site", "fall", "dock", 1.0) < incident_id("site", "fall", "dock", 2.0)  # sorts by time


def test_cameras_join_once_and_in_order() -> None:
    stretch = Stretch(T0, T0, MODEL, camera="dock", severity="info")
    assert stretch.labels() == {"severity": "info"}
    assert [stretch.join(cameras) for cameras in (("b", "a"), ("a", "b"), ("a", "c"), ())] == [True, False, True, False]
    assert stretch.labels() == {"severity": "info", "cameras": "b,a,c"}
