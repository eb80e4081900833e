"""Ray, started on this machine or found: never open to a network without a token."""

import json
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from streamwatch.errors import ConfigError, WorkerLostError
from streamwatch.listening import is_loopback

__all__ = [
    "NAMESPACE", "Engine", "add_node", "attach", "known_address", "listens", "local_nodes", "locate", "prepare",
    "reach", "refusal",
]  # fmt: skip

NAMESPACE = "streamwatch"
STORE = 80 << 20  # bytes of Ray's object store on a simulated node: reports are small and do not live there
MOST = 64  # simulated nodes
PAUSE = 0.2  # seconds between questions to a head that is away
REACH = 5.0  # seconds for somebody to take a connection
_LOOPBACK = "127.0.0.1"
_FILE = "cluster.json"
# A node is declared dead after this; a host's lease is over before.
_HEALTH = {
    "health_check_initial_delay_ms": 2000,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 4,
}


@dataclass(frozen=True, slots=True)
class Engine:
    """Ray, connected. ``cluster`` are the simulated nodes, None where Ray was there before."""

    address: str
    cluster: Any
    _resources: ExitStack

    def close(self) -> None:
        """Disconnect; simulated nodes end."""
        self._resources.close()


def attach(where: str, data_dir: Path | None = None) -> Engine:
    """Connect to Ray at ``where``: ``auto``, ``local:N`` (N nodes simulated on this machine, on loopback, with a token
    made for them), ``ray://host:port`` or ``host:port``.

    The address and token of simulated nodes are left in ``data_dir`` for `streamwatch cluster`, readable by us alone.
    Raises ConfigError if that is no place, or Ray is open to a network and has no token; WorkerLostError if no Ray
    answers there.
    """
    prepare(where)
    import ray

    nodes = local_nodes(where)
    with ExitStack() as resources, _own_signals():
        cluster = None if nodes is None else _simulate(nodes, resources)
        address = locate(where) if cluster is None else str(cluster.address)
        if cluster is None:
            reach(where, address)
        try:
            with _patient_listeners():
                ray.init(address=address, namespace=NAMESPACE, logging_level="WARNING", **_local(cluster is not None))
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise WorkerLostError(f"--cluster {where}: no Ray answers there: {error}") from error
        resources.callback(ray.shutdown)
        listens = str(ray.get_runtime_context().gcs_address).rpartition(":")[0]
        if (fault := refusal(where, listens, os.environ.get("RAY_AUTH_MODE", ""))) is not None:
            raise ConfigError(fault)
        if cluster is not None and data_dir is not None:
            _leave(data_dir / _FILE, {"address": address, "token": os.environ["RAY_AUTH_TOKEN"]})
            resources.callback((data_dir / _FILE).unlink, missing_ok=True)
        return Engine(address, cluster, resources.pop_all())


