"""The product itself, in a process of its own, on cameras of ours: `streamwatch run` as a user runs it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from streamwatch.bench.scrape import Scrape, scrape
from streamwatch.config import CameraConfig, Config
from streamwatch.errors import ConfigError, StreamwatchError
from streamwatch.models.provider import ENGINES, gpu_present
from streamwatch.plan import shipped_rules

__all__ = ["Running", "Setup", "free_port", "run_site"]

_LIMIT = 90.0  # seconds that a start may take on a machine that does other things
_BUILD_LIMIT = 900.0  # the same with a GPU, whose engines and kernels take minutes where they are not kept yet
_STOP = 30.0
_LINES = 3  # of its log, where it failed
_PAUSE = 0.2
_LOOKS = 3  # at figures that a result is made of


@dataclass(frozen=True, slots=True)
class Setup:
    """What all runs of a measurement share. Raises ConfigError for what no configuration may say."""

    model: str = "bundled"
    provider: str = "auto"
    decode: str = "all"
    hwaccel: str = "none"
    engines: Path | None = None
    """Where TensorRT's engines are kept from one run to the next."""

    def __post_init__(self) -> None:
        camera = CameraConfig.model_fields
        fields = {"provider": Config.model_fields["provider"], "decode": camera["decode"], "hwaccel": camera["hwaccel"]}
        for name, field in fields.items():
            allowed, given = get_args(field.annotation), getattr(self, name)
            if given not in allowed:
                raise ConfigError(f"{name}: {given} is none of {', '.join(allowed)}")


@dataclass(frozen=True, slots=True)
class Running:
    """A process ``pid`` that was started at ``began`` (monotonic s)."""

    pid: int
    port: int
    began: float
    alive: Callable[[], None]
    limit: float = _LIMIT

    def look(self) -> Scrape | None:
        """Its metrics; None while it does not answer. Raises StreamwatchError if it has ended."""
        self.alive()
        try:
            return scrape(self.port)
        except OSError:
            return None

    def read(self) -> Scrape:
        """Its metrics, for figures: asked again if it was too busy to answer. Raises StreamwatchError."""
        for _ in range(_LOOKS):
            found = self.look()
            if found is not None:
                return found
            time.sleep(_PAUSE)
        raise StreamwatchError(f"streamwatch run did not give its metrics, asked {_LOOKS} times; try fewer cameras")

    def until(self, reached: Callable[[Scrape], bool], pause: float = _PAUSE) -> float:
        """Seconds from its start until ``reached``. Raises StreamwatchError if that takes too long."""
        while True:
            found = self.look()
            took = time.monotonic() - self.began
            if found is not None and reached(found):
                return took
            if took > self.limit:
                raise StreamwatchError(f"streamwatch run was not ready within {self.limit:.0f} s; try fewer cameras")
            time.sleep(pause)


@contextmanager
def run_site(urls: Sequence[str], setup: Setup) -> Iterator[Running]:
    """`streamwatch run` on cameras at ``urls``, with the shipped rules and a broker of its own; ends with the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamwatch-bench-")))
        http, broker = free_port(), free_port()
        config = {
            "model": setup.model,
            "provider": setup.provider,
            "data_dir": str(folder / "data"),
            "rules": [str(shipped_rules())],
            "http": {"port": http},
            "mqtt": {"port": broker},
            "cameras": [
                {"name": f"c{i:03d}", "url": url, "decode": setup.decode, "hwaccel": setup.hwaccel}
                for i, url in enumerate(urls)
            ],
        }
        if setup.engines is not None:
            _keep(setup.engines, folder / "data")
        file = folder / "streamwatch.yml"
        file.write_text(json.dumps(config))  # JSON is YAML
        log = stack.enter_context((folder / "log").open("wb+"))
        command = [sys.executable, "-m", "streamwatch", "run", "-c", str(file)]
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment())
        stack.callback(_end, process)

        def alive() -> None:
            if process.poll() is not None:
                said = (folder / "log").read_text(errors="replace").splitlines()[-_LINES:]
                raise StreamwatchError(f"streamwatch run ended with {process.returncode}: {' '.join(said)}")

        on_gpu = setup.provider != "cpu" and gpu_present()
        yield Running(process.pid, http, began, alive, _BUILD_LIMIT if on_gpu else _LIMIT)


def _keep(engines: Path, data: Path) -> None:
    """Have TensorRT's engines, which `run` keeps in its folder ``data``, stay in ``engines``."""
    engines.mkdir(parents=True, exist_ok=True)
    data.mkdir()
    (data / ENGINES).symlink_to(engines.resolve(), target_is_directory=True)


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """Ours, and the same package: it may not be the one that the interpreter would find."""
    package = str(Path(__file__).parents[2])
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))}


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP)
