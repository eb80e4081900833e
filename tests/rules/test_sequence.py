"""One thing after another."""

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.condition import Evidence
from tests.rules.play import FALL, condition, detection, marks

FIGHT = {"event": "fight", "on": 0.8, "off": 0.6}
BOTH = {"sequence": [FALL, FIGHT], "within": "5s"}


@pytest.mark.parametrize(
    ("fall", "fight", "expected"),
    [
        ("#.....", "..#...", "..#..."),
        ("......", "..#...", "......"),
        ("..#...", "#.....", "......"),  # the wrong way round
        ("#.....", "#.....", "......"),  # not at one time
        ("##....", "##....", ".#...."),
        ("#......", ".....##", ".....#."),  # at most 5 s
        ("#.#....", "......#", "......#"),  # the later fall counts
        ("###....", "...####", "...####"),  # from the last moment at which the first held
        ("#......", ".######", ".#####."),
        ("#.....", "..#.#.", "..#.#."),  # one start may have several ends
        ("#    .", "     #", ".    #"),
    ],
)
def test_two_steps(fall: str, fight: str, expected: str) -> None:
    assert marks(BOTH, fall, fight) == expected


def test_three_steps_skip_what_is_between() -> None:
    when = {"sequence": [FALL, FIGHT, FALL], "within": "6s"}
    assert marks(when, "#..#..#..", ".#..#....") == "...#..#.."
    assert marks(when, "#...#....", "..#......") == "....#...."


def test_of_two_matches_the_later_start_completes() -> None:
    when = {"sequence": [FALL, FIGHT, {"motion": 0.5}], "within": "4s"}
    assert marks(when, "#..#....", "....#...", ".......#") == ".......#"
    assert marks(when, "#..#....", ".#......", ".......#") == "........"  # the fight belongs to the first fall alone


def test_a_fall_and_then_nothing_moves() -> None:
    when = {"sequence": [FALL, {"absent": {"motion": 0.5}, "for": "3s"}], "within": "6s"}
    assert marks(when, ".#........", "..........", "###.......") == "......##.."
    running = condition(when)
    for t in range(7):
        holds = running.observe(detection(t, 0.9 if t == 1 else 0.1, motion=0.9 if t < 3 else 0.0))
    assert holds
    assert running.evidence() == Evidence("fall", None, 0.9, 0.8)  # absence has none


def test_what_has_happened_survives_a_gap() -> None:
    running = condition(BOTH)
    running.observe(detection(0, 0.9))
    running.reset()
    assert running.evidence() is None
    assert running.observe(detection(2, fight=0.9)) is True


def test_a_clock_set_back_forgets() -> None:
    running = condition(BOTH)
    running.observe(detection(5000, 0.9))
    running.reset()
    assert running.observe(detection(0, fight=0.9)) is False
    running.observe(detection(1, 0.9))
    assert running.observe(detection(2, fight=0.9)) is True


def test_steps_in_two_zones() -> None:
    running = condition({"sequence": [{**FALL, "zone": "gate"}, {**FALL, "zone": "ramp"}], "within": "5s"})
    assert running.observe(detection(0, 0.9, zone="gate")) is None
    assert running.observe(detection(0, 0.9, zone="ramp")) is False  # at one time
    assert running.observe(detection(1, 0.9, zone="ramp")) is True
    assert running.evidence() == Evidence("fall", "ramp", 0.9, 0.8)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"sequence": [FALL], "within": "5s"}, r"sequence: List should have at least 2 items"),
        ({"sequence": [FALL] * 17, "within": "5s"}, r"at most 16 items"),
        ({"sequence": [FALL, FALL]}, r"within: Field required"),
        ({"sequence": [FALL, FALL], "within": 0}, r"within: Input should be greater than 0"),
        ({"sequence": [FALL, {"event": "fal", "on": 1}], "within": 1}, r"when\.sequence\[1\]\.event: "),
    ],
)
def test_refuses(when: object, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        condition(when)
