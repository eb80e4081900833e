"""The outbox in a real PostgreSQL: gapless whatever is killed, and nothing committed is lost."""

import dataclasses
import itertools
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from streamwatch.errors import SinkError
from streamwatch.rules.alert import AlertType
from streamwatch.sinks.bounds import Bounds
from streamwatch.sinks.outbox import Entry
from streamwatch.sinks.postgres import PostgresOutbox
from tests.sinks.server import PASSWORD, PostgresServer
from tests.sinks.stage import LIMIT, make_alert

ROOT = Path(__file__).parents[2]
NAMES = map("site-{}".format, itertools.count())

WRITER = """
import sys
from streamwatch.secret import SecretUrl
from streamwatch.sinks.postgres import PostgresOutbox
from tests.sinks.stage import make_alert
outbox = PostgresOutbox(SecretUrl(sys.argv[1]), sys.argv[2])
number = int(sys.argv[3])
while True:
    entry = outbox.append(make_alert(number))
    print(number, entry.sequence, flush=True)
    number += 1
"""


def sequences(entries: list[Entry]) -> list[int]:
    return [entry.sequence for entry in entries]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.close()


@pytest.fixture
def name() -> str:
    """An instance that nobody has written as."""
    return next(NAMES)


@pytest.fixture
def outbox(server: PostgresServer, name: str) -> Iterator[PostgresOutbox]:
    made = PostgresOutbox(server.url, name)
    yield made
    made.close()


def test_hands_out_equal_alerts_in_order_until_they_are_acknowledged(outbox: PostgresOutbox) -> None:
    alerts = [make_alert(number) for number in range(5)]
    assert sequences([outbox.append(alert) for alert in alerts]) == [1, 2, 3, 4, 5]
    outbox.acknowledge(2)
    outbox.acknowledge(2)
    outbox.acknowledge(99)
    found = outbox.pending(0, 3, 0.0)
    assert sequences(found) == [1, 3, 4]
    assert [entry.alert for entry in found] == [alerts[0], alerts[2], alerts[3]]
    assert sequences(outbox.pending(4, 9, 0.0)) == [5]
    assert len(outbox) == 4
    assert sequences(outbox.alerts_after(1, 2)) == [2, 3]
    assert (outbox.held(0).first, outbox.held(0).last) == (1, 5)
    assert outbox.oldest() == found[0].stored


def test_another_site_goes_on_where_one_was(server: PostgresServer, name: str) -> None:
    first = PostgresOutbox(server.url, name)
    for number in range(3):
        first.append(make_alert(number))
    first.acknowledge(1)
    first.close()
    second = PostgresOutbox(server.url, name)
    assert (second.instance, len(second)) == (name, 2)
    entry = second.append(make_alert(3))
    assert (entry.sequence, entry.earlier) == (4, False)
    assert [(e.sequence, e.earlier) for e in second.pending(0, 9, 0.0)] == [(2, True), (3, True), (4, False)]
    second.close()


def test_two_sites_share_a_database_and_no_number(server: PostgresServer, outbox: PostgresOutbox) -> None:
    other = PostgresOutbox(server.url, next(NAMES))
    outbox.append(make_alert(1))
    assert other.append(make_alert(1)).sequence == 1
    assert other.append(make_alert(2)).sequence == 2
    other.acknowledge(1, 2)
    assert (len(outbox), len(other)) == (1, 0)
    other.close()


def test_one_process_an_instance(server: PostgresServer, outbox: PostgresOutbox, name: str) -> None:
    with pytest.raises(SinkError, match="another process writes as"):
        PostgresOutbox(server.url, name)
    outbox.close()
    PostgresOutbox(server.url, name).close()


def test_an_alert_that_is_stored_already_keeps_its_number(outbox: PostgresOutbox) -> None:
    alert = make_alert(1)
    assert not outbox.knows(alert)
    first = outbox.append(alert)
    outbox.append(make_alert(2))
    assert outbox.knows(alert)
    assert outbox.append(alert).sequence == first.sequence
    assert (len(outbox), outbox.held(0).last) == (2, 2)
    assert outbox.append(dataclasses.replace(alert, seq=1)).sequence == 3


def test_waits_for_the_first_and_no_longer_than_asked(outbox: PostgresOutbox) -> None:
    begun = time.monotonic()
    assert outbox.pending(0, 10, 0.05) == []
    assert time.monotonic() - begun >= 0.05
    late = threading.Timer(0.1, outbox.append, [make_alert()])
    late.start()
    assert sequences(outbox.pending(0, 10, LIMIT)) == [1]
    late.join(LIMIT)


def test_a_database_that_goes_away_is_told_and_found_again_without_a_gap(server: PostgresServer, name: str) -> None:
    outbox = PostgresOutbox(server.url, name)
    outbox.append(make_alert(1))
    server.kill()
    with pytest.raises(SinkError, match=r"outbox\.url postgresql://\*\*\*@127\.0\.0\.1") as refused:
        outbox.append(make_alert(2))
    assert refused.value.busy  # room on our disk would not help
    with pytest.raises(SinkError):
        outbox.pending(0, 9, 0.0)
    server.start()
    assert outbox.append(make_alert(2)).sequence == 2
    assert sequences(outbox.pending(0, 9, 0.0)) == [1, 2]
    assert len(outbox) == 2
    outbox.close()


