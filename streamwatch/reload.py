"""Reading the rule files again while everything runs."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from streamwatch.config import Config
from streamwatch.errors import ConfigError
from streamwatch.evaluation import Evaluation
from streamwatch.metrics import Metrics
from streamwatch.plan import Plan, rules_of
from streamwatch.rules.rule import Rule, hash_of

__all__ = ["Reload"]

log = logging.getLogger(__name__)

_LIMIT = 3.0  # s for the rules thread to make room and to answer; twice that is the longest that a reload waits
_ERRORS = 50  # lines in an answer


class Reload:
    """Puts what the rule files of ``config`` say now in force, or says why it cannot and changes nothing.

    ``answer`` hears the outcome of each, on the thread that did it:
    ``{"applied": true, "rules": 3, "hash": "9f86d081884c7d65", "time": 1764000000.0}``, where ``hash`` is that of
    ``rules.rule.hash_of`` and ``time`` UTC seconds; or ``{"applied": false, "errors": ["rules/fall.yml: …", …]}``.
    """

    def __init__(
        self,
        config: Config,
        plan: Plan,
        evaluation: Evaluation,
        metrics: Metrics,
        answer: Callable[[dict[str, object]], None] = lambda outcome: None,
    ) -> None:
        self.rules = plan.rules  # in force
        self._config = config
        self._events = frozenset(plan.pack.card.events)
        self._evaluation = evaluation
        self._metrics = metrics
        self._answer = answer
        self._requested = False
        self._one_at_a_time = threading.Lock()
        for result in ("applied", "refused"):
            metrics.rules_reloads.labels(result)

    def request(self) -> None:
        """Have the next ``turn`` do it. From any thread; never blocks. Several requests before it are one."""
        self._requested = True

    def turn(self) -> None:
        """Do what was requested."""
        if self._requested:
            self._requested = False  # before the files are read: a later change is a later request
            self()

    def __call__(self) -> dict[str, object]:
        """Do it now. Waits until the rules are in force; the answer."""
        with self._one_at_a_time:
            try:
                outcome = self._apply(rules_of(self._config, self._events))
            except (ConfigError, TimeoutError) as error:
                outcome = self._refuse(str(error).splitlines())
            self._answer(outcome)
        return outcome

    def _apply(self, rules: tuple[Rule, ...]) -> dict[str, object]:
        at = self._evaluation.replace(rules, _LIMIT)
        before, self.rules = self.rules, rules
        self._metrics.rules_loaded.set(time.time())
        self._metrics.rules_reloads.labels("applied").inc()
        digest = hash_of(rules)
        log.info("rules reloaded: %d in force, hash %s; %s", len(rules), digest, _difference(before, rules))
        return {"applied": True, "rules": len(rules), "hash": digest, "time": at}

    def _refuse(self, errors: list[str]) -> dict[str, object]:
        self._metrics.rules_reloads.labels("refused").inc()
        more = len(errors) - _ERRORS
        errors = errors if more <= 0 else [*errors[:_ERRORS], f"… and {more} more"]
        log.error("rules not reloaded, the %d in force stay: %s", len(self.rules), "; ".join(errors))
        return {"applied": False, "errors": errors}


def _difference(before: Iterable[Rule], after: Iterable[Rule]) -> str:
    """``added a, b; changed c``, or ``unchanged``."""
    old = {rule.name: rule.rule_hash for rule in before}
    new = {rule.name: rule.rule_hash for rule in after}
    kinds = {
        "added": [name for name in new if name not in old],
        "changed": [name for name in new if old.get(name, new[name]) != new[name]],
        "removed": [name for name in old if name not in new],
    }
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names) or "unchanged"
