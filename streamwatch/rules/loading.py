"""Rule files and folders of them: the only module here that touches the file system."""

import logging
from collections.abc import Iterable
from pathlib import Path

from streamwatch.document import read_document
from streamwatch.errors import ConfigError, RuleError
from streamwatch.rules.inhibition import faults_of_inhibition
from streamwatch.rules.rule import Rule, parse_rules
from streamwatch.rules.vocabulary import Vocabulary

__all__ = ["load_rules", "rule_files"]

_log = logging.getLogger(__name__)


def rule_files(paths: Iterable[Path]) -> list[Path]:
    """The rule files that ``paths`` name, each once: a folder stands for its ``*.yml`` without ``*.test.yml``.

    Raises RuleError for a path that does not exist and a folder without rules.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.glob("*.yml") if not p.name.endswith(".test.yml") and p.is_file())
            if not inside:
                raise RuleError(f"{path}: holds no *.yml; for no rules at all, say `rules: []`")
        elif path.exists():
            inside = [path]
        else:
            raise RuleError(f"{path}: no such file or folder")
        for file in inside:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def load_rules(paths: Iterable[Path], vocabulary: Vocabulary) -> tuple[Rule, ...]:
    """All rules in files and folders. Raises RuleError with every fault of every file, one a line.

    A glob that matches no camera is only warned of.
    """
    rules: list[Rule] = []
    faults: list[str] = []
    for path in rule_files(paths):
        try:
            rules += parse_rules(read_document(path), str(path), vocabulary)
        except ConfigError as error:
            faults.append(str(error))
    faults += _repeats(rules)
    if not faults:
        faults = faults_of_inhibition(rules)
    if faults:
        raise RuleError("\n".join(faults))
    for rule in rules:
        if not vocabulary.matching(rule.cameras):
            _log.warning(
                "%s: rule %s watches no camera: none matches %s", rule.where, rule.name, ", ".join(rule.cameras)
            )
    return tuple(rules)


def _repeats(rules: list[Rule]) -> list[str]:
    first: dict[str, Rule] = {}
    return [
        f"{rule.where}.alert: name {rule.name!r} is already used by {first[rule.name].where}"
        for rule in rules
        if rule is not first.setdefault(rule.name, rule)
    ]