def test_a_session_that_the_server_ends_takes_its_transaction_with_it(
    server: PostgresServer, outbox: PostgresOutbox
) -> None:
    outbox.append(make_alert(1))
    with psycopg.connect(server.url.reveal(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'streamwatch'")
    with pytest.raises(SinkError):
        outbox.append(make_alert(2))
    assert outbox.append(make_alert(2)).sequence == 2


def test_no_password_in_an_error(server: PostgresServer) -> None:
    wrong = type(server.url)(server.url.reveal().replace(PASSWORD, "WR0NG-CANARY"))
    with pytest.raises(SinkError) as refused:
        PostgresOutbox(wrong, "nobody")
    assert "password authentication failed" in str(refused.value)
    assert "CANARY" not in str(refused.value)
    nowhere = type(server.url)("postgresql://u:S3CR3T-CANARY@127.0.0.1:9/x")
    with pytest.raises(SinkError) as refused:
        PostgresOutbox(nowhere, "nobody")
    assert "CANARY" not in str(refused.value)


@pytest.mark.timeout(180)
def test_a_writer_killed_at_random_loses_and_repeats_no_number(server: PostgresServer, name: str) -> None:
    chance, begin = random.Random(3), 0
    told: dict[int, int] = {}
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, server.url.reveal(), name, str(begin)],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        ) as writer:  # fmt: skip
            assert writer.stdout is not None
            first = writer.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.3))
            writer.send_signal(signal.SIGKILL)
            lines = [first, *writer.stdout.readlines()]
        told.update((int(line.split()[0]), int(line.split()[1])) for line in lines if line.endswith("\n"))
        begin = max(told)  # the last one again: its answer may be all that was lost
    outbox = PostgresOutbox(server.url, name)
    kept = outbox.alerts_after(0, 100_000)
    assert sequences(kept) == list(range(1, len(kept) + 1))
    by_alert = {int(entry.alert.id[3:]): entry.sequence for entry in kept}
    assert len(by_alert) == len(kept)
    assert {number: by_alert[number] for number in told} == told
    assert len(told) > 20
    outbox.close()


def test_keeps_a_bounded_number_of_acknowledged_alerts(
    server: PostgresServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamwatch.sinks.postgres._TRIM_EVERY", 10)
    outbox = PostgresOutbox(server.url, name, keep=10)
    for number in range(1, 61):
        outbox.append(make_alert(number))
        if number != 30:
            outbox.acknowledge(number)
    kept = sequences(outbox.alerts_after(0, 1000))
    assert kept[0] == 30, "what nobody has acknowledged is never given up"
    assert kept[-1] == 60
    assert 11 <= len(kept) <= 10 + 10 + 1
    assert outbox.held(0).first > 30
    outbox.close()
    again = PostgresOutbox(server.url, name)
    assert again.held(0).last == 60
    again.close()


def test_gives_up_the_oldest_of_the_least_grave_beyond_its_bounds(server: PostgresServer, name: str) -> None:
    told: list[tuple[int, str]] = []
    outbox = PostgresOutbox(server.url, name, bounds=Bounds(rows=5), on_pruned=lambda n, why: told.append((n, why)))
    severities = ("critical", "info", "warning", "info", "critical", "critical", "warning")
    for number, severity in enumerate(severities):
        outbox.append(dataclasses.replace(make_alert(number), severity=severity))
    assert sequences(outbox.pending(0, 9, 0.0)) == [1, 3, 5, 6, 7]
    held = outbox.held(0)
    assert [(pruned.first, pruned.last, pruned.reason) for pruned in held.pruned] == [(2, 2, "rows"), (4, 4, "rows")]
    assert told == [(1, "rows"), (1, "rows")]
    outbox.close()


def test_gives_up_what_is_too_old_or_too_much(server: PostgresServer, name: str) -> None:
    told: list[str] = []
    outbox = PostgresOutbox(
        server.url, name, bounds=Bounds(10, 2500, 0.2), on_pruned=lambda rows, why: told.append(why)
    )
    for number in range(4):
        outbox.append(make_alert(number))
    assert told[:1] == ["bytes"]
    time.sleep(0.3)
    outbox.append(make_alert(9))
    assert "age" in told
    assert sequences(outbox.pending(0, 9, 0.0)) == [5]
    outbox.close()


def test_knows_which_incidents_it_left_open(outbox: PostgresOutbox) -> None:
    outbox.append(make_alert(1))
    outbox.append(make_alert(2))
    update = dataclasses.replace(make_alert(1, AlertType.UPDATE), seq=1)
    outbox.append(update)
    assert outbox.left_open() == [update, *[e.alert for e in outbox.pending(1, 1, 0.0)]]
    outbox.append(dataclasses.replace(make_alert(2, AlertType.END), seq=1))
    assert outbox.left_open() == [update]


def test_passes_over_what_cannot_be_read(server: PostgresServer, outbox: PostgresOutbox, name: str) -> None:
    for number in range(3):
        outbox.append(make_alert(number))
    with psycopg.connect(server.url.reveal(), autocommit=True) as other:
        other.execute("UPDATE alerts SET payload = '{' WHERE instance = %s AND sequence = 2", (name,))
    assert sequences(outbox.pending(0, 9, 0.0)) == [1, 3]
    assert [(p.first, p.reason) for p in outbox.held(0).pruned] == [(2, "unreadable")]
    assert len(outbox) == 2


def test_keeps_whatever_a_text_or_number_holds(outbox: PostgresOutbox) -> None:
    alert = dataclasses.replace(make_alert(), summary="\ud800\x00ü", score=float("inf"))
    outbox.append(alert)
    assert outbox.pending(0, 1, 0.0)[0].alert == alert
