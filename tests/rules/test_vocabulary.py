"""Which names a rule may use."""

import pytest

from streamwatch.rules.vocabulary import is_glob
from tests.rules.play import SITE


@pytest.mark.parametrize(
    ("patterns", "cameras"),
    [
        (["*"], ("dock", "ward-1", "ward-2")),
        (["ward-?"], ("ward-1", "ward-2")),
        (["ward-[2-9]", "dock"], ("dock", "ward-2")),
        (["gym-*"], ()),
    ],
)
def test_globs_match(patterns: list[str], cameras: tuple[str, ...]) -> None:
    assert SITE.matching(patterns) == cameras


def test_a_literal_camera_must_exist() -> None:
    assert SITE.fault_of_camera("dock") is None
    assert "did you mean 'dock'" in str(SITE.fault_of_camera("dok"))


def test_a_glob_may_match_nothing() -> None:
    assert is_glob("gym-*")
    assert not is_glob("dock")
    assert SITE.fault_of_camera("gym-*") is None


def test_an_unknown_event_names_the_nearest() -> None:
    assert SITE.fault_of_event("fall") is None
    assert "did you mean 'shoplifting'" in str(SITE.fault_of_event("shop-lifting"))


@pytest.mark.parametrize(
    ("zone", "patterns", "fault"),
    [
        ("gate", ["dock"], None),
        ("gate", ["*"], None),  # one camera has it
        ("gate", ["gym-*"], None),  # nothing to say about cameras that are not there
        ("gat", ["dock"], "did you mean 'gate'"),
        ("gate", ["dock", "ward-1"], "camera ward-1 has no zone 'gate'"),
        ("gate", ["ward-*"], "no camera that matches ward-* has a zone 'gate'"),
    ],
)
def test_zones(zone: str, patterns: list[str], fault: str | None) -> None:
    found = SITE.fault_of_zone(zone, patterns)
    assert found is None if fault is None else fault in str(found)
