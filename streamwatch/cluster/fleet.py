"""A configuration at work on all nodes of a cluster: one site, a host on each node, for as long as there are any."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from streamwatch.cluster.actors import SCORER, SITE, HostActor, ScorerActor, SiteActor, host_name
from streamwatch.cluster.census import Census
from streamwatch.cluster.digest import digest_of
from streamwatch.cluster.engine import attach, listens
from streamwatch.config import Config
from streamwatch.errors import StreamwatchError, WorkerLostError
from streamwatch.plan import draw_plan

__all__ = ["Fleet", "census_of", "drain_host"]

log = logging.getLogger(__name__)

TURN = 1.0  # seconds between looks at the nodes
PAUSE = 5.0  # seconds until a host that ended is started again
START = 60.0  # seconds for the site to start
ANSWER = 10.0  # seconds for the site to say something
STOP = 25.0  # seconds for all to end in order
WATCH = 60.0  # seconds that one question after an actor's end waits there at most
STOPPED = "it was stopped"
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
        self._vigils: dict[str, _Vigil] = {}  # at the hosts, by node's id
        self._scorers: dict[tuple[str, int], Any] = {}  # by node and number
        self._again: dict[str, float] = {}  # node → monotonic s before which no host is started there
        self._headless = False  # said so
        self.engine = attach(where, config.data_dir)
        self._site: Any = None
        self._site_vigil: _Vigil | None = None

    def __enter__(self) -> "Fleet":
        with ExitStack() as starting:
            starting.callback(self.stop)
            self._site = self._open_site()
            self._site_vigil = _Vigil(self._site)
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

        Raises WorkerLostError if the site has ended for good, or the connection to Ray has.
        """
        while not stop.wait(TURN):
            if reload():
                self._site.reload.remote()
            try:
                self.populate()
            except ConnectionError as error:  # over ray://, once the client gave up
                self._let_go()
                raise WorkerLostError(f"the connection to Ray is lost: {_last_line(error)}") from None
            alive()

    def census(self) -> Census:
        """Who is there, and how. Raises WorkerLostError if the site does not answer."""
        found: Census = _ask(self._site.census.remote(), ANSWER)
        return found

    def populate(self) -> None:
        """One look: the site lives, hosts on nodes that are new, and again where one has ended.

        Raises WorkerLostError if the site has ended for good.
        """
        if not self._has_head():
            return  # what runs goes on
        self._watch_site()
        self._bury()
        try:
            nodes = [node for node in ray.nodes() if node["Alive"]]
        except RayError as error:
            log.warning("Ray does not say which nodes there are: %s", _last_line(error))
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
            del self._hosts[gone], self._vigils[gone]
        self._again = {node: due for node, due in self._again.items() if node in living}

    def _has_head(self) -> bool:
        """Whether there is anybody to ask: while Ray's head is away its calls do not return."""
        there = listens(self.engine.address)
        if there == self._headless:
            self._headless = not there
            log.warning("Ray's head at %s %s", self.engine.address, "answers again" if there else "does not answer")
        return there

    def _watch_site(self) -> None:
        why = None if self._site_vigil is None else self._site_vigil.over()
        if why == STOPPED:
            self._let_go()
            raise WorkerLostError("the site was stopped: another streamwatch runs on this cluster now")
        if why is not None:  # Ray starts it again if it dies, unless it cannot start
            raise WorkerLostError(f"the site has ended: {why}")

    def _let_go(self) -> None:
        """The actors are another's now, or cannot be reached."""
        self._hosts, self._vigils, self._site, self._site_vigil = {}, {}, None, None

    def stop(self) -> None:
        """Hosts first, then the site, then whatever Ray was started for it. Idempotent; logs who did not end."""
        try:
            self._stop_actors()
        except ConnectionError as error:  # over ray://, once the client gave up
            log.error("the connection to Ray is lost, site and hosts run on: %s", _last_line(error))
        self._let_go()
        self.engine.close()

    def _stop_actors(self) -> None:
        if self._site is None:
            return
        hosts = self._everyone()
        self._await([host.stop.remote() for host in hosts])
        self._await([self._site.stop.remote()])
        for actor in (*hosts, *self._scorers.values(), self._site):
            ray.kill(actor)

    def _everyone(self) -> list[Any]:
        """The hosts, also those that are not ours, or of which it is not known that they live."""
        found = dict(self._hosts)
        for node in ray.nodes() if self._has_head() else ():
            with suppress(ValueError):
                found[node["NodeID"]] = ray.get_actor(host_name(node["NodeID"]))
        return list(found.values())

    def _await(self, ends: list[Any]) -> None:
        """All of them together, no longer than one."""
        deadline = time.monotonic() + STOP
        for end in ends:
            try:
                for name in ray.get(end, timeout=max(0.0, deadline - time.monotonic())):
                    log.error("%s did not end in time and was left behind", name)
            except RayError as error:
                log.error("did not stop in order: %s", _last_line(error))

    def _open_site(self) -> Any:
        """The one that runs, if this is its configuration; it may be starting again."""
        digest = digest_of(self.config)
        deadline = time.monotonic() + START
        while True:
            try:
                site = self._make_site(digest)
                if ray.get(site.digest.remote(), timeout=START) == digest:
                    return site
                log.warning("another configuration runs on this cluster; it is stopped first")
                self._clear(site)
            except (ActorUnavailableError, GetTimeoutError) as error:
                if time.monotonic() > deadline:
                    raise StreamwatchError(f"the site does not answer: {_last_line(error)}") from None
                time.sleep(TURN)
            except RayActorError as error:
                raise StreamwatchError(f"the site does not start: {_last_line(error)}") from None

    def _make_site(self, digest: str) -> Any:
        """The one that runs, or a new one: beside Ray's head, where its files are, if its outbox is a file."""
        beside = {_HEAD: 0.001} if self.config.outbox.url is None else {}
        return SiteActor.options(  # type: ignore[attr-defined]
            name=SITE, lifetime="detached", get_if_exists=True, num_cpus=0, resources=beside, max_restarts=-1,
            max_concurrency=64,
        ).remote(self.config, digest)  # fmt: skip

    def _clear(self, site: Any) -> None:
        hosts = self._everyone()
        self._await([host.stop.remote() for host in hosts])
        for host in hosts:
            ray.kill(host)
        self._await([site.stop.remote()])
        ray.kill(site)

    def _open_host(self, node: str, name: str, cores: float) -> None:
        strategy = NodeAffinitySchedulingStrategy(node, soft=False)
        host = HostActor.options(  # type: ignore[attr-defined]
            name=host_name(node), lifetime="detached", get_if_exists=True, num_cpus=0, max_concurrency=16,
            scheduling_strategy=strategy,
        ).remote(self.config, name, cores)  # fmt: skip
        self._hosts[node], self._vigils[node] = host, _Vigil(host)

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
        for node, vigil in list(self._vigils.items()):
            if (why := vigil.over()) is not None:
                del self._hosts[node], self._vigils[node]
                log.error("the host on node %s has ended: %s; it is started again in %.0f s", node[:12], why, PAUSE)
                self._again[node] = time.monotonic() + PAUSE


