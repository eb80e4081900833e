"""The whole service killed at random moments: ``streamwatch run`` with cameras, model and rules, and a real broker.

``python -m tests.faults --kills 20 --seed 1``. Whatever is in the outbox must reach the subscriber in the end, without
a hole in ``sequence``; and what was told to be ON must be told OFF by the next life, whatever its rules are by then.
"""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import STREAMWATCH
from tests.sinks.stage import Listener, Mosquitto, free_port

__all__ = ["KillReport", "Service", "play", "rows"]

LIMIT = 120.0  # seconds for anything on a loaded machine
SCENES = ("fall?seed=3&duration=9", "walk?seed=2&duration=7")
# Scores and motion of these scenes cross these levels up and down again every few seconds.
LEVELS = [("motion", on) for on in (1, 5, 10, 13, 15)] + [("fall", on) for on in (0.05, 0.06, 0.1)] + [("fight", 0.06)]


def rule_text(firing: bool) -> str:
    """Rules that fire and end often, or the same that never can."""
    lines = []
    for kind, on in LEVELS:
        level = on if firing else 250 if kind == "motion" else 1.0
        when = f"{{motion: {level}}}" if kind == "motion" else f"{{event: {kind}, on: {level}}}"
        lines.append(f"- {{alert: {kind}-{str(on).replace('.', '')}, when: {when}}}")
    return "rules:\n" + "\n".join(lines) + "\n"


