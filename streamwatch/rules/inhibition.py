"""``inhibited_by``: rules that silence others. While one of them fires on a camera, no incident of the other begins
to fire there.
"""

from collections.abc import Iterable, Mapping

from streamwatch.document import nearest
from streamwatch.errors import RuleError
from streamwatch.rules.rule import Rule

__all__ = ["evaluated", "faults_of_inhibition", "in_order"]


def faults_of_inhibition(rules: Iterable[Rule]) -> list[str]:
    """What is wrong with ``inhibited_by`` among all ``rules`` of a site: unknown names, circles."""
    named = {rule.name: rule for rule in rules}
    faults = [
        f"{rule.where}.inhibited_by: no rule is named {name!r}{nearest(name, named)}"
        for rule in named.values()
        for name in rule.inhibited_by
        if name not in named
    ]
    try:
        in_order(named.values())
    except RuleError as error:
        return [*faults, str(error)]
    return faults + [
        f"{rule.where}.inhibited_by: {name!r} joins cameras and is decided seconds after what happens on one of them; "
        "only rules with on_cameras or group_by: [rule] can wait for it"
        for rule in named.values()
        if rule.scope == "camera"
        for name in _behind(rule, named)
        if named[name].scope == "site"
    ]


def evaluated(rules: Iterable[Rule], across: bool) -> tuple[tuple[Rule, ...], frozenset[str]]:
    """Of ``rules`` those about one camera at a time or, ``across``, about several, in order, with all that inhibits
    them; and the names of those that are there for that alone. Raises RuleError for a circle.
    """
    named = {rule.name: rule for rule in in_order(rules)}
    own = {name for name, rule in named.items() if (rule.scope != "camera") is across}
    needed = own.union(*(_behind(named[name], named) for name in own))
    return tuple(rule for name, rule in named.items() if name in needed), frozenset(needed - own)


def _behind(rule: Rule, named: Mapping[str, Rule]) -> list[str]:
    """The names of all rules that inhibit ``rule``, or those that do, and so on."""
    found: dict[str, None] = {}
    waiting = list(rule.inhibited_by)
    while waiting:
        name = waiting.pop()
        if name in named and name not in found:
            found[name] = None
            waiting += named[name].inhibited_by
    return list(found)


def in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """``rules``, those that inhibit before those inhibited, else as given. Raises RuleError for a circle."""
    given = tuple(rules)
    named = {rule.name: rule for rule in given}
    placed: dict[str, Rule] = {}
    for rule in given:
        _place(rule, named, placed, ())
    return tuple(placed.values())


def _place(rule: Rule, named: Mapping[str, Rule], placed: dict[str, Rule], below: tuple[str, ...]) -> None:
    if rule.name in below:
        circle = " → ".join((*below[below.index(rule.name) :], rule.name))
        raise RuleError(f"{rule.where}.inhibited_by: goes round in a circle: {circle}")
    for name in rule.inhibited_by:
        if name in named and name not in placed:
            _place(named[name], named, placed, (*below, rule.name))
    placed.setdefault(rule.name, rule)
