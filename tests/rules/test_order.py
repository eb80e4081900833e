import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.errors import OrderError
from streamwatch.rules.order import Acknowledge, Snooze, Snoozed, parse_acknowledge, parse_snooze


def test_an_acknowledgement_needs_no_words() -> None:
    assert parse_acknowledge("X", b"") == parse_acknowledge("X", b"{}") == Acknowledge("X")
    assert parse_acknowledge("X", b'{"by": "Ann", "note": "\xc3\xa9"}') == Acknowledge("X", "Ann", "é")


@pytest.mark.parametrize(
    ("payload", "order"),
    [
        ({"rule": "fall", "for": "2h"}, Snooze("fall", None, None, 7200.0)),
        ({"rule": "fall", "camera": "dock", "for": 0}, Snooze("fall", "dock", None, 0.0)),
        ({"camera": "dock", "until": 1.7e9, "by": "Bob"}, Snooze(None, "dock", 1.7e9, None, "Bob")),
        ({"camera": "dock", "until": 1700000000}, Snooze(None, "dock", 1.7e9)),
        ({"camera": "dock", "until": "2023-11-14T23:13:20+01:00"}, Snooze(None, "dock", 1.7e9)),
    ],
)
def test_a_snooze(payload: dict[str, object], order: Snooze) -> None:
    assert parse_snooze(json.dumps(payload).encode()) == order


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 900, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "give rule, camera or both"),
        (b'{"for": "1h"}', "give rule, camera or both"),
        (b'{"rule": "fall"}', "either until or for"),
        (b'{"rule": "fall", "for": "1h", "until": 5}', "either until or for"),
        (b'{"rule": "Fall", "for": "1h"}', "rule: "),
        (b'{"rule": "fall", "for": "1 hour"}', "for: .*must be a duration"),
        (b'{"rule": "fall", "for": -1}', "for: "),
        (b'{"rule": "fall", "until": NaN}', "until: "),
        (b'{"rule": "fall", "until": Infinity}', "until: "),
        (b'{"rule": "fall", "until": true}', "until: .*must be a time"),
        (b'{"rule": "fall", "until": "tomorrow"}', "until: "),
        (b'{"rule": "fall", "until": "2026-01-05T06:00:00"}', "time zone"),
        (b'{"rule": "fall", "for": 1, "by": 7}', "by: "),
        (b'{"rule": "fall", "for": 1, "by": "a\\nb"}', "by: "),
        (b'{"rule": "fall", "for": 1, "note": "\\ud800"}', "note: "),
        (b'{"rule": "fall", "for": 1, "by": "' + b"x" * 65 + b'"}', "by: "),
        (b'{"rule": "fall", "for": 1, "who": "x"}', "who: "),
    ],
)
def test_refuses_all_else_and_says_why(payload: bytes, said: str) -> None:
    with pytest.raises(OrderError, match=said):
        parse_snooze(payload)


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.dictionaries(st.sampled_from(["rule", "camera", "until", "for", "by", "note", "x"]), inner),
).map(lambda found: json.dumps(found).encode()))  # fmt: skip
def test_nothing_else_comes_of_it(payload: bytes) -> None:
    for parse in (parse_snooze, lambda found: parse_acknowledge("X", found)):
        try:
            assert isinstance(parse(payload), Snooze | Acknowledge)
        except OrderError as error:
            assert len(str(error)) < 500


def test_a_snooze_in_force_can_be_read() -> None:
    held = Snoozed("fall", None, 1.0, 2.0, "Ann")
    assert str(held) == "fall on every camera"
    assert str(Snoozed(None, "dock", 1.0, 2.0)) == "every rule on dock"
    assert held.to_payload() == {
        "rule": "fall", "camera": None, "since": 1.0, "until": 2.0, "by": "Ann", "note": "",
    }  # fmt: skip
