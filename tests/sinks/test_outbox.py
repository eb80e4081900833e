import math
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.errors import SinkError
from streamwatch.metrics import Metrics
from streamwatch.sinks.outbox import Entry, MemoryOutbox, expose
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, make_alert, value


def sequences(entries: list[Entry]) -> list[int]:
    return [entry.sequence for entry in entries]


class TestMemoryOutbox:
    def test_numbers_without_a_gap_from_one_and_keeps_the_order(self) -> None:
        outbox = MemoryOutbox()
        alerts = [make_alert(number) for number in range(5)]
        assert sequences([outbox.append(alert) for alert in alerts]) == [1, 2, 3, 4, 5]
        assert [entry.alert for entry in outbox.pending(0, 10, 0.0)] == alerts
        assert not any(entry.earlier for entry in outbox.pending(0, 10, 0.0))

    def test_hands_out_what_is_asked_for(self) -> None:
        outbox = MemoryOutbox()
        for number in range(5):
            outbox.append(make_alert(number))
        outbox.acknowledge(2)
        outbox.acknowledge(99)
        assert sequences(outbox.pending(0, 2, 0.0)) == [1, 3]
        assert sequences(outbox.pending(3, 10, 0.0)) == [4, 5]
        assert outbox.pending(5, 10, 0.0) == []
        assert len(outbox) == 4

    def test_waits_for_the_first_and_no_longer_than_asked(self) -> None:
        outbox = MemoryOutbox()
        begun = time.monotonic()
        assert outbox.pending(0, 10, 0.05) == []
        assert time.monotonic() - begun >= 0.05
        late = threading.Timer(0.1, outbox.append, [make_alert()])
        late.start()
        assert sequences(outbox.pending(0, 10, LIMIT)) == [1]
        assert time.monotonic() - begun < LIMIT
        late.join(LIMIT)

    def test_wakes_for_the_next_though_an_older_one_is_acknowledged_already(self) -> None:
        outbox = MemoryOutbox()
        outbox.append(make_alert())
        outbox.acknowledge(1)
        assert outbox.pending(0, 10, 0.01) == []
        outbox.append(make_alert(2))
        assert sequences(outbox.pending(0, 10, 0.01)) == [2]

    def test_a_full_one_gives_up_its_oldest_and_says_so(self) -> None:
        dropped: list[tuple[int, str]] = []
        outbox = MemoryOutbox(limit=2, on_drop=lambda entry, reason: dropped.append((entry.sequence, reason)))
        for number in range(4):
            outbox.append(make_alert(number))
        assert dropped == [(1, "full"), (2, "full")]
        assert sequences(outbox.pending(0, 10, 0.0)) == [3, 4]

    def test_must_hold_something(self) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            MemoryOutbox(limit=0)

    def test_two_threads_get_each_alert_through_once(self) -> None:
        outbox = MemoryOutbox()
        taken: list[int] = []

        def take(stop: threading.Event) -> None:
            while not stop.is_set() and len(taken) < 500:
                for entry in outbox.pending(taken[-1] if taken else 0, 7, 0.05):
                    taken.append(entry.sequence)
                    outbox.acknowledge(entry.sequence)

        worker = Worker("taker", take)
        worker.start()
        for number in range(500):
            outbox.append(make_alert(number))
        assert worker.join(LIMIT)
        worker.stop()
        assert taken == list(range(1, 501))
        assert len(outbox) == 0

    @given(st.lists(st.integers(min_value=0, max_value=12), max_size=40), st.integers(min_value=1, max_value=6))
    def test_never_holds_more_than_its_limit_nor_out_of_order(self, actions: list[int], limit: int) -> None:
        outbox = MemoryOutbox(limit)
        for action in actions:
            if action:
                outbox.acknowledge(action)
            else:
                outbox.append(make_alert())
        held = sequences(outbox.pending(0, 100, 0.0))
        assert held == sorted(set(held))
        assert len(held) == len(outbox) <= limit


class TestExpose:
    def test_a_scrape_sees_how_much_waits_and_for_how_long(self) -> None:
        outbox, metrics = MemoryOutbox(), Metrics()
        expose(outbox, metrics)
        assert value(metrics, "outbox_pending") == 0
        assert value(metrics, "outbox_oldest_seconds") == 0
        outbox.append(make_alert())
        time.sleep(0.05)
        assert value(metrics, "outbox_pending") == 1
        assert 0.05 <= value(metrics, "outbox_oldest_seconds") < LIMIT

    def test_a_store_that_fails_does_not_fail_the_scrape(self) -> None:
        class Broken(MemoryOutbox):
            def oldest(self) -> float | None:
                raise SinkError("disk")

        metrics = Metrics()
        expose(Broken(), metrics)
        assert math.isnan(value(metrics, "outbox_oldest_seconds"))
