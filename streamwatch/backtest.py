"""A backtest: score logs and rule files in, a report out. ``rules/backtest.py`` decides; here files are opened."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamwatch.config import Config
from streamwatch.errors import ConfigError, SourceError, StreamwatchError
from streamwatch.rules.alert import to_payload
from streamwatch.rules.backtest import Entry, Replay, compare, longest_quiet, replay, sweep
from streamwatch.rules.book import RuleBook
from streamwatch.rules.duration import parse_duration
from streamwatch.rules.explain import Explanation, explain, horizon
from streamwatch.rules.loading import load_rules
from streamwatch.rules.rule import Rule, hash_of
from streamwatch.rules.truth import Truth, judge
from streamwatch.rules.vocabulary import Vocabulary
from streamwatch.sinks.in_force import FILE, InForce, read
from streamwatch.sinks.score_block import Row, time_of
from streamwatch.sinks.score_files import cameras, names, newest, read_rows
from streamwatch.skim import skim

__all__ = [
    "ScoreFolder",
    "backtest",
    "explain_rule",
    "parse_at",
    "parse_since",
    "read_truth",
    "write_report",
]

COLUMNS = ("camera", "start_s", "end_s", "label")


@dataclass(frozen=True, slots=True)
class ScoreFolder:
    """A score log from ``since`` (in its own time) on; ``progress`` hears the time reached, now and then.

    ``site`` is the configuration whose cameras and zones rules may name beside those that the log holds.
    """

    folder: Path
    since: float = float("-inf")
    progress: Callable[[float], None] = lambda at: None
    site: Config | None = None

    def last(self, seconds: float) -> "ScoreFolder":
        """The last ``seconds`` of it, counted back from its newest row. Raises SourceError."""
        return replace(self, since=newest(self.folder) - seconds)

    def rows(self, camera: str | None = None, since: float | None = None) -> Iterator[Row]:
        """What was logged, in order. Raises SourceError."""
        for i, row in enumerate(read_rows(self.folder, camera, self.since if since is None else since)):
            if i % 5000 == 0:
                self.progress(time_of(row))
            yield row

    def skim(self, book: RuleBook) -> Iterator[Entry]:
        """What ``book`` must hear of it, in order. Raises SourceError."""
        return skim(self.folder, book, self.since, self.progress)

    def in_force(self) -> Sequence[InForce]:
        """Which rules were in force meanwhile, as far as is known. Raises SourceError."""
        try:
            return read(self.folder, self.since)
        except OSError as error:
            raise SourceError(f"{self.folder / FILE}: cannot be read: {error.strerror}", reason="invalid") from error

    def vocabulary(self) -> Vocabulary:
        """What rules may name: the events, cameras and zones of the log and of the site. Raises SourceError."""
        known = {camera: names(self.folder, camera, self.since) for camera in cameras(self.folder)}
        events = frozenset[str]().union(*(events for events, _ in known.values()))
        zones = {camera: zones for camera, (_, zones) in known.items()}
        for camera in self.site.cameras if self.site is not None else ():
            zones[camera.name] = zones.get(camera.name, frozenset()) | {zone.name for zone in camera.zones}
        return Vocabulary(events, tuple(zones), zones)


def backtest(
    log: ScoreFolder,
    rules: Sequence[Path],
    against: Sequence[Path] = (),
    truths: Sequence[Truth] = (),
    swept: bool = False,
) -> dict[str, Any]:
    """The report, ready for JSON: the same log and rules give the same, byte for byte.

    Raises SourceError for the log, RuleError for the rules.
    """
    vocabulary = log.vocabulary()
    loaded = load_rules(rules, vocabulary)
    old = load_rules(against, vocabulary) if against else ()
    found = replay(log.skim, loaded)
    report = _report(found, loaded)
    report["hash"] = hash_of(loaded)
    report["in_force"] = [asdict(entry) for entry in log.in_force()]
    if against:
        added, gone, changed = compare(replay(log.skim, old).firings, found.firings)
        report["against"] = {
            "added": [asdict(firing) for firing in added],
            "gone": [asdict(firing) for firing in gone],
            "changed": [asdict(change) for change in changed],
        }
    if truths:
        report["truth"] = [
            asdict(judgement)
            | {
                "recall": judgement.recall,
                "false_alarms_per_hour": judgement.false_alarms_per_hour,
                "median_delay": judgement.median_delay,
            }
            for judgement in judge(found.firings, truths, found.coverage)
        ]
    if swept:
        report["sweep"] = [asdict(level) for level in sweep(log.skim, loaded)]
    return report


def explain_rule(log: ScoreFolder, rules: Sequence[Path], name: str, camera: str | None, at: float) -> Explanation:
    """Why rule ``name`` fired or did not at ``at``; reads as far back as the rule may remember.

    Raises SourceError, ConfigError.
    """
    vocabulary = log.vocabulary()
    loaded = load_rules(rules, vocabulary)
    rule = next((rule for rule in loaded if rule.name == name), None)
    if rule is None:
        raise ConfigError(f"no rule is named {name!r} (known: {', '.join(rule.name for rule in loaded)})")
    watched = tuple(camera for camera in vocabulary.cameras if rule.watches(camera))
    since = at - horizon(rule, loaded)
    if rule.scope == "site":
        return explain(log.rows(None, since), rule, loaded, ", ".join(watched), at)
    if camera is None and len(watched) != 1:
        raise ConfigError(f"rule {name} watches {', '.join(watched) or 'no camera of the log'}: say which by --camera")
    if camera is not None and camera not in watched:
        raise ConfigError(f"rule {name} does not watch {camera!r} (it watches {', '.join(watched) or 'none'})")
    chosen = camera or watched[0]
    return explain(log.rows(chosen, since), rule, loaded, chosen, at)


def read_truth(path: Path) -> tuple[Truth, ...]:
    """A CSV file with the columns camera, start_s, end_s, label; times as in the log. Raises ConfigError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            lacking = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if lacking:
                raise ConfigError(f"{path}: no column {', '.join(lacking)}; line 1 must name {','.join(COLUMNS)}")
            return tuple(_truth(row, f"{path}: line {reader.line_num}") for row in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def parse_at(text: str) -> float:
    """A moment: seconds, or ISO 8601 (UTC where it names no zone). Raises ConfigError."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--at {text!r} is neither seconds nor a time such as 2026-05-01T13:00:00Z") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def parse_since(text: str) -> float:
    """Seconds of a duration such as 30d. Raises ConfigError."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--since {error}") from None


