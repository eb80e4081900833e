import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.sinks.commands import CommandGate, SwitchCamera

TOPIC = "p/dock/enabled/set"


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


@given(st.text(max_size=60), st.binary(max_size=40), st.booleans(), st.floats(min_value=0, max_value=1e9))
def test_nothing_a_stranger_sends_is_more_than_refused(topic: str, payload: bytes, retained: bool, at: float) -> None:
    assert isinstance(gate().read(topic, payload, retained, at), str)
    assert isinstance(gate().read(TOPIC, payload, True, at), str)
