"""The operators of ``when``, and how a condition is read with them."""

from collections.abc import Callable, Mapping

from streamwatch.document import nearest
from streamwatch.errors import RuleError
from streamwatch.rules.absent import parse_absent
from streamwatch.rules.anomaly import parse_anomaly
from streamwatch.rules.camera import parse_camera
from streamwatch.rules.condition import Term
from streamwatch.rules.count import parse_count
from streamwatch.rules.event import parse_event
from streamwatch.rules.k_of_n import parse_k_of_n
from streamwatch.rules.logic import parse_all, parse_any, parse_not
from streamwatch.rules.motion import parse_motion
from streamwatch.rules.node import Node
from streamwatch.rules.on_cameras import parse_on_cameras
from streamwatch.rules.schedule import parse_schedule
from streamwatch.rules.sequence import parse_sequence
from streamwatch.rules.vocabulary import Vocabulary

__all__ = ["MAX_DEPTH", "MAX_TERMS", "OPERATORS", "parse_condition"]

OPERATORS: Mapping[str, Callable[[Node], Term]] = {
    "event": parse_event,
    "motion": parse_motion,
    "anomaly": parse_anomaly,
    "camera": parse_camera,
    "all": parse_all,
    "any": parse_any,
    "not": parse_not,
    "k_of_n": parse_k_of_n,
    "absent": parse_absent,
    "sequence": parse_sequence,
    "count": parse_count,
    "schedule": parse_schedule,
    "on_cameras": parse_on_cameras,
}
MAX_DEPTH = 8
MAX_TERMS = 128


def parse_condition(value: object, where: str, vocabulary: Vocabulary, cameras: tuple[str, ...]) -> Term:
    """The condition in ``value`` with all inside it. ``where`` names it in errors. Raises RuleError."""
    depth = terms = 0

    def parse(value: object, where: str, cameras: tuple[str, ...]) -> Term:
        nonlocal depth, terms
        depth += 1
        terms += 1
        if depth > MAX_DEPTH or terms > MAX_TERMS:
            raise RuleError(f"{where}: nested deeper than {MAX_DEPTH}, or more than {MAX_TERMS} conditions in one rule")
        mapping = _mapping(value, where)
        term = OPERATORS[_operator(mapping, where)](Node(mapping, where, vocabulary, cameras, parse))
        depth -= 1
        return term

    return parse(value, where, cameras)


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise RuleError(f"{where}: must be a mapping with an operator, such as {{event: fall, on: 0.8}}")
    for key in value:
        if not isinstance(key, str):
            raise RuleError(f"{where}: key {str(key)[:64]} must be a word")
    return value


def _operator(mapping: Mapping[str, object], where: str) -> str:
    found = [key for key in mapping if key in OPERATORS]
    if len(found) == 1:
        return found[0]
    if found:
        raise RuleError(f"{where}: has {len(found)} operators ({', '.join(found)}); each mapping has exactly one")
    hints = [hint for key in mapping if (hint := nearest(key, OPERATORS))]
    given = ", ".join(repr(key[:64]) for key in list(mapping)[:8]) or "nothing"
    raise RuleError(f"{where}: no operator among {given}{hints[0] if hints else ''} (known: {', '.join(OPERATORS)})")
