"""Slots: real threads, and a clock that is given."""

import threading
import time

import pytest

from streamwatch.video.slots import SLOTS, Slots

WAIT = 5.0


class Clock:
    """Seconds, as set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Crowd:
    """Threads that want a slot, one after the other, and what they did in order."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.order: list[str] = []
        self._threads: list[threading.Thread] = []

    def wants(self, name: str) -> None:
        """Have a thread wait for a slot; returns once it does."""
        waits = threading.Event()

        def body() -> None:
            waits.set()
            with self.slots, self.slots.computing():
                self.order.append(name)

        thread = threading.Thread(target=body, name=name)
        self._threads.append(thread)
        thread.start()
        assert waits.wait(WAIT)
        time.sleep(0.02)  # from there into the line

    def end(self) -> None:
        """All have had theirs."""
        for thread in self._threads:
            thread.join(WAIT)
            assert not thread.is_alive(), f"{thread.name} waits for ever"


def test_who_came_first_goes_first() -> None:
    slots = Slots(1)
    crowd = Crowd(slots)
    with slots, slots.computing():
        for name in "abcdef":
            crowd.wants(name)
        assert crowd.order == []
    crowd.end()
    assert crowd.order == list("abcdef")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_never_more_than_there_are_and_none_is_lost(count: int) -> None:
    slots, lock = Slots(count), threading.Lock()
    inside, most, turns = 0, 0, 0

    def body() -> None:
        nonlocal inside, most, turns
        for _ in range(50):
            with slots, slots.computing():
                with lock:
                    inside += 1
                    most = max(most, inside)
                    turns += 1
                time.sleep(0.001)
                slots.breathe()
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=body) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT * 4)
    assert (turns, inside) == (600, 0)
    assert most == count


def test_an_error_gives_the_slot_back() -> None:
    slots = Slots(1)
    with pytest.raises(ValueError, match="decoder"), slots, slots.computing():
        raise ValueError("decoder")
    crowd = Crowd(slots)
    crowd.wants("next")
    crowd.end()
    assert crowd.order == ["next"]


def test_who_computes_for_long_lets_others_go_before_and_goes_on() -> None:
    clock = Clock()
    slots = Slots(1, clock)
    crowd = Crowd(slots)
    with slots, slots.computing():
        crowd.wants("waiting")
        slots.breathe()
        assert crowd.order == [], "not yet"
        clock.now += 0.1
        slots.breathe()
        assert crowd.order == ["waiting"]
        crowd.wants("later")
        slots.breathe()
        assert crowd.order == ["waiting"], "its time began anew"
    crowd.end()
    assert crowd.order == ["waiting", "later"]


def test_nobody_gives_way_to_nobody() -> None:
    clock = Clock()
    slots = Slots(1, clock)
    with slots, slots.computing():
        clock.now += 10.0
        slots.breathe()
        crowd = Crowd(slots)
        crowd.wants("waiting")
        assert crowd.order == [], "it still holds its slot"
    crowd.end()


def test_a_slot_is_taken_by_who_computes_and_kept_until_its_work_ends() -> None:
    slots = Slots(1)
    crowd = Crowd(slots)
    with slots:
        crowd.wants("another")
        crowd.end()
        assert crowd.order == ["another"], "work that computes nothing takes none"
        with slots.computing():
            pass
        crowd.wants("late")
        with slots.computing():
            pass
        assert crowd.order == ["another"]
    crowd.end()
    assert crowd.order == ["another", "late"]


def test_who_computes_is_off_the_lane_and_comes_back_to_it() -> None:
    slots = Slots(1)
    with slots:
        with slots.computing():
            assert not slots.lane.leave()
        assert slots.lane.leave()
    assert not slots.lane.leave()
    with slots.computing():
        pass
    assert not slots.lane.leave(), "it was not on it before"


def test_who_computes_outside_of_a_piece_of_work_gives_its_slot_back_at_once() -> None:
    slots = Slots(1)
    with slots.computing():
        pass
    crowd = Crowd(slots)
    crowd.wants("another")
    crowd.end()
    assert crowd.order == ["another"]


@pytest.mark.parametrize(("held", "strained"), [(0.8, False), (0.9, True)])
def test_waiting_is_a_strain_where_no_slot_is_ever_free(held: float, strained: bool) -> None:
    clock = Clock()
    slots = Slots(1, clock)
    for _ in range(20):
        crowd = Crowd(slots)
        with slots, slots.computing():
            crowd.wants("waiting")
            clock.now += held
        crowd.end()
        clock.now += 1.0 - held
    assert (slots.strain() > 0.2) == strained
    clock.now += 1.0
    assert slots.strain() == 0.0, "nobody computed since"


def test_the_process_has_some() -> None:
    with SLOTS, SLOTS.computing():
        pass