def write_report(report: dict[str, Any], path: Path) -> None:
    """The report as JSON. Raises StreamwatchError."""
    try:
        path.write_text(json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise StreamwatchError(f"{path}: cannot be written: {error.strerror}") from error


def _truth(row: dict[str, str], where: str) -> Truth:
    try:
        truth = Truth(row["camera"], float(row["start_s"]), float(row["end_s"]), row["label"])
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: start_s and end_s must be seconds: {error}") from error
    if not truth.start <= truth.end or not truth.camera or not truth.label:
        raise ConfigError(f"{where}: needs a camera, a label, and an end_s that is not before start_s")
    return truth


def _report(found: Replay, rules: Sequence[Rule]) -> dict[str, Any]:
    days = found.days()
    told = [firing for firing in found.firings if not firing.shadow]
    quiet = longest_quiet(found)
    counts = {rule.name: sum(firing.rule == rule.name for firing in found.firings) for rule in rules}
    return {
        "camera_days": days,
        "incidents_per_camera_day": len(told) / days if days else None,
        "longest_quiet": None if quiet is None else {"since": quiet[0], "seconds": quiet[1]},
        "cameras": [asdict(camera) for camera in found.coverage],
        "rules": [
            {
                "rule": rule.name,
                "rule_hash": rule.rule_hash,
                "shadow": rule.shadow,
                "incidents": counts[rule.name],
                "incidents_per_camera_day": counts[rule.name] / days if days else None,
                "errors": found.errors.get(rule.name, 0),
            }
            for rule in rules
        ],
        "late": found.late,
        "incidents": [asdict(firing) for firing in found.firings],
        "alerts": [to_payload(alert, "backtest", i) for i, alert in enumerate(found.alerts, start=1)],
    }
