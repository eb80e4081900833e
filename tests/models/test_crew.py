"""Threads that work side by side, and what they spend."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from streamwatch.models.crew import Crew, cores, crew_size


@pytest.fixture
def crew() -> Iterator[Crew]:
    with closing(Crew(2)) as made:
        yield made


def test_small_machines_have_none_of_their_own() -> None:
    assert [crew_size(count) for count in (1, 2, 3, 4, 8, 16, 64)] == [1, 1, 1, 2, 4, 8, 16]
    assert cores() >= 1


def test_alone_the_caller_does_it_all() -> None:
    here = threading.current_thread()
    with closing(Crew(1)) as crew:
        assert crew.map(lambda item: (item, threading.current_thread()), [1, 2, 3]) == [(n, here) for n in (1, 2, 3)]


def test_one_item_stays_with_the_caller(crew: Crew) -> None:
    assert crew.map(lambda item: threading.current_thread(), [1]) == [threading.current_thread()]


def test_two_are_at_work_at_once(crew: Crew) -> None:
    both = threading.Barrier(2, timeout=20)  # breaks unless both come to it
    assert crew.map(lambda item: (both.wait(), item)[1], [1, 2, 3, 4]) == [1, 2, 3, 4]


def burn(seconds: float) -> float:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return seconds


@pytest.mark.parametrize("size", [1, 2])
def test_what_its_threads_spend_is_counted_once(size: int) -> None:
    with closing(Crew(size)) as crew:
        began = crew.spent()
        crew.map(burn, [0.1, 0.1, 0.1])
        burn(0.1)
        assert crew.spent() - began == pytest.approx(0.4, rel=0.1)


def test_what_fails_is_raised_once_none_is_at_work(crew: Crew) -> None:
    ended: list[float] = []

    def fail(seconds: float) -> None:
        time.sleep(seconds)
        ended.append(seconds)
        if not seconds:
            raise ValueError("spoilt")

    with pytest.raises(ValueError, match="spoilt"):
        crew.map(fail, [0.0, 0.2, 0.1])
    assert sorted(ended) == [0.0, 0.1, 0.2]


def test_its_threads_end_with_it() -> None:
    before = set(threading.enumerate())
    crew = Crew(3)
    assert set(threading.enumerate()) == before
    crew.map(burn, [0.01] * 6)
    assert len(set(threading.enumerate()) - before) > 1
    crew.close()
    crew.close()
    assert set(threading.enumerate()) == before
