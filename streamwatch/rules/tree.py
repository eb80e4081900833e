"""Conditions as a tree: what is inside a term, how it is called, and the same with another threshold.

A term is a frozen dataclass whose fields are values, terms or tuples of terms; so no operator need know of this.
"""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from streamwatch.rules.condition import SILENCE, Term
from streamwatch.rules.event import Event

__all__ = ["children", "describe", "events", "operator", "reach", "with_threshold"]


def children(term: Term) -> Iterator[tuple[str, Term]]:
    """The terms right inside ``term``, each with its place as rule files have it: ``all[1]``, ``not``."""
    word = operator(term)
    for _, value in _fields(term):
        if _is_term(value):
            yield word, value
        elif isinstance(value, tuple):
            yield from ((f"{word}[{i}]", inner) for i, inner in enumerate(value) if _is_term(inner))


def events(term: Term) -> list[Event]:
    """All ``event`` conditions in ``term``, itself included."""
    inside = [event for _, inner in children(term) for event in events(inner)]
    return [term, *inside] if isinstance(term, Event) else inside


def with_threshold(term: Term, on: float) -> Term:
    """``term`` with ``on`` in all its ``event`` conditions; ``off`` keeps its share of it."""
    changed: dict[str, Any] = {}
    for name, value in _fields(term):
        if _is_term(value):
            changed[name] = with_threshold(value, on)
        elif isinstance(value, tuple) and any(map(_is_term, value)):
            changed[name] = tuple(with_threshold(inner, on) if _is_term(inner) else inner for inner in value)
    if isinstance(term, Event):
        return replace(term, on=on, off=on * term.off / term.on)
    whole: Any = term
    new: Term = replace(whole, **changed) if changed else term
    return new


def reach(term: Term) -> float:
    """For how many seconds what ``term`` has heard can matter to it, hysteresis and silences aside."""
    own: float = sum(value for name, value in _fields(term) if name in _SPANS)
    own += SILENCE * sum(value for name, value in _fields(term) if name == "of")
    return own + max((reach(inner) for _, inner in children(term)), default=0.0)


def operator(term: Term) -> str:
    """Its word in rule files: ``k_of_n`` for KOfN."""
    word = re.sub(r"(?<!^)(?=[A-Z])", "_", type(term).__name__).lower()
    return _WORDS.get(word, word)


def describe(term: Term) -> str:
    """The operator with its plain values: ``event fall, on 0.7, off 0.5``."""
    values = [
        _show(value) if name in ("name", "states") else f"{_WORDS.get(name, name)} {_show(value)}"
        for name, value in _fields(term)
        if isinstance(value, str | int | float) or name == "states"
    ]
    return " ".join([operator(term), ", ".join(values)]).strip()


_SPANS = ("hold", "span", "within", "warm_up")
_WORDS = {"hold": "for", "span": "in", "in_state": "camera"}


def _show(value: object) -> str:
    if isinstance(value, frozenset):
        return " or ".join(sorted(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fields(term: Term) -> Iterator[tuple[str, Any]]:
    whole: Any = term
    return ((field.name, getattr(term, field.name)) for field in fields(whole)) if is_dataclass(term) else iter(())


def _is_term(value: object) -> bool:
    return is_dataclass(value) and callable(getattr(value, "start", None)) and hasattr(value, "zones")
