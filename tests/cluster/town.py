"""A town on one machine: real RTSP cameras, simulated Ray nodes, Debian's broker, and somebody who listens."""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from streamwatch.cluster.census import Census
from streamwatch.cluster.engine import add_node, prepare
from streamwatch.config import Config, load_config
from streamwatch.errors import WorkerLostError
from streamwatch.rtsp_server import serve
from streamwatch.video.h264 import film_scene
from streamwatch.video.synthetic import Scene
from tests.sinks.stage import Listener, Mosquitto, free_port

prepare("local:1")  # before anything imports ray

import ray  # noqa: E402

from streamwatch.cluster.actors import SCORER  # noqa: E402
from streamwatch.cluster.fleet import Fleet  # noqa: E402

__all__ = ["RULES", "Redis", "Town", "films", "town_config", "wait_for"]

SCRAPE = 0.3  # seconds between looks at all /metrics, which cost the hosts what they need for scoring
HEADLESS = 45.0  # seconds; after 60 Ray's daemons end themselves
SCENES = (("fall", 3, 9.0), ("walk", 2, 7.0), ("fight", 4, 8.0), ("talk", 5, 7.0))
# Motion of these scenes crosses these levels up and down again every few seconds, where seconds are cut as here; cut
# half a second later, `walk` and `fight` stay above them.
RULES = """
rules:
  - {alert: stirs, when: {motion: 4}, gap: 0s}
  - {alert: moves, when: {motion: 6}, gap: 0s}
  - alert: crowd
    cameras: ["*"]
    when: {on_cameras: [{cameras: "*", motion: 5}], at_least: 3, within: 20s}
"""


def wait_for(condition: Callable[[], object], what: str, limit: float = 100.0, pause: float = 0.05) -> float:
    """Seconds until ``condition``, asked each ``pause`` seconds, was true."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit, f"not within {limit:.0f} s: {what}"
        time.sleep(pause)
    return time.monotonic() - began


def films(folder: Path, cameras: int) -> dict[str, Path]:
    """Camera → film; several show the same."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [
        film_scene(Scene(kind, seed=seed, size=(160, 90), duration=length), folder) for kind, seed, length in SCENES
    ]
    return {f"cam-{number}": made[number % len(made)] for number in range(cameras)}


def town_config(folder: Path, urls: Mapping[str, str], broker: int, more: str = "") -> Config:
    """A site that watches ``urls``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yml").write_text(RULES)
    listed = "".join(f"  - {{name: {name}, url: '{url}', health: {CALM}}}\n" for name, url in urls.items())
    (folder / "streamwatch.yml").write_text(
        f"data_dir: {folder}/data\nrules: [{folder}/rules.yml]\nhttp: {{port: {free_port()}}}\nprovider: cpu\n"
        f"mqtt: {{host: 127.0.0.1, port: {broker}, client_id: {folder.name}, topic_prefix: {folder.name}}}\n"
        f"evidence: {{enabled: false}}\nscores: {{enabled: false}}\ncluster: {{scorers: 1}}\n{more}cameras:\n{listed}"
    )
    return load_config(folder / "streamwatch.yml")


CALM = "{frozen: false, covered: false, dark: false, moved: false, blurred: false}"


class Redis:
    """Debian's, where Ray's head keeps what it must know again when it is restarted."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
            stdout=subprocess.DEVNULL,
        )

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)


def _own_ray(resources: ExitStack) -> None:
    """Files of Ray in a folder of their own (its sockets want a short path): nobody else's `auto` finds them."""
    before = os.environ.get("RAY_TMPDIR")
    os.environ["RAY_TMPDIR"] = resources.enter_context(
        tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
    )

    def put_back() -> None:
        if before is None:
            del os.environ["RAY_TMPDIR"]
        else:
            os.environ["RAY_TMPDIR"] = before

    resources.callback(put_back)