class _Vigil:
    """Somebody asks an actor to say when it ends."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._end = actor.wait.remote(WATCH)

    def over(self) -> str | None:
        """Why it has ended; None while it lives, and while it is not known whether it does: Ray calls an actor
        unavailable that it starts again, or whose node it has not given up yet.
        """
        if not ray.wait([self._end], timeout=0)[0]:
            return None
        try:
            if ray.get(self._end):
                return STOPPED
        except ActorUnavailableError as error:
            log.info("not reached for now: %s", _last_line(error))
        except RayError as error:
            return _last_line(error)
        self._end = self._actor.wait.remote(WATCH)
        return None


def _last_line(error: Exception) -> str:
    return ([line for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1].strip()


def _site() -> Any:
    try:
        return ray.get_actor(SITE)
    except ValueError:
        raise WorkerLostError("no streamwatch runs on this cluster") from None


def _ask(answer: Any, limit: float) -> Any:
    try:
        return ray.get(answer, timeout=limit)
    except RayError as error:
        raise WorkerLostError(f"the site does not answer: {_last_line(error)}") from None


def census_of() -> Census:
    """Of the cluster that Ray is connected to. Raises WorkerLostError if no site answers."""
    found: Census = _ask(_site().census.remote(), ANSWER)
    return found


def drain_host(host: str, on: bool) -> bool:
    """Have ``host`` give its cameras away, or take again; False if there is none of that name."""
    return bool(_ask(_site().drain.remote(host, on), ANSWER))
