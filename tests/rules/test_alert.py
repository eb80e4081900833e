"""The payload is a contract with other programs: its fields, their order, its bytes."""

import json
from dataclasses import replace
from math import nan

import pytest

from streamwatch.rules.alert import Alert, to_json, to_payload
from tests.rules.play import T0, book, play


def first() -> Alert:
    (alert,) = play(book({"labels": {"floor": "2"}, "annotations": {"summary": "Fall at {camera}, é"}}), [(0, 0.9)])
    return alert


def test_has_exactly_the_fields_of_the_contract() -> None:
    payload = to_payload(first(), "site-a", 7)
    assert list(payload) == [
        "schema", "id", "seq", "instance", "sequence", "type", "state", "cause", "camera", "rule", "event", "zone",
        "severity", "score", "peak_score", "threshold", "start_time",
        "time", "end_time", "summary", "labels", "annotations", "snapshot", "clip", "model",
        "rule_hash", "acknowledged", "why",
    ]  # fmt: skip


def test_reads_back() -> None:
    alert = first()
    payload = json.loads(to_json(alert, "site-a", 7))
    assert payload == to_payload(alert, "site-a", 7)
    assert payload | {"id": "", "rule_hash": ""} == {
        "schema": "streamwatch.alert/1", "id": "", "seq": 0, "instance": "site-a", "sequence": 7, "type": "new",
        "state": "firing", "cause": "condition", "camera": "dock",
        "rule": "fall", "event": "fall", "zone": None, "severity": "warning", "score": 0.9,
        "peak_score": 0.9, "threshold": 0.8, "start_time": T0, "time": T0, "end_time": None,
        "summary": "Fall at dock, é", "labels": {"floor": "2", "severity": "warning"},
        "annotations": {"summary": "Fall at dock, é"}, "snapshot": None, "clip": None,
        "model": {"name": "tiny", "version": "3", "sha256": "ab" * 32}, "rule_hash": "",
        "acknowledged": None,
        "why": {"path": "when", "text": "event fall, on 0.8, off 0.6", "holds": True, "since": T0, "score": 0.9,
                "threshold": 0.8},
    }  # fmt: skip


def test_is_one_line() -> None:
    assert "\n" not in to_json(replace(first(), summary="two\nlines"), "a", 1)


def test_refuses_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json(replace(first(), score=nan), "a", 1)


def test_an_end_says_why() -> None:
    end = to_payload(play(book({}), [(0, 0.9), (1, 0.1)])[-1], "a", 2)
    assert (end["type"], end["annotations"]) == ("end", {"end_reason": "ended"})
