"""What each step is on each camera."""

from collections.abc import Iterator

from streamwatch.rules.condition import Condition
from streamwatch.rules.places import Places, lost
from tests.rules.play import FALL, T0, condition, detection


def started(camera: str) -> Iterator[tuple[int, Condition]]:
    return ((i, condition(FALL)) for i in range(2) if camera != "stranger")


def test_a_cell_knows_since_when_and_until_when_it_held() -> None:
    places = Places(started, ())
    for at, score in ((0, 0.1), (1, 0.9), (2, 0.95), (3, 0.1)):
        cells = places.hear(detection(at, score), T0 + at)
    assert [(cell.index, cell.camera) for cell in cells] == [(0, "dock"), (1, "dock")]
    first = cells[0]
    assert (first.holds, first.since - T0, first.last - T0) == (False, 1, 2)
    assert first.evidence is not None
    assert first.evidence.score == 0.95


def test_cameras_do_not_touch_each_other() -> None:
    places = Places(started, ())
    one = places.hear(detection(0, 0.9, "a"), T0)
    other = places.hear(detection(0, 0.1, "b"), T0)
    assert [cell.holds for cell in (*one, *other)] == [True, True, False, False]
    places.hear(lost("b", T0 + 1), T0 + 1)
    assert [cell.holds for cell in (*one, *other)] == [True, True, None, None]


def test_silence_is_one_camera_s() -> None:
    places = Places(started, ())
    assert places.unsure(T0)
    for at in (0.0, 5.0):
        places.hear(detection(at, 0.1, "a"), T0 + at)
        places.hear(detection(at, 0.1, "b"), T0 + at)
    assert not places.unsure(T0 + 15)
    (cell, _) = places.hear(detection(16, 0.7, "a"), T0 + 16)  # between off and on
    assert cell.holds is False
    assert places.unsure(T0 + 16)  # b
    assert (places.speaks("a", T0 + 16), places.speaks("b", T0 + 16)) == (True, False)


def test_strangers_are_not_heard() -> None:
    places = Places(started, ())
    assert places.hear(detection(0, 0.9, "stranger"), T0) == ()
    assert not places.speaks("stranger", T0)


def test_reset_makes_all_unknown() -> None:
    places = Places(started, ())
    cells = places.hear(detection(0, 0.9), T0)
    assert not places.unsure(T0)
    places.reset()
    assert [cell.holds for cell in cells] == [None, None]
    assert places.unsure(T0)
