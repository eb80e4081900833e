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
            with self.slots:
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
    with slots:
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
            with slots:
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
    with pytest.raises(ValueError, match="decoder"), slots:
        raise ValueError("decoder")
    crowd = Crowd(slots)
    crowd.wants("next")
    crowd.end()
    assert crowd.order == ["next"]


def test_who_computes_for_long_lets_others_go_before_and_goes_on() -> None:
    clock = Clock()
    slots = Slots(1, clock)
    crowd = Crowd(slots)
    with slots:
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
    with slots:
        clock.now += 10.0
        slots.breathe()
        crowd = Crowd(slots)
        crowd.wants("waiting")
        assert crowd.order == [], "it still holds its slot"
    crowd.end()


def test_the_process_has_some() -> None:
    with SLOTS:
        pass
