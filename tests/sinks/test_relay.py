import dataclasses
import json
import time
from collections.abc import Callable, Iterator

import pytest

from streamwatch.rules.alert import AlertType
from streamwatch.sinks.connection import WINDOW, Connected, Connection, Lost
from streamwatch.sinks.endpoint import Endpoint
from streamwatch.sinks.formats import write_plain
from streamwatch.sinks.relay import Book, Relay
from streamwatch.sinks.replay import Replay
from streamwatch.sinks.sink import Site
from streamwatch.sinks.states import OpenIncidents, RetainedStates, Topics
from tests.sinks.stage import LIMIT, Listener, Mosquitto, make_alert, make_site, value, wait_for


@pytest.fixture
def link(mosquitto: Mosquitto) -> Iterator[Connection]:
    link = Connection(Endpoint("127.0.0.1", mosquitto.port, "under-test"), ("will", "gone"), 5)
    link.open()
    assert isinstance(link.event(LIMIT), Connected)
    yield link
    link.close(LIMIT)


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def book(site: Site) -> Book:
    return Book(Topics("p"), RetainedStates(), OpenIncidents(), write_plain, Replay(site.outbox))


@pytest.fixture
def relay(link: Connection, site: Site, book: Book) -> Relay:
    return Relay(link, site, book)


def turn_until(relay: Relay, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        relay.turn()


def test_takes_an_alert_off_the_outbox_only_when_it_is_acknowledged(
    relay: Relay, site: Site, mosquitto: Mosquitto
) -> None:
    mosquitto.freeze()
    site.outbox.append(make_alert())
    for _ in range(4):
        relay.turn()
    assert len(site.outbox.pending(0, 10, 0.0)) == 1
    mosquitto.thaw()
    turn_until(relay, lambda: not site.outbox.pending(0, 10, 0.0))
    assert value(site.metrics, "mqtt_published_total", result="acked") >= 1


def test_hands_over_a_few_at_a_time(relay: Relay, site: Site, mosquitto: Mosquitto) -> None:
    mosquitto.freeze()
    for number in range(100):
        site.outbox.append(make_alert(number))
    for _ in range(4):
        relay.turn()
    relay.abandon()
    assert value(site.metrics, "mqtt_published_total", result="failed") == WINDOW
    mosquitto.thaw()


def test_an_idle_turn_waits_and_an_alert_ends_the_wait(relay: Relay, site: Site) -> None:
    begun = time.monotonic()
    assert relay.turn() == []
    assert time.monotonic() - begun >= 0.04
    assert relay.lost is None


def test_an_end_turns_the_state_off(relay: Relay, site: Site, book: Book, mosquitto: Mosquitto) -> None:
    listener = Listener(mosquitto.port)
    site.outbox.append(make_alert())
    site.outbox.append(make_alert(kind=AlertType.END))
    turn_until(relay, lambda: listener.shows("p/dock/alert/fall/state", "OFF"))
    listener.close()


def test_a_lost_connection_ends_it_and_its_states_are_said_again(
    relay: Relay, book: Book, site: Site, mosquitto: Mosquitto
) -> None:
    mosquitto.freeze()
    book.states.set("p/dock/status", "online")
    relay.turn()
    assert len(book.states) == 0
    mosquitto.kill()
    turn_until(relay, lambda: relay.lost)
    assert isinstance(relay.lost, Lost)
    relay.abandon()
    assert book.states.take() == ("p/dock/status", "online")
    assert value(site.metrics, "mqtt_published_total", result="failed") == 1


@pytest.mark.parametrize("spoilt", [{"score": float("nan")}, {"summary": "\ud800"}])
def test_an_alert_that_no_json_can_hold_holds_up_nobody(
    relay: Relay, site: Site, mosquitto: Mosquitto, spoilt: dict[str, float | str]
) -> None:
    listener = Listener(mosquitto.port)
    site.outbox.append(dataclasses.replace(make_alert(1), **spoilt))  # type: ignore[arg-type]
    site.outbox.append(make_alert(2))
    turn_until(relay, lambda: not site.outbox.pending(0, 1, 0.0))
    wait_for(lambda: len(listener.messages) >= 2, "the good one and its state")
    alert = next(m for m in listener.messages if m.topic == "p/alerts/dock/fall")
    assert json.loads(alert.payload)["sequence"] == 2
    listener.close()


def test_draining_ends_when_nothing_waits(relay: Relay, site: Site) -> None:
    for number in range(100):
        site.outbox.append(make_alert(number))
    relay.drain(LIMIT, LIMIT)
    assert site.outbox.pending(0, 1, 0.0) == []
    assert relay.say("p/available", "stopped", LIMIT)


def test_draining_loses_patience_with_a_silent_broker(relay: Relay, site: Site, mosquitto: Mosquitto) -> None:
    mosquitto.freeze()
    site.outbox.append(make_alert())
    begun = time.monotonic()
    relay.drain(LIMIT, 0.3)
    assert not relay.say("p/available", "stopped", 0.1)
    assert 0.3 <= time.monotonic() - begun < LIMIT / 2
    mosquitto.thaw()


def test_a_silent_broker_is_given_up(relay: Relay, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.sinks.relay._ACK_LIMIT", 0.3)
    mosquitto.freeze()
    relay._book.states.set("p/dock/status", "online")
    turn_until(relay, lambda: relay.lost)
    assert relay.lost is not None
    assert "no acknowledgement" in relay.lost.reason
    mosquitto.thaw()


def test_replays_a_few_at_a_time_and_leaves_room_for_new_alerts(
    relay: Relay, site: Site, mosquitto: Mosquitto, book: Book
) -> None:
    mosquitto.freeze()
    for number in range(100):
        site.outbox.append(make_alert(number))
    relay._cursor = 60
    relay.replay(0)
    for _ in range(4):
        relay.turn()
    again = [sent.entry.sequence for sent in relay._sent.values() if sent.again and sent.entry]
    new = [sent.entry.sequence for sent in relay._sent.values() if not sent.again and sent.entry]
    assert again == [1, 2, 3, 4, 5]
    assert new[:10] == list(range(61, 71))
    assert len(relay._sent) == WINDOW, "the rest are new, and a state"
    relay.abandon()
    assert book.replay.active
    assert book.replay.peek() == site.outbox.pending(0, 1, 0.0)[0]
    mosquitto.thaw()
