"""Rule files and folders of them: the only module here that touches the file system."""

import logging
from collections.abc import Iterable
from pathlib import Path

from streamwatch.document import read_document
from streamwatch.errors import ConfigError, RuleError
from streamwatch.rules.inhibition import faults_of_inhibition
from streamwatch.rules.junit import Verdicts, to_junit
from streamwatch.rules.rule import Rule, parse_rules
from streamwatch.rules.verdict import Verdict
from streamwatch.rules.vocabulary import Vocabulary

__all__ = ["load_rules", "rule_files", "run_suites", "suite_files"]

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


def suite_files(paths: Iterable[Path]) -> list[Path]:
    """The files of tests that ``paths`` name: a folder stands for every ``*.test.yml`` in it and below.

    Raises RuleError for a path that does not exist and a folder without tests.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*.test.yml")) if path.is_dir() else [path]
        if not inside or not path.exists():
            raise RuleError(f"{path}: {'holds no *.test.yml' if path.is_dir() else 'no such file or folder'}")
        found += inside
    return list(dict.fromkeys(found))


def run_suites(paths: Iterable[Path], junit: Path | None = None) -> Verdicts:
    """The outcome of each test in the files and folders ``paths``, also written to the file ``junit``.

    Raises RuleError if a file of tests, or a rule file that it names, is faulty, ConfigError if one cannot be read or
    ``junit`` not be written.
    """
    verdicts = {str(path): _run_suite(path) for path in suite_files(paths)}
    if junit is not None:
        try:
            junit.write_text(to_junit(verdicts), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{junit}: cannot be written: {error.strerror}") from error
    return verdicts


def _run_suite(path: Path) -> tuple[Verdict, ...]:
    from streamwatch.rules.testing import parse_tests, try_case, vocabulary_of  # serving need not wait for it

    tests = parse_tests(read_document(path), str(path))
    names = tests.rule_files
    if names is None and not path.name.endswith(".test.yml"):
        raise RuleError(f"{path}: rule_files: say which; only of NAME.test.yml it is known to be NAME.yml")
    files = [path.parent / name for name in names or (path.name.removesuffix(".test.yml") + ".yml",)]
    try:
        return tuple(try_case(tests, case, load_rules(files, vocabulary_of(tests, case))) for case in tests.tests)
    except RuleError as error:
        raise RuleError(f"{path}: {error}") from None


def _repeats(rules: list[Rule]) -> list[str]:
    first: dict[str, Rule] = {}
    return [
        f"{rule.where}.alert: name {rule.name!r} is already used by {first[rule.name].where}"
        for rule in rules
        if rule is not first.setdefault(rule.name, rule)
    ]
