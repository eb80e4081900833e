"""What a camera costs, measured on real work."""

import time

from streamwatch.cluster.ration import Ration, cores


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_camera_costs_its_thread_and_its_share_of_the_rest_by_clips() -> None:
    ration = Ration()
    assert ration.measure(100.0, {"a": 0.0, "b": 0.0}, {"a": 0.0, "b": 0.0}) == {}
    burn(0.3)  # 0.1 of it in the threads of a, none in those of b; a cut three of four clips
    costs = ration.measure(101.0, {"a": 0.1, "b": 0.0}, {"a": 3.0, "b": 1.0})
    assert 0.29 <= ration.load <= 0.5
    assert abs(costs["a"] - (0.1 + 0.75 * (ration.load - 0.1))) < 1e-9
    assert abs(costs["b"] - 0.25 * (ration.load - 0.1)) < 1e-9


def test_a_moment_does_not_change_what_was_measured_for_long() -> None:
    ration = Ration()
    ration.measure(100.0, {"a": 0.0}, {})
    ration.measure(101.0, {"a": 0.2}, {})
    before = ration.costs["a"]
    after = ration.measure(102.0, {"a": 1.2}, {})["a"]
    assert before < after < 0.5


def test_who_is_gone_costs_nothing() -> None:
    ration = Ration()
    ration.measure(100.0, {"a": 0.0, "b": 0.0}, {})
    ration.measure(101.0, {"a": 0.2, "b": 0.1}, {})
    assert ration.measure(102.0, {"b": 0.2}, {}).keys() == {"b"}


def test_this_machine_has_cores() -> None:
    assert cores() >= 1
