"""One camera after another."""

from collections.abc import Iterator

import pytest

from streamwatch.rules.condition import Condition, Evidence
from streamwatch.rules.in_order import InOrderCondition
from streamwatch.rules.places import Places, lost
from tests.rules.play import FALL, T0, condition, detection


def running(*steps: str) -> InOrderCondition:
    """Each step is a fall on the cameras whose letters it holds; within 5 s."""

    def started(camera: str) -> Iterator[tuple[int, Condition]]:
        return ((i, condition(FALL)) for i, cameras in enumerate(steps) if camera in cameras)

    return InOrderCondition(Places(started, ()), 5.0, len(steps))


def marks(it: InOrderCondition, **tracks: str) -> str:
    """What it says at the end of each second, having heard the cameras in order of name."""
    answers = ""
    for second in range(len(next(iter(tracks.values())))):
        for camera, track in sorted(tracks.items()):
            answer = it.observe(detection(second, 0.9 if track[second] == "#" else 0.1, camera))
        answers += {True: "#", False: ".", None: "?"}[answer]
    return answers


@pytest.mark.parametrize(
    ("steps", "tracks", "expected"),
    [
        (("a", "b"), {"a": "#......", "b": "..##..."}, "..##..."),
        (("a", "b"), {"a": "..#....", "b": "#......"}, "......."),
        (("a", "b"), {"a": "#......", "b": "#......"}, "......."),  # not at one time
        (("a", "b"), {"a": "#.......", "b": "......##"}, "........"),  # too late
        (("a", "b"), {"a": "#..#....", "b": "......##"}, "......##"),  # the later one counts
        (("a", "b"), {"a": "#.......", "b": "....####"}, "....##.."),  # until the first is too long ago
        (("ab", "ab"), {"a": "#.#....", "b": "......."}, "......."),  # not one camera after itself
        (("ab", "ab"), {"a": "#......", "b": "..#...."}, "..#...."),
        (("ab", "ab"), {"a": "..#....", "b": "#......"}, "..#...."),
        (("a", "b", "a"), {"a": "#...#..", "b": "..#...."}, "....#.."),
        (("ab", "a", "b"), {"a": ".#.#...", "b": "#....#."}, "...#.#."[:3] + "..#."),
    ],
)
def test_answers(steps: tuple[str, ...], tracks: dict[str, str], expected: str) -> None:
    assert marks(running(*steps), **tracks) == expected


def test_the_second_best_match_is_kept_for_another_camera() -> None:
    """a began later than b, but only b's can go on to a."""
    assert marks(running("ab", "ac"), a="..##", b="#...", c="....") == "..##"


def test_evidence_is_that_of_the_last_step_and_cameras_are_in_order() -> None:
    it = running("b", "a", "b")
    for at, camera, score in ((0, "b", 0.81), (1, "a", 0.9), (2, "b", 0.95)):
        it.observe(detection(at, score, camera))
    assert it.evidence() == Evidence("fall", None, 0.95, 0.8, ("a", "b"))


def test_other_cameras_do_not_interrupt_it() -> None:
    it = running("a", "bc")
    it.observe(detection(0, 0.9, "a"))
    assert it.observe(detection(1, 0.9, "b")) is True
    assert it.observe(detection(1.5, 0.1, "c")) is True
    assert it.observe(detection(2, 0.1, "b")) is False


def test_a_gap_ends_what_holds_but_not_what_has_matched() -> None:
    it = running("a", "b")
    it.observe(detection(0, 0.9, "a"))
    it.observe(lost("a", T0 + 0.5))
    assert it.observe(detection(1, 0.9, "b")) is True
    assert it.observe(lost("b", T0 + 1.5)) is None
    assert it.observe(detection(2, 0.9, "b")) is True
    it.reset()
    assert it.evidence() is None


def test_a_clock_set_back_forgets() -> None:
    it = running("a", "b")
    it.observe(detection(5000, 0.9, "a"))
    it.reset()
    assert it.observe(detection(0, 0.9, "b")) is None
    it.observe(detection(1, 0.9, "a"))
    assert it.observe(detection(2, 0.9, "b")) is True
