"""A process that decides alerts as fast as it is told, and tells its parent each that is committed.

All behind the decision is what a running instance has: folder lock, reserve, outbox on disk, MQTT sink. The parent
kills it at any moment; whatever was printed before that must reach the subscriber in the end.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from streamwatch.config import MqttConfig
from streamwatch.delivery import Delivery
from streamwatch.errors import ConfigError, SinkError
from streamwatch.folder import FolderLock
from streamwatch.metrics import Metrics
from streamwatch.models.detection import ModelInfo
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.sinks.mqtt import MqttSink
from streamwatch.sinks.outbox import Entry, MemoryOutbox
from streamwatch.sinks.reserve import Reserve
from streamwatch.sinks.sink import Site
from streamwatch.sinks.store import SqliteOutbox
from streamwatch.worker import Worker

CAMERAS = {f"camera-{number}": ["fight", "fall"] for number in range(4)}
MODEL = ModelInfo("campaign", "1", "0" * 64)
PAUSE = 0.05  # seconds before an alert that the store refused is tried again


def step_clock(folder: Path, real: Callable[[], float] = time.time) -> None:
    """Have the wall clock stand where ``folder``/offset says (seconds beside the real one), stepped at any moment."""
    path = folder / "offset"

    def stepped() -> float:
        try:
            return real() + float(path.read_text() or 0)
        except (OSError, ValueError):
            return real()

    time.time = stepped


def make_alert(number: int) -> Alert:
    """Incidents of two alerts each, over all cameras and rules."""
    incident, kind = number // 2, (AlertType.NEW, AlertType.END)[number % 2]
    camera = f"camera-{incident % 4}"
    now = time.time()
    return Alert(
        id=f"{os.getpid():012d}{incident:014d}", seq=number % 2, type=kind, camera=camera,
        rule=("fight", "fall")[incident % 2], event="fight", zone=None, severity="critical", score=0.9, peak_score=0.9,
        threshold=0.8, start_time=now, time=now, end_time=now if number % 2 else None, summary="x" * (number % 300),
        labels={"severity": "critical"}, annotations={}, model=MODEL, rule_hash="0" * 16,
    )  # fmt: skip


class Told(SqliteOutbox):
    """The store, which tells the parent what is committed."""

    def append(self, alert: Alert) -> Entry:
        entry = super().append(alert)
        tell(self.instance, entry)
        return entry

    def forget_to_sync(self) -> None:
        """What many programs do, because it is quicker."""
        self._db.execute("PRAGMA synchronous = OFF")


class ToldMemory(MemoryOutbox):
    """What most programs do: alerts wait in memory."""

    instance = f"memory-{os.getpid()}"

    def append(self, alert: Alert) -> Entry:
        entry = super().append(alert)
        tell(self.instance, entry)
        return entry


def tell(instance: str, entry: Entry) -> None:
    os.write(1, f"{instance} {entry.sequence} {entry.alert.id}\n".encode())


def open_outbox(folder: Path, control: str) -> Told | ToldMemory:
    if control == "memory":
        return ToldMemory()
    outbox = Told(folder / "alerts.sqlite")
    if control == "unsynced":
        outbox.forget_to_sync()
    return outbox


def publish(folder: Path, port: int, rate: float, control: str) -> None:
    lock = FolderLock(folder)
    reserve = Reserve(folder / "reserve")
    outbox, metrics = open_outbox(folder, control), Metrics()
    delivery = Delivery(outbox, reserve, metrics.alerts_dropped)
    config = MqttConfig(host="127.0.0.1", port=port, client_id="campaign", commands=True)
    sink = MqttSink(Site(outbox.instance, CAMERAS, outbox, metrics), config)
    worker = Worker("sink:mqtt", sink.run)
    stop, hush = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    signal.signal(signal.SIGUSR1, lambda number, frame: hush.set())
    worker.start()
    decide(delivery, rate, stop, hush)
    worker.stop()
    if not worker.join(8.0):
        sys.exit("the sink did not end")
    if isinstance(outbox, Told):
        outbox.close()
    lock.close()


def decide(delivery: Delivery, rate: float, stop: threading.Event, hush: threading.Event) -> None:
    """Deliver ``rate`` alerts a second until ``stop``; none any more after ``hush``, while the sink goes on."""
    number, due = 0, time.monotonic()
    while not stop.is_set():
        if hush.is_set():
            stop.wait(PAUSE)
            continue
        try:
            delivery.deliver(make_alert(number))
        except SinkError:  # it waits in memory, as in the rules thread
            stop.wait(PAUSE)
            continue
        number += 1
        due = max(due + 1 / rate, time.monotonic() - 1.0)
        stop.wait(max(0.0, due - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--control", choices=("", "memory", "unsynced"), default="")
    given = parser.parse_args()
    step_clock(given.folder)
    try:
        publish(given.folder, given.port, given.rate, given.control)
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(78)


if __name__ == "__main__":
    main()
