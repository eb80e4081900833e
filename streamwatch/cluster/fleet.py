"""A configuration at work on all nodes of a cluster: one site, a host on each node, for as long as there are any."""

import hashlib
import logging
import pickle
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from streamwatch.cluster.actors import SCORER, SITE, HostActor, ScorerActor, SiteActor, host_name
from streamwatch.cluster.census import Census
from streamwatch.cluster.engine import attach
from streamwatch.config import Config
from streamwatch.errors import StreamwatchError, WorkerLostError
from streamwatch.plan import draw_plan

__all__ = ["Fleet", "census_of", "drain_host"]

log = logging.getLogger(__name__)

TURN = 1.0  # seconds between looks at the nodes
PAUSE = 5.0  # seconds until a host that ended is started again
START = 60.0  # seconds for the site to start
STOP = 25.0  # seconds for all to end in order
_HEAD = "node:__internal_head__"


class Fleet:
    """The actors of ``config`` on the cluster ``where``; they run as long as the ``with`` block.

    Whoever kills this process instead leaves them running, and the next to start the same configuration takes over.
    Raises ConfigError, PackError before anything starts.
    """

    def __init__(self, config: Config, where: str) -> None:
        self.config = config
        self.rules = draw_plan(config).rules
        self._hosts: dict[str, Any] = {}  # by node's id
        self._ends: dict[Any, str] = {}  # what is there when a host has ended → its node
        self._scorers: dict[tuple[str, int], Any] = {}  # by node and number
        self._again: dict[str, float] = {}  # node → monotonic s before which no host is started there
        self.engine = attach(where, config.data_dir)
        self._site: Any = None

    def __enter__(self) -> "Fleet":
        with ExitStack() as starting:
            starting.callback(self.stop)
            self._site = self._open_site()
            self.populate()
            starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(
        self,
        stop: threading.Event,
        reload: Callable[[], bool] = lambda: False,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Have a host on each node until ``stop``; ``reload`` says whether the rules should be read again.

        Raises WorkerLostError if the site ended and Ray does not start it again.
        """
        while not stop.wait(TURN):
            if reload():
                self._site.reload.remote()
            self.populate()
            alive()

    def census(self) -> Census:
        """Who is there, and how."""
        found: Census = ray.get(self._site.census.remote(), timeout=START)
        return found

    def populate(self) -> None:
        """One look: hosts on nodes that are new, and again where one has ended."""
        self._bury()
        try:
            nodes = [node for node in ray.nodes() if node["Alive"]]
        except RayError as error:  # the head is away; what runs goes on
            log.warning("Ray's head does not answer: %s", error)
            return
        now = time.monotonic()
        for node in nodes:
            cores = node["Resources"].get("CPU", 0.0)
            if cores > 0 and node["NodeID"] not in self._hosts and now >= self._again.get(node["NodeID"], 0.0):
                self._open_host(node["NodeID"], node["NodeName"], cores)
            for number in range(self.config.cluster.scorers * int(node["Resources"].get("GPU", 0.0))):
                self._open_scorer(node["NodeID"], number)
        living = {node["NodeID"] for node in nodes}
        self._scorers = {key: scorer for key, scorer in self._scorers.items() if key[0] in living}
        for gone in [node for node in self._hosts if node not in living]:
            log.error("node %s is gone, and with it its host", gone[:12])
            del self._hosts[gone]
        self._ends = {end: node for end, node in self._ends.items() if node in self._hosts}

    def stop(self) -> None:
        """Hosts first, then the site, then whatever Ray was started for it. Idempotent; logs who did not end."""
        if self._site is not None:
            hosts, self._hosts = self._hosts, {}
            for end in [host.stop.remote() for host in hosts.values()]:
                self._await(end)
            self._await(self._site.stop.remote())
            for actor in (*hosts.values(), *self._scorers.values(), self._site):
                ray.kill(actor)
            self._site = None
        self.engine.close()

    def _await(self, end: Any) -> None:
        try:
            for name in ray.get(end, timeout=STOP):
                log.error("%s did not end in time and was left behind", name)
        except RayError as error:
            log.error("did not stop in order: %s", str(error).splitlines()[0])

    def _open_site(self) -> Any:
        digest = hashlib.sha256(pickle.dumps(self.config)).hexdigest()
        try:
            site = self._make_site(digest)
            if ray.get(site.digest.remote(), timeout=START) != digest:
                log.warning("another configuration runs on this cluster; it is stopped first")
                self._clear(site)
                site = self._make_site(digest)
                ray.get(site.digest.remote(), timeout=START)
        except RayActorError as error:
            raise StreamwatchError(f"the site does not start: {_last_line(error)}") from None
        return site

    def _make_site(self, digest: str) -> Any:
        """The one that runs, or a new one: beside Ray's head, where its files are, if its outbox is a file."""
        beside = {_HEAD: 0.001} if self.config.outbox.url is None else {}
        return SiteActor.options(  # type: ignore[attr-defined]
            name=SITE, lifetime="detached", get_if_exists=True, num_cpus=0, resources=beside, max_restarts=-1,
            max_concurrency=64,
        ).remote(self.config, digest)  # fmt: skip

    def _clear(self, site: Any) -> None:
        for node in ray.nodes():
            try:
                host = ray.get_actor(host_name(node["NodeID"]))
            except ValueError:
                continue
            self._await(host.stop.remote())
            ray.kill(host)
        self._await(site.stop.remote())
        ray.kill(site)

    def _open_host(self, node: str, name: str, cores: float) -> None:
        strategy = NodeAffinitySchedulingStrategy(node, soft=False)
        host = HostActor.options(  # type: ignore[attr-defined]
            name=host_name(node), lifetime="detached", get_if_exists=True, num_cpus=0, max_concurrency=4,
            scheduling_strategy=strategy,
        ).remote(self.config, name, cores)  # fmt: skip
        self._hosts[node] = host
        self._ends[host.wait.remote()] = node

    def _open_scorer(self, node: str, number: int) -> None:
        """Ray starts it again if it dies; with its node it is gone."""
        if (node, number) not in self._scorers:
            self._scorers[node, number] = ScorerActor.options(  # type: ignore[attr-defined]
                name=f"{SCORER}{node}:{number}", lifetime="detached", get_if_exists=True, num_cpus=0,
                num_gpus=1 / self.config.cluster.scorers, max_restarts=-1, max_concurrency=64,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            ).remote(self.config)  # fmt: skip

    def _bury(self) -> None:
        """Hosts that have ended, or died."""
        ended, _ = ray.wait(list(self._ends), num_returns=len(self._ends), timeout=0) if self._ends else ([], [])
        for end in ended:
            node = self._ends.pop(end)
            try:
                ray.get(end)
                why = "it was stopped"
            except RayError as error:
                why = _last_line(error)
            if self._hosts.pop(node, None) is not None:
                log.error("the host on node %s has ended: %s; it is started again in %.0f s", node[:12], why, PAUSE)
                self._again[node] = time.monotonic() + PAUSE


def _last_line(error: Exception) -> str:
    return ([line for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1].strip()


def _site() -> Any:
    try:
        return ray.get_actor(SITE)
    except ValueError:
        raise WorkerLostError("no streamwatch runs on this cluster") from None


def census_of() -> Census:
    """Of the cluster that Ray is connected to. Raises WorkerLostError if no site answers."""
    try:
        found: Census = ray.get(_site().census.remote(), timeout=10)
    except RayError as error:
        raise WorkerLostError(f"the site does not answer: {_last_line(error)}") from None
    return found


def drain_host(host: str, on: bool) -> bool:
    """Have ``host`` give its cameras away, or take again; False if there is none of that name."""
    try:
        return bool(ray.get(_site().drain.remote(host, on), timeout=10))
    except RayError as error:
        raise WorkerLostError(f"the site does not answer: {_last_line(error)}") from None
