"""What a campaign plays on: a broker, a publisher, a subscriber, and a disk that can be filled."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.faults.subscriber import Place, Subscriber
from tests.sinks.stage import Mosquitto

__all__ = ["Publisher", "Stage", "build_powercut"]

ROOT = Path(__file__).parents[2]
LIMIT = 60.0  # seconds for anything to come back
KEEP_ALL = (
    "allow_anonymous true",
    "persistence true",
    "autosave_interval 1",
    "autosave_on_changes true",
    "max_queued_messages 0",
)


def build_powercut(folder: Path) -> Path | None:
    """The preloaded library; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "powercut.so"
    source = Path(__file__).with_name("powercut.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


class Publisher:
    """The publishing process over all its lives: one data folder, one line of ``committed`` alerts."""

    def __init__(self, folder: Path, port: int, control: str = "", rate: float = 50.0) -> None:
        self.folder = folder
        self.committed: set[Place] = set()
        self.library: Path | None = None  # preloaded, if power is to be cut
        self.synced = folder.parent / "synced"
        self._port = port
        self._control = control
        self._rate = rate
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def command(self) -> list[str]:
        options = ["--rate", str(self._rate), "--control", self._control]
        return [sys.executable, "-m", "tests.faults.publisher", str(self.folder), str(self._port), *options]

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ)
        if self.library is not None:
            self.synced.mkdir(exist_ok=True)
            environment |= {"LD_PRELOAD": str(self.library), "SYNCED": str(self.synced)}
        log = (self.folder.parent / "publisher.log").open("ab")
        self._process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=environment)
        log.close()
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            instance, sequence, incident = line.decode().split()
            with self._lock:
                self.committed.add((instance, int(sequence), incident))

    def count(self) -> int:
        """How many alerts are committed."""
        with self._lock:
            return len(self.committed)

    def wait_for(self, more: int) -> bool:
        """Whether ``more`` alerts were committed in time."""
        goal, deadline = self.count() + more, time.monotonic() + LIMIT
        while self.count() < goal and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.count() >= goal

    def kill(self) -> None:
        """As the kernel's out-of-memory killer does."""
        assert self._process is not None
        self._process.kill()
        self._join()

    def terminate(self) -> tuple[int, float]:
        """Ask it to stop: exit code, and how long that took (seconds)."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(LIMIT)
        self._join()
        return code, time.monotonic() - began

    def state(self) -> str:
        """Whether it runs, and the last it said: for a table that has to explain itself."""
        assert self._process is not None
        code = self._process.poll()
        log = (self.folder.parent / "publisher.log").read_text(errors="replace").splitlines()
        return f"{'running' if code is None else f'ended with {code}'}; last: {log[-1] if log else 'nothing'}"

    def hush(self) -> None:
        """Decide nothing more; what waits is still sent."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)

    def _join(self) -> None:
        assert self._process is not None
        assert self._reader is not None
        self._process.wait(LIMIT)
        self._reader.join(LIMIT)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def cut_power(self) -> None:
        """Kill it, and leave on disk what was synced and nothing else."""
        self.kill()
        for path in self.folder.glob("alerts.sqlite*"):
            path.unlink()
        for path in self.synced.glob("alerts.sqlite*"):
            if path.suffix != ".half" and not path.name.endswith("-shm"):
                shutil.copy(path, self.folder / path.name)


class Stage:
    """Broker, publisher and subscriber, all running. ``control`` weakens the publisher, to see that it shows."""

    def __init__(self, folder: Path, control: str = "", rate: float = 50.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.broker = Mosquitto(folder, *KEEP_ALL, f"persistence_location {folder}/")
        self.publisher = Publisher(folder / "data", self.broker.port, control, rate)
        self.broker.start()
        self.subscriber = Subscriber(self.broker.port)
        self._mounted = False

    def begin(self) -> None:
        """The publisher publishes, and the subscriber hears it."""
        self.publisher.start()
        assert self.recovery(time.monotonic()) is not None, "nothing arrives even before the first fault"

    def recovery(self, since: float) -> float | None:
        """Seconds from ``since`` until an alert arrives that is new; None if none does."""
        deadline = time.monotonic() + LIMIT
        while (at := self.subscriber.first_after(since)) is None:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)
        return at - since

    def mount(self, megabytes: int) -> bool:
        """Put the data folder on a disk of its own; False where that is not allowed."""
        self.publisher.folder.mkdir(parents=True, exist_ok=True)
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(self.publisher.folder)]
        allowed = os.geteuid() == 0 and subprocess.run(["mount", *options], capture_output=True, check=False)
        self._mounted = bool(allowed) and allowed.returncode == 0  # type: ignore[union-attr]
        return self._mounted

    def missing(self) -> set[Place]:
        """What was committed and did not arrive."""
        return self.publisher.committed - self.subscriber.seen()

    def settle(self, patience: float) -> None:
        """Wait until all has arrived, or nothing at all has come for ``patience`` seconds: a replay takes its time."""
        heard, since = -1, time.monotonic()
        while self.missing() and time.monotonic() - since < patience:
            if (now := self.subscriber.heard) != heard:
                heard, since = now, time.monotonic()
            time.sleep(0.1)

    def close(self) -> None:
        self.subscriber.close()
        self.broker.kill()
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.publisher.folder)], check=False)
