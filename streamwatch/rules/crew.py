"""Who watches a camera: a watch for each rule about it, and a vigil for each that must not lose sight of it."""

from collections.abc import Iterable, Sequence

from streamwatch.rules.memory import Learnt, Memory
from streamwatch.rules.rule import Rule
from streamwatch.rules.vigil import Vigil
from streamwatch.rules.watch import Watch

__all__ = ["Crew"]


class Crew:
    """Makes them for the rules in force. ``shared`` are the watches of rules that join cameras, by rule."""

    def __init__(self, rules: Iterable[Rule], ordered: Sequence[Rule], salt: str) -> None:
        self.shared: dict[str, Watch] = {}
        self.memory = Memory()
        self._ordered = ordered
        self._hashes = {rule.name: rule.rule_hash for rule in rules}
        self._salt = salt
        self._salts = dict.fromkeys(self._hashes, salt)  # another each time a rule comes anew: no id is used twice
        self._replaced = 0  # times

    def replace(self, rules: Iterable[Rule], ordered: Sequence[Rule]) -> None:
        """``rules`` are in force from now on; ``ordered`` are those to be evaluated here."""
        hashes = {rule.name: rule.rule_hash for rule in rules}
        self._replaced += 1
        fresh = f"{self._salt} {self._replaced}"
        self._salts = {
            name: self._salts[name] if self._hashes.get(name) == digest else fresh for name, digest in hashes.items()
        }
        self._ordered, self._hashes = ordered, hashes
        self.memory.keep(hashes)
        self.shared = {name: watch for name, watch in self.shared.items() if name in hashes}
        for shared in self.shared.values():
            shared.inhibited_by(())

    def remember(self, known: Iterable[Learnt]) -> None:
        """Go on from ``known`` where a rule is the same."""
        self.memory.remember(known)
        self.memory.keep(self._hashes)

    def follow(self, other: "Crew") -> None:
        """Know of the reloads that ``other`` has seen."""
        self._salts, self._replaced = other._salts, other._replaced

    def watches(self, camera: str, before: Iterable[Watch] = ()) -> tuple[Watch, ...]:
        """A watch on ``camera`` for each rule; of those from ``before`` that whose rule is unchanged."""
        former = {watch.rule.name: watch for watch in before}
        named: dict[str, Watch] = {}
        for rule in self._ordered:
            if rule.watches(camera):
                inhibitors = tuple(named[name] for name in rule.inhibited_by if name in named)
                earlier = former.get(rule.name)
                if rule.scope == "site":
                    named[rule.name] = self._joint(rule, inhibitors)
                elif earlier is not None and earlier.rule.rule_hash == rule.rule_hash:
                    earlier.inhibited_by(inhibitors)
                    named[rule.name] = earlier
                else:
                    watch = named[rule.name] = Watch(rule, camera, self._salts[rule.name], inhibitors)
                    self.memory.recall(watch)
                    if earlier is not None:
                        watch.follow(earlier)
        return tuple(named.values())

    def vigils(self, camera: str, before: Iterable[Vigil] = ()) -> tuple[Vigil, ...]:
        """Likewise of the rules that must not lose sight of ``camera``."""
        former = {(vigil.rule.name, vigil.rule.rule_hash): vigil for vigil in before}
        wanted = (rule for rule in self._ordered if rule.no_data == "alert" and rule.watches(camera))
        return tuple(former.get((r.name, r.rule_hash)) or Vigil(r, camera, self._salts[r.name]) for r in wanted)

    def _joint(self, rule: Rule, inhibitors: tuple[Watch, ...]) -> Watch:
        """The one watch of ``rule`` on all cameras; from now on ``inhibitors`` inhibit it too."""
        watch = earlier = self.shared.get(rule.name)
        if watch is None or watch.rule.rule_hash != rule.rule_hash:
            watch = self.shared[rule.name] = Watch(rule, "", self._salts[rule.name])
            if earlier is not None:
                watch.follow(earlier)
        watch.inhibited_by(inhibitors, further=True)
        return watch