def prepare(where: str) -> None:
    """Before anything imports ray, which reads its environment then. Raises ConfigError as ``attach``."""
    simulated = local_nodes(where) is not None
    if find_spec("ray") is None:
        raise ConfigError("--cluster needs Ray: pip install 'streamwatch[cluster]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    if simulated:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    if simulated or is_loopback(_host_port(locate(where))[0]):
        # Else Ray puts the address of a network card in the place of a loopback one.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"


def local_nodes(where: str) -> int | None:
    """N of ``local:N``, else None. Raises ConfigError for another number than 1 to 64, or nothing that Ray knows."""
    if where == "auto" or where.startswith("ray://"):
        return None
    kind, _, number = where.rpartition(":")
    if kind == "local" and number.isascii() and number.isdigit() and 1 <= int(number) <= MOST:
        return int(number)
    if kind in ("", "local") or not number.isdigit():
        raise ConfigError(f"--cluster {where}: say auto, local:N with N from 1 to {MOST}, ray://host:port or host:port")
    return None


def locate(where: str) -> str:
    """The address at ``where``: ``auto`` is RAY_ADDRESS, else what `ray start` left on this machine, found as Ray does.
    Raises ConfigError if neither is there.
    """
    if where != "auto":
        return where
    if found := os.environ.get("RAY_ADDRESS"):
        return found
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    file = Path(folder, "ray", "ray_current_cluster")
    try:
        return file.read_text().strip()
    except OSError:
        raise ConfigError(
            f"--cluster auto: no Ray answers there: RAY_ADDRESS is not set, and no {file} was left by `ray start`"
        ) from None


def reach(where: str, address: str) -> None:
    """Raises WorkerLostError if nobody listens at ``address``: Ray itself would try for minutes."""
    try:
        socket.create_connection(_host_port(address), timeout=REACH).close()
    except OSError as error:
        raise WorkerLostError(f"--cluster {where}: no Ray answers there: {address}: {error}") from None


def listens(address: str) -> bool:
    """Whether somebody takes a connection at ``address`` now."""
    try:
        reach(address, address)
    except WorkerLostError:
        return False
    return True


def _host_port(address: str) -> tuple[str, int]:
    """Of ``host:port`` or ``ray://host:port``; 10001 is the port of a Ray client where there is none."""
    parts = urlsplit(address if "://" in address else f"ray://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise ConfigError(f"--cluster {address}: say auto, local:N, ray://host:port or host:port")
    return host, port or 10001


def known_address(data_dir: Path) -> str | None:
    """Where the simulated nodes of a running `streamwatch run --cluster local:N` are; their token goes into our
    environment. None if there are none.
    """
    try:
        found: Mapping[str, str] = json.loads((data_dir / _FILE).read_text())
    except (OSError, ValueError):
        return None
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=found["token"])
    return found["address"]


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM to mean that this process and its nodes end at once: give it back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _patient_listeners() -> Iterator[None]:
    """Within, whoever connects listens at leisure. Ray's two threads that wait for logs and errors of workers ask again
    and again, without a pause, as long as its head is away: 1.4 cores of a machine that may have cameras to watch.
    """
    from ray import _raylet

    made = {name: getattr(_raylet, name) for name in ("GcsLogSubscriber", "GcsErrorSubscriber")}
    for name, subscriber in made.items():
        setattr(_raylet, name, _patient(subscriber))
    try:
        yield
    finally:
        for name, subscriber in made.items():
            setattr(_raylet, name, subscriber)


def _patient(subscriber: Any) -> Any:
    class Patient(subscriber):  # type: ignore[misc]
        def poll(self, timeout: float | None = None) -> Any:
            found = super().poll(timeout)
            said = found[-1] if isinstance(found, tuple) else (found or {}).get("lines")
            if not said:  # only then is nobody there
                time.sleep(PAUSE)
            return found

    return Patient


def _simulate(nodes: int, resources: ExitStack) -> Any:
    from ray.cluster_utils import Cluster

    settings = {"node_ip_address": _LOOPBACK, "object_store_memory": STORE, "include_dashboard": False}
    head = {**settings, "num_cpus": 0, "no_monitor": True, "node_name": "head", "_system_config": _HEALTH}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    resources.callback(cluster.shutdown)
    for number in range(nodes):
        add_node(cluster, f"node-{number + 1}", wait=False)
    cluster.wait_for_nodes(timeout=120)
    return cluster


def add_node(cluster: Any, name: str, wait: bool = True, gpus: int = 0) -> Any:
    """One more simulated node, on loopback; with ``gpus`` that it claims to have, it runs no host."""
    cores = 0 if gpus else max(1, len(os.sched_getaffinity(0)))
    return cluster.add_node(
        wait=wait, num_cpus=cores, num_gpus=gpus, node_name=name, node_ip_address=_LOOPBACK, object_store_memory=STORE,
        include_dashboard=False,
    )  # fmt: skip


def _local(simulated: bool) -> dict[str, Any]:
    return {"_node_ip_address": _LOOPBACK} if simulated else {}


def refusal(where: str, listens: str, mode: str) -> str | None:
    """Why not to use a Ray that ``listens`` on that address, with that RAY_AUTH_MODE: whoever reaches it runs what he
    likes on all its nodes.
    """
    if is_loopback(listens) or mode == "token":
        return None
    return (
        f"--cluster {where}: Ray listens on {listens} and asks for no token, so anybody there can run anything. Start "
        "Ray with RAY_AUTH_MODE=token, and streamwatch with the same and RAY_AUTH_TOKEN_PATH"
    )


def _leave(path: Path, content: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w") as out:
        json.dump(content, out)