class Service:
    """``streamwatch run`` over all its lives, its broker, and somebody who listens."""

    def __init__(self, folder: Path, scenes: tuple[str, ...] = SCENES) -> None:
        self.folder = folder
        self.cameras = [f"cam-{number}" for number in range(len(scenes))]
        self.broker = Mosquitto(folder)
        self.broker.start()
        self.listener = Listener(self.broker.port)
        self._log = folder / "streamwatch.log"
        listed = "".join(
            f"  - {{name: {name}, url: 'synthetic:{scene}&size=160x90&fps=12'}}\n"
            for name, scene in zip(self.cameras, scenes, strict=True)
        )
        self._config = folder / "streamwatch.yml"
        self._config.write_text(
            f"data_dir: {folder}/data\nrules: [{folder}/rules.yml]\nhttp: {{port: {free_port()}}}\nprovider: cpu\n"
            f"mqtt: {{host: 127.0.0.1, port: {self.broker.port}, client_id: service, commands: true}}\n"
            f"cameras:\n{listed}"
        )
        self.judge(firing=True)
        self._process: subprocess.Popen[bytes] | None = None

    def judge(self, firing: bool) -> None:
        """Have rules that fire often, or never, from the next start on."""
        (self.folder / "rules.yml").write_text(rule_text(firing))

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [STREAMWATCH, "run", "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def kill(self) -> None:
        """Without a word."""
        assert self._process is not None
        assert self._process.poll() is None, self.said()
        self._process.kill()
        self._process.wait(LIMIT)
        self._process = None

    def terminate(self) -> tuple[int, float]:
        """Ask it to stop: exit code, and how long that took (seconds)."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(LIMIT)
        self._process = None
        return code, time.monotonic() - began

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT)
        self.listener.close()
        self.broker.kill()

    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text()[-4000:]

    def until(self, condition: Callable[[], object], what: str) -> bool:
        """Whether ``condition`` came true in time; a process that ended by itself is an error."""
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert self._process is None or self._process.poll() is None, self.said()
            if time.monotonic() > deadline:
                print(f"not within {LIMIT:.0f} s: {what}", file=sys.stderr)
                return False
            time.sleep(0.02)
        return True

    def arrived(self) -> set[tuple[str, int]]:
        """The alerts that the subscriber has, by instance and sequence."""
        return {(alert["instance"], alert["sequence"]) for alert in self.listener.alerts()}

    def on(self) -> set[str]:
        """The topics of states that are ON as retained: asked for anew."""
        fresh = Listener(self.broker.port, name="fresh")
        try:
            self.until(lambda: fresh.of("streamwatch/available"), "retained states")
            time.sleep(0.3)
            last = {m.topic: bytes(m.payload) for m in list(fresh.messages) if m.topic.endswith("/state")}
        finally:
            fresh.close()
        return {topic for topic, payload in last.items() if "/alert/" in topic and payload == b"ON"}

    def stored(self) -> list[tuple[str, int, str, str]]:
        """What the outbox holds: instance, sequence, incident and type of each alert."""
        db = sqlite3.connect(self.folder / "data" / "alerts.sqlite")
        try:
            (instance,) = db.execute("SELECT value FROM facts WHERE name = 'instance'").fetchone()
            found = db.execute("SELECT sequence, id, payload FROM alerts ORDER BY sequence").fetchall()
        finally:
            db.close()
        return [(instance, sequence, incident, json.loads(text)["type"]) for sequence, incident, text in found]


@dataclass(slots=True)
class KillReport:
    """What some kills left."""

    kills: int = 0
    stored: int = 0
    missing_before: int = 0
    missing: int = 0
    holes: int = 0  # in ``sequence``
    duplicates: int = 0
    open_at_kill: int = 0  # states that were ON when it was last killed
    left_on: int = 0  # of them, and of all, once the next life has run
    unended: int = 0  # incidents without an end
    code: int = 0
    seconds: float = 0.0

    @property
    def wrong(self) -> list[str]:
        """Every promise that was not kept."""
        names = ("missing", "holes", "left_on", "unended", "code")
        return [f"{name}: {value}" for name in names if (value := getattr(self, name))]


def play(folder: Path, kills: int, seed: int) -> KillReport:
    """Kill it so often, the last time with an incident open; then replay what is missing, and count."""
    chance, service, report = random.Random(seed), Service(folder), KillReport(kills)
    try:
        for number in range(kills):
            service.start()
            before = len(service.arrived())
            if number % 4:  # else anywhere while it starts
                service.until(lambda before=before: len(service.arrived()) > before, "an alert")  # type: ignore[misc]
                time.sleep(chance.expovariate(1 / 2.5))
            else:
                time.sleep(chance.uniform(0.0, 8.0))
            if number == kills - 1:
                service.until(lambda: len(service.on()) >= 2, "open incidents")
            service.kill()
        report.open_at_kill = len(service.on())
        _reckon(service, report)
    finally:
        service.close()
    return report


def _reckon(service: Service, report: KillReport) -> None:
    service.judge(firing=False)
    service.start()
    service.until(lambda: service.listener.shows("streamwatch/available", "online"), "online")
    service.until(lambda: not service.on(), "no state is ON")
    report.left_on = len(service.on())
    rows_of = service.stored()
    stored = {(instance, sequence) for instance, sequence, _, _ in rows_of}
    report.missing_before = len(stored - service.arrived())
    if missing := stored - service.arrived():
        request = {"after": min(sequence for _, sequence in missing) - 1}
        service.listener.publish("streamwatch/replay/request", json.dumps(request).encode())
        service.until(lambda: stored <= service.arrived(), "the replay")
    report.code, report.seconds = service.terminate()
    time.sleep(0.5)
    rows_of = service.stored()
    stored = {(instance, sequence) for instance, sequence, _, _ in rows_of}
    report.stored, report.missing = len(stored), len(stored - service.arrived())
    report.holes = len(set(range(1, len(rows_of) + 1)) ^ {sequence for _, sequence, _, _ in rows_of})
    report.duplicates = len(service.listener.alerts()) - len(service.arrived())
    ended = {incident for _, _, incident, kind in rows_of if kind == "end"}
    report.unended = len({incident for _, _, incident, _ in rows_of} - ended)


def rows(report: KillReport) -> Iterator[str]:
    """What was found, a line each."""
    yield f"kills of `streamwatch run`     {report.kills}"
    yield f"alerts in the outbox           {report.stored}"
    yield f"missing on PUBACK alone        {report.missing_before}"
    yield f"missing after the replay       {report.missing}"
    yield f"holes in sequence              {report.holes}"
    yield f"duplicates on the wire         {report.duplicates}"
    yield f"states ON at the last kill     {report.open_at_kill}"
    yield f"states ON after the next start {report.left_on}"
    yield f"incidents without an end       {report.unended}"
    yield f"SIGTERM                        exit {report.code} after {report.seconds:.1f} s"


def main(kills: int, seed: int) -> int:
    """Play, print, and say whether a promise broke."""
    with tempfile.TemporaryDirectory(prefix="streamwatch-kills-") as folder:
        report = play(Path(folder), kills, seed)
    print("\n".join(rows(report)))
    for line in report.wrong:
        print(f"BROKEN  {line}")
    return bool(report.wrong)
