"""The one place that drops: newest per key, longest-waiting first."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.errors import MailboxClosedError
from streamwatch.mailbox import Mailbox


class Drops:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, key: str, reason: str) -> None:
        self.seen.append((key, reason))


def test_newest_replaces_and_is_counted() -> None:
    drops = Drops()
    mailbox: Mailbox[str, int] = Mailbox(drops)
    mailbox.put("a", 1)
    mailbox.put("a", 2)
    assert mailbox.take(8, timeout=0) == [2]
    assert drops.seen == [("a", "replaced")]


def test_a_busy_key_keeps_its_place_and_cannot_push_back_a_quiet_one() -> None:
    mailbox: Mailbox[str, str] = Mailbox(Drops())
    for key, value in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1")]:
        mailbox.put(key, value)
    assert mailbox.take(2, timeout=0) == ["a2", "b1"]
    mailbox.put("a", "a3")
    assert mailbox.take(8, timeout=0) == ["c1", "a3"]


def test_take_waits_for_a_value() -> None:
    mailbox: Mailbox[str, int] = Mailbox(Drops())
    timer = threading.Timer(0.05, mailbox.put, ("a", 1))
    timer.start()
    assert mailbox.take(1, timeout=10) == [1]
    timer.join(10)


def test_take_gives_up() -> None:
    mailbox: Mailbox[str, int] = Mailbox(Drops())
    began = time.monotonic()
    assert mailbox.take(1, timeout=0.05) == []
    assert time.monotonic() - began >= 0.05


def test_close_wakes_and_refuses_but_hands_out_the_rest() -> None:
    mailbox: Mailbox[str, int] = Mailbox(Drops())
    mailbox.put("a", 1)
    mailbox.close()
    mailbox.close()
    with pytest.raises(MailboxClosedError, match="'a'"):
        mailbox.put("a", 2)
    assert mailbox.take(1, timeout=10) == [1]
    with pytest.raises(MailboxClosedError):
        mailbox.take(1, timeout=10)


def test_close_wakes_a_waiting_taker() -> None:
    mailbox: Mailbox[str, int] = Mailbox(Drops())
    threading.Timer(0.05, mailbox.close).start()
    began = time.monotonic()
    with pytest.raises(MailboxClosedError):
        mailbox.take(1, timeout=30)
    assert time.monotonic() - began < 10


def test_discard_names_its_reason() -> None:
    drops = Drops()
    mailbox: Mailbox[str, int] = Mailbox(drops)
    mailbox.discard("a", "gap")
    mailbox.put("a", 1)
    mailbox.discard("a", "gap")
    assert drops.seen == [("a", "gap")]
    assert len(mailbox) == 0


@given(st.lists(st.one_of(st.sampled_from("abcd"), st.integers(1, 3)), max_size=60))
def test_nothing_is_lost_without_a_count(steps: list[str | int]) -> None:
    """Letters put, numbers take: put = taken + dropped + held, and memory is bounded by the keys."""
    drops = Drops()
    mailbox: Mailbox[str, int] = Mailbox(drops)
    taken: list[int] = []
    puts = 0
    for step in steps:
        if isinstance(step, str):
            mailbox.put(step, puts)
            puts += 1
        else:
            taken += mailbox.take(step, timeout=0)
        assert len(mailbox) <= 4
    assert puts == len(taken) + len(drops.seen) + len(mailbox)
    assert len(set(taken)) == len(taken)
