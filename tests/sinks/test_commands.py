import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.rules.order import Acknowledge, Snooze
from streamwatch.sinks.commands import CommandGate, ReloadRules, ReplayAlerts, SwitchCamera

TOPIC = "p/dock/enabled/set"
REPLAY = "p/replay/request"
RELOAD = "p/rules/reload"
SNOOZE = "p/rules/snooze"
ID = "01M81GXG3PJYC11C2ZZ9JGJX56"
ACK = f"p/alerts/{ID}/ack"


def gate() -> CommandGate:
    return CommandGate("p", ["dock", "gate"])


@pytest.mark.parametrize(("payload", "enabled"), [(b"ON", True), (b"OFF", False)])
def test_switches_a_camera(payload: bytes, enabled: bool) -> None:
    assert gate().read(TOPIC, payload, False, 0.0) == SwitchCamera("dock", enabled)


@pytest.mark.parametrize(
    ("topic", "payload", "retained", "reason"),
    [
        ("p/nowhere/enabled/set", b"ON", False, "no such camera"),
        ("q/dock/enabled/set", b"ON", False, "no such camera"),
        (TOPIC, b"ON", True, "retained"),
        (TOPIC, b"x" * 17, False, "17 bytes"),
        (TOPIC, b"on", False, "neither"),
        (TOPIC, b"", False, "neither"),
        (REPLAY, b'{"after": 1}', True, "retained"),
        (REPLAY, b'{"after": 1}' + b" " * 128, False, "140 bytes"),
        (REPLAY, b"", False, "not JSON"),
        (REPLAY, b"\xff", False, "not JSON"),
        (REPLAY, b"[" * 128, False, "not JSON"),
        (REPLAY, b"3", False, "form"),
        (REPLAY, b'{"after": 1, "before": 2}', False, "form"),
        (REPLAY, b'{"after": true}', False, "whole number"),
        (REPLAY, b'{"after": 1.0}', False, "whole number"),
        (REPLAY, b'{"after": "1"}', False, "whole number"),
        (REPLAY, b'{"after": -1}', False, "whole number"),
        (REPLAY, b'{"after": 9223372036854775808}', False, "whole number"),
        (RELOAD, b"", True, "retained"),
        (RELOAD, b" " * 17, False, "17 bytes"),
        (RELOAD, b"now", False, "neither"),
        ("p/rules/applied", b"{}", False, "no such"),
        ("p/alerts/dock/ack", b"{}", False, "no such"),  # an alert of a rule of that name
        (ACK + "/x", b"", False, "no such"),
        (ACK.lower(), b"", False, "no such"),
        (ACK, b"", True, "retained"),
        (ACK, b" " * 2049, False, "2049 bytes"),
        (ACK, b"ok", False, "not JSON"),
        (ACK, b'{"who": "Ann"}', False, "who: "),
        (SNOOZE, b"", False, "not JSON"),
        (SNOOZE, b'{"rule": "fall", "for": 1}', True, "retained"),
        (SNOOZE, b" " * 2049, False, "2049 bytes"),
    ],
)
def test_refuses_all_else_and_says_why(topic: str, payload: bytes, retained: bool, reason: str) -> None:
    assert reason in str(gate().read(topic, payload, retained, 0.0))


def test_bounds_the_rate_per_camera() -> None:
    commands = gate()
    taken = [isinstance(commands.read(TOPIC, b"ON", False, 0.0), SwitchCamera) for _ in range(8)]
    assert taken == [True] * 5 + [False] * 3
    assert isinstance(commands.read("p/gate/enabled/set", b"ON", False, 0.0), SwitchCamera)
    assert commands.read(TOPIC, b"ON", False, 0.5) == "too many commands"
    assert isinstance(commands.read(TOPIC, b"ON", False, 1.0), SwitchCamera)
    assert commands.read(TOPIC, b"ON", False, 1.0) == "too many commands"


def test_replays() -> None:
    assert gate().read(REPLAY, b' {"after": 17}', False, 0.0) == ReplayAlerts(17)


@pytest.mark.parametrize("payload", [b"", b"{}"])
def test_reloads(payload: bytes) -> None:
    assert gate().read(RELOAD, payload, False, 0.0) == ReloadRules()


def test_bounds_the_rate_of_reloads() -> None:
    commands = gate()
    taken = [isinstance(commands.read(RELOAD, b"", False, at), ReloadRules) for at in (0, 0, 0, 0, 0, 0, 5.1)]
    assert taken == [True] * 5 + [False, True]


def test_bounds_the_rate_of_replays_and_counts_only_what_was_taken() -> None:
    commands = gate()
    for _ in range(10):
        assert isinstance(commands.read(REPLAY, b"{}", False, 0.0), str)
    taken = [isinstance(commands.read(REPLAY, b'{"after": 0}', False, 0.0), ReplayAlerts) for _ in range(8)]
    assert taken == [True] * 5 + [False] * 3
    assert commands.read(REPLAY, b'{"after": 0}', False, 4.9) == "too many commands"
    assert isinstance(commands.read(REPLAY, b'{"after": 0}', False, 5.1), ReplayAlerts)


@given(st.text(max_size=60), st.binary(max_size=40), st.booleans(), st.floats(min_value=0, max_value=1e9))
def test_nothing_a_stranger_sends_is_more_than_refused(topic: str, payload: bytes, retained: bool, at: float) -> None:
    assert isinstance(gate().read(topic, payload, retained, at), str)
    assert isinstance(gate().read(TOPIC, payload, True, at), str)
    assert isinstance(gate().read(REPLAY, payload, False, at), str | ReplayAlerts)
    assert isinstance(gate().read(RELOAD, payload, False, at), str | ReloadRules)
    assert isinstance(gate().read(ACK, payload, False, at), str | Acknowledge)
    assert isinstance(gate().read(SNOOZE, payload, False, at), str | Snooze)


def test_acknowledges() -> None:
    assert gate().read(ACK, b"", False, 0.0) == Acknowledge(ID)
    assert gate().read(ACK, b'{"by": "Ann", "note": "on my way"}', False, 0.0) == Acknowledge(ID, "Ann", "on my way")


def test_snoozes() -> None:
    assert gate().read(SNOOZE, b'{"rule": "fall", "for": "2h"}', False, 0.0) == Snooze("fall", None, span=7200.0)


def test_bounds_the_rate_of_acknowledgements_over_all_ids() -> None:
    commands = gate()
    topics = [f"p/alerts/{number:026d}/ack" for number in range(25)]
    taken = [isinstance(commands.read(topic, b"", False, 0.0), Acknowledge) for topic in topics]
    assert taken == [True] * 20 + [False] * 5
    assert isinstance(commands.read(ACK, b"", False, 0.5), Acknowledge)
    assert commands.read(ACK, b"", False, 0.5) == "too many commands"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["after", "a", ""]), inner, max_size=2),
    max_leaves=6,
)


@given(JSON)
def test_any_json_is_a_command_or_a_reason(value: object) -> None:
    found = gate().read(REPLAY, json.dumps(value).encode(), False, 0.0)
    whole = isinstance(value, dict) and list(value) == ["after"] and type(value["after"]) is int
    assert isinstance(found, str) or (whole and isinstance(found, ReplayAlerts) and found.after >= 0)
