"""The site and the hosts as Ray's actors: threads of their own, calls that return soon."""

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray
from numpy.typing import NDArray
from ray.exceptions import RayError

from streamwatch.cluster.census import Census
from streamwatch.cluster.host import Host, own_model
from streamwatch.cluster.link import Link
from streamwatch.cluster.report import Reply, Report, Welcome
from streamwatch.cluster.scorer import PATIENCE, Call, Scorer
from streamwatch.cluster.site import Site
from streamwatch.config import Config
from streamwatch.errors import ScorerLostError, SinkError, WorkerLostError
from streamwatch.logs import configure
from streamwatch.models.pack import load_pack
from streamwatch.plan import zones_of
from streamwatch.worker import Worker, end_worker

__all__ = ["SCORER", "SITE", "HostActor", "ScorerActor", "SiteActor", "find_scorer", "host_name", "site_call"]

log = logging.getLogger(__name__)

SITE = "site"
SCORER = "scorer:"
ANSWER = 5.0  # seconds for the site to answer a report
AGAIN = 5  # calls that fail in a row until the site is looked for anew
LOOK = 0.5  # seconds between looks around


def host_name(node: str) -> str:
    """The actor's name of the host on a node, by the node's id."""
    return f"host:{node}"


class _Life:
    """What both have: workers watched, and an end that others can wait for."""

    def __init__(self, supervise: Callable[[], None]) -> None:
        self.over = threading.Event()
        self._supervise = supervise
        self._worker = Worker("life", self._watch)
        self._worker.start()

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK) and not self.over.is_set():
            try:
                self._supervise()
            except WorkerLostError as error:
                log.error("%s", error)
                os._exit(1)  # a thread that hangs cannot be ended otherwise; Ray notices


def _die(worker: Worker) -> None:
    """A fault that the process cannot survive."""
    log.error("%s failed\n%s", worker.name, worker.trace)
    os._exit(1)


@ray.remote
class SiteActor:
    """One of a cluster, by the name SITE."""

    def __init__(self, config: Config, digest: str) -> None:
        configure()
        self._digest = digest
        self._site = Site(config, _die)
        self._site.start()
        self._life = _Life(self._site.supervise)

    def digest(self) -> str:
        """Of the configuration that it runs."""
        return self._digest

    def welcome(self) -> Welcome:
        """See ``Site.welcome``."""
        return self._site.welcome()

    def report(self, report: Report) -> Reply:
        """See ``Site.report``."""
        return self._site.report(report)

    def census(self) -> Census:
        """See ``Site.census``."""
        return self._site.census()

    def drain(self, host: str, on: bool) -> bool:
        """See ``Site.drain``."""
        return self._site.drain(host, on)

    def reload(self) -> None:
        """Have the rules read again soon."""
        self._site.reload.request()

    def wait(self, limit: float) -> bool:
        """Return when it is stopped, or after ``limit`` seconds: True if it is stopped."""
        return self._life.over.wait(limit)

    def stop(self) -> list[str]:
        """In order; who did not end."""
        self._life.over.set()
        return self._site.stop()


@ray.remote
class HostActor:
    """One on each node, by ``host_name``. ``cores`` is what Ray knows of the node."""

    def __init__(self, config: Config, name: str, cores: float) -> None:
        configure()
        call, welcome = site_call()
        finding = find_scorer if config.cluster.scorers else None
        self._host = Host(name, _bound(config), welcome, _die, finding)
        self._host.capacity = cores
        self._host.start()
        self._link = Link(self._host, call)
        self._worker = Worker("sink:site", self._link.run, _die)
        self._worker.start()
        self._life = _Life(self._host.supervise)

    def wait(self, limit: float) -> bool:
        """Return when it is stopped, or after ``limit`` seconds: True if it is stopped."""
        return self._life.over.wait(limit)

    def stop(self) -> list[str]:
        """In order: the cameras, what is on its way, the spool; who did not end."""
        self._life.over.set()
        late = end_worker(self._worker, ANSWER + 1.0)
        late += self._host.stop()
        self._link.farewell()
        self._host.close()
        return late


@ray.remote
class ScorerActor:
    """A share of a GPU, for all hosts; found by a name that begins with SCORER."""

    def __init__(self, config: Config) -> None:
        configure()
        pack = load_pack(config.model)
        self._scorer = Scorer(own_model(config, pack, zones_of(config, pack.card.grid)), _die)

    def ask(self, what: str, *arrays: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """See ``Scorer.ask``."""
        return self._scorer.ask(what, arrays)

    def rows(self) -> int:
        """Clips and windows so far."""
        return self._scorer.rows


def find_scorer() -> Call | None:
    """One of those that answer, by chance, so that hosts spread; None if none does."""
    names = [name for name in ray.util.list_named_actors() if name.startswith(SCORER)]
    random.shuffle(names)
    for name in names:
        try:
            scorer = ray.get_actor(name)
            ray.get(scorer.rows.remote(), timeout=PATIENCE)
        except (RayError, ValueError):
            continue
        return _call_of(scorer)
    return None


def _call_of(scorer: Any) -> Call:
    def call(what: str, arrays: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        try:
            found: Sequence[NDArray[Any]] = ray.get(scorer.ask.remote(what, *arrays), timeout=PATIENCE)
        except RayError as error:
            raise ScorerLostError(str(error).splitlines()[0] if str(error) else type(error).__name__) from None
        return found

    return call


def _bound(config: Config) -> Config:
    """``node`` in the place of an address is that of the node."""
    if config.cluster.host != "node":
        return config
    address = ray.util.get_node_ip_address()
    return config.model_copy(update={"cluster": config.cluster.model_copy(update={"host": address})})


def site_call() -> tuple[Callable[[Report], Reply], Welcome]:
    """How a host tells the site, wherever it is by then; and the site's welcome."""
    site: Any = _find()
    missed = 0

    def call(report: Report) -> Reply:
        nonlocal site, missed
        try:
            if missed >= AGAIN:
                site, missed = ray.get_actor(SITE), 0
            reply: Reply = ray.get(site.report.remote(report), timeout=ANSWER)
        except (RayError, ValueError) as error:  # ValueError: there is none of that name
            missed += 1
            raise SinkError(f"site: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from None
        missed = 0
        return reply

    welcome: Welcome = ray.get(site.welcome.remote(), timeout=60)
    return call, welcome


def _find() -> Any:
    """The site, which may be starting."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ray.get_actor(SITE)
        except ValueError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