class Town:
    """Everything runs as long as the block. Ray's head can be restarted."""

    def __init__(self, folder: Path, nodes: int = 3, cameras: int = 12, more: str = "") -> None:
        self._resources = ExitStack()
        self._still: tuple[dict[str, str], float] = {}, 0.0  # camera → host, and since when (monotonic s)
        with ExitStack() as building:
            building.callback(self._resources.close)
            _own_ray(self._resources)
            self.urls = self._resources.enter_context(serve(films(folder / "films", cameras)))
            broker = Mosquitto(folder)
            broker.start()
            self._resources.callback(broker.kill)
            self.broker = broker.port
            self.listener = Listener(broker.port)
            self._resources.callback(self.listener.close)
            redis = Redis(folder)
            self._resources.callback(redis.close)
            os.environ["RAY_REDIS_ADDRESS"] = f"127.0.0.1:{redis.port}"
            self._resources.callback(os.environ.pop, "RAY_REDIS_ADDRESS", None)
            self.config = town_config(folder / "town", self.urls, broker.port, more)
            self.began = time.monotonic()
            self.fleet = Fleet(self.config, f"local:{nodes}")
            self._resources.callback(self.fleet.stop)
            self.fleet.__enter__()
            self.nodes = {node._ray_params.node_name: node for node in self._cluster.worker_nodes}
            building.pop_all()

    @property
    def _cluster(self) -> Any:
        return self.fleet.engine.cluster

    def __enter__(self) -> "Town":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def census(self) -> Census:
        """Of the site, which may be starting again."""
        deadline = time.monotonic() + 60.0
        while True:
            try:
                return self._noted(self.fleet.census())
            except WorkerLostError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _noted(self, census: Census) -> Census:
        """Since when nothing has moved, of all that was ever seen."""
        owners = _owners(census)
        if owners != self._still[0]:
            self._still = owners, time.monotonic()
        return census

    def owners(self) -> dict[str, str]:
        """Camera → host."""
        return _owners(self.census())

    def addresses(self) -> dict[str, str]:
        """Host → where its /metrics are."""
        return {seat.standing.host: seat.standing.metrics for seat in self.census().seats}

    def scored(self, addresses: Mapping[str, str] | None = None) -> dict[tuple[str, str], float]:
        """(camera, host) → windows scored so far, as the hosts' /metrics say."""
        known = self.addresses() if addresses is None else addresses
        return {(camera, host): count for host, address in known.items() for camera, count in _windows(address)}

    def settle(self) -> float:
        """Until every camera is scored where it is; seconds."""

        def all_scored() -> bool:
            self.fleet.populate()
            found = self.scored()
            owners = self.owners()
            return len(owners) == len(self.urls) and all(found.get(pair, 0.0) > 0 for pair in owners.items())

        return wait_for(all_scored, "every camera is scored", pause=SCRAPE)

    def lose(self, name: str) -> float:
        """Take node ``name`` away, without a word; seconds until all its cameras are scored elsewhere."""
        mine = {camera for camera, host in self.owners().items() if host == name}
        before = self.scored()
        began = time.monotonic()
        self._cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

        def elsewhere() -> bool:
            self.fleet.populate()
            now = self.scored()
            return mine <= {
                camera
                for (camera, host), count in now.items()
                if host != name and count > before.get((camera, host), 0.0)
            }

        wait_for(elsewhere, f"the cameras of {name} are scored elsewhere", pause=SCRAPE)
        return time.monotonic() - began

    def lose_unseen(self, name: str) -> None:
        """Take node ``name`` away while the site begins again: the new one never hears of it."""
        self.kill_site()
        self._cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def begin_node(self, name: str) -> None:
        """A node of that name again, on which no host was begun yet."""
        self.nodes[name] = add_node(self._cluster, name)

    def give_back(self, name: str) -> float:
        """A node of that name again, unless it has begun; seconds until it reads cameras."""
        began = time.monotonic()
        if name not in self.nodes:
            self.begin_node(name)

        def reads() -> bool:
            self.fleet.populate()
            return name in self.owners().values()

        wait_for(reads, f"{name} reads cameras")
        return time.monotonic() - began

    def add_scorer(self) -> None:
        """A node that claims a GPU; the scorer there runs on the CPU."""
        self.nodes["gpu"] = add_node(self._cluster, "gpu", gpus=1)

        def there() -> bool:
            self.fleet.populate()
            self.owners()  # whether they move meanwhile
            return self._scorer_name() is not None

        wait_for(there, "a scorer")

    def _scorer_name(self) -> str | None:
        return next((name for name in ray.util.list_named_actors() if name.startswith(SCORER)), None)

    def scorer_rows(self) -> int:
        """Clips and windows that the scorer has done."""
        self.owners()  # whether they move meanwhile
        rows: int = ray.get(ray.get_actor(str(self._scorer_name())).rows.remote(), timeout=30)
        return rows

    def calm_down(self, seconds: float = 6.0) -> None:
        """Wait until no camera has moved for so long: a node that came back is given its share little by little."""

        def calm() -> bool:
            self.owners()
            return time.monotonic() - self._still[1] > seconds

        wait_for(calm, "no camera moves")

    def lose_scorer(self) -> float:
        """Its node is taken away; seconds until every camera has been scored since."""
        addresses = self.addresses()

        def by_camera() -> Counter[str]:  # wherever: some may be on their way to a node that came back
            found: Counter[str] = Counter()
            for (camera, _), count in self.scored(addresses).items():
                found[camera] += int(count)
            return found

        before, began = by_camera(), time.monotonic()
        self._cluster.remove_node(self.nodes.pop("gpu"), allow_graceful=False)
        wait_for(
            lambda: all(count >= before[camera] + 2 for camera, count in by_camera().items()),
            "scored again",
            pause=SCRAPE,
        )
        return time.monotonic() - began

    def kill_site(self) -> None:
        """Its process, without a word; Ray starts it again."""
        pid = ray.get(ray.get_actor("site").__ray_call__.remote(lambda _: os.getpid()))
        os.kill(pid, signal.SIGKILL)

    def restart_head(self, windows: int) -> float:
        """Ray's head is killed, and with it the site; it is there again once every camera was scored ``windows`` times
        without them. Seconds that it was away.
        """
        owners, addresses = self.owners(), self.addresses()
        self.kill_site()
        self._cluster.head_node.kill_gcs_server()
        before, began = self.scored(addresses), time.monotonic()

        def without() -> bool:
            now = self.scored(addresses)
            return all(now.get(pair, 0.0) >= before[pair] + windows for pair in owners.items())

        try:
            wait_for(without, f"{windows} windows of each camera without site and head", HEADLESS, SCRAPE)
        finally:
            self._cluster.head_node.start_gcs_server()
        return time.monotonic() - began

    def settled(self) -> bool:
        """Whether the site is there, with all hosts, and every camera has one."""
        try:
            census = self.fleet.census()
        except WorkerLostError:
            return False
        return len(census.seats) == len(self.nodes) and not census.unplaced

    def told(self, kind: str = "", who: str = "town") -> list[dict[str, Any]]:
        """Alerts that arrived, of the cluster, or of the site whose prefix is ``who``."""
        messages = [m for m in list(self.listener.messages) if m.topic.startswith(f"{who}/alerts/")]
        return [alert for m in messages if kind in ("", (alert := json.loads(m.payload))["type"])]


def _owners(census: Census) -> dict[str, str]:
    return {camera: seat.standing.host for seat in census.seats for camera in seat.cameras}


def _windows(address: str) -> Iterator[tuple[str, float]]:
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:  # the host is gone
        return
    for line in text.splitlines():
        if line.startswith("streamwatch_windows_total{"):
            yield line.partition('camera="')[2].partition('"')[0], float(line.rpartition(" ")[2])
