"""Steps that count on cameras, without order."""

from collections.abc import Iterator

from streamwatch.rules.condition import Condition, Evidence
from streamwatch.rules.places import Places, lost
from streamwatch.rules.together import TogetherCondition
from tests.rules.play import FALL, T0, condition, detection


def running(steps: dict[int, str], at_least: int | None = None) -> TogetherCondition:
    """Step i is a fall on the cameras whose letters are in ``steps[i]``; within 5 s."""

    def started(camera: str) -> Iterator[tuple[int, Condition]]:
        return ((i, condition(FALL)) for i, cameras in steps.items() if camera in cameras)

    return TogetherCondition(Places(started, ()), 5.0, len(steps), at_least)


def hear(it: TogetherCondition, *seen: tuple[str, float, float]) -> list[bool | None]:
    return [it.observe(detection(at, score, camera)) for camera, at, score in seen]


def test_each_step_needs_a_camera_of_its_own() -> None:
    it = running({0: "ab", 1: "ab"})
    assert hear(it, ("a", 0, 0.9), ("b", 0, 0.1), ("a", 1, 0.9), ("b", 2, 0.9)) == [False, False, False, True]
    crossed = running({0: "ab", 1: "a", 2: "bc"})  # a must leave step 0 to b, and b step 2 to c
    assert hear(crossed, ("a", 0, 0.9), ("b", 0, 0.9), ("c", 0, 0.9)) == [False, False, True]


def test_one_of_them_must_still_hold() -> None:
    it = running({0: "a", 1: "b"})
    assert hear(it, ("a", 0, 0.9), ("b", 0, 0.9), ("a", 1, 0.1), ("b", 2, 0.1)) == [False, True, True, False]
    assert hear(it, ("b", 3, 0.9)) == [True]  # a held 3 s ago
    assert hear(it, ("b", 6, 0.9)) == [False]


def test_evidence_is_the_strongest_and_names_cameras_as_they_came() -> None:
    it = running({0: "abc"}, at_least=2)
    hear(it, ("c", 0, 0.85), ("b", 1, 0.95), ("a", 2, 0.9))
    assert it.evidence() == Evidence("fall", None, 0.95, 0.8, ("c", "b", "a"))


def test_a_silent_camera_is_unknown_and_so_is_the_whole() -> None:
    it = running({0: "a", 1: "b"})
    assert hear(it, ("a", 0, 0.1), ("b", 0, 0.1), ("b", 10, 0.1), ("b", 11, 0.1)) == [False, False, False, None]
    assert it.observe(lost("b", T0 + 12)) is None


def test_a_clock_set_back_forgets() -> None:
    it = running({0: "a", 1: "b"})
    hear(it, ("a", 5000, 0.9))
    it.reset()
    assert hear(it, ("b", 0, 0.9)) == [None]
    assert hear(it, ("a", 1, 0.9)) == [True]


def test_what_has_held_survives_a_gap() -> None:
    it = running({0: "a", 1: "b"})
    hear(it, ("a", 0, 0.9))
    it.observe(lost("a", T0 + 1))
    assert hear(it, ("b", 2, 0.9)) == [True]
    it.reset()
    assert it.evidence() is None
