"""What the parts beyond one machine cost: cameras as generators of detections, all else as it is.

``python -m tests.cluster.load --cameras 1000 --hosts 10`` on a real Ray with so many simulated nodes. Each camera has a
detection a second and an incident now and then; its rules, spool, reports, leases, the site's rules and outbox are the
real ones. Left out are pictures: decoding, the encoder, the model.
"""

import argparse
import logging
import os
import pickle
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from streamwatch.cluster.engine import add_node, attach, prepare
from streamwatch.cluster.host import Host
from streamwatch.cluster.link import Link
from streamwatch.cluster.report import Reply, Report
from streamwatch.config import Config, load_config
from streamwatch.models.detection import Detection
from streamwatch.worker import Worker
from tests.sinks.stage import Mosquitto, free_port

prepare("local:1")

import ray  # noqa: E402
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: E402

from streamwatch.cluster.actors import SITE, SiteActor, site_call  # noqa: E402

ALONE = "- {alert: fall, when: {event: fall, on: 0.9}}\n"
ACROSS = "- {alert: crowd, when: {on_cameras: [{cameras: '*', event: fight, on: 0.999}], at_least: 3, within: 5s}}\n"


class Still:
    """A camera's thread without a camera."""

    def run(self, stop: threading.Event) -> None:
        stop.wait()

    def enable(self, on: bool) -> None:
        pass


class Generator(Host):
    """A host whose cameras are generators."""

    def _begin(self, name: str) -> None:
        self.cameras.add(name, Still())  # type: ignore[arg-type]
        self._on_status(name, "online")

    def generate(self, stop: threading.Event) -> None:
        """A detection a second for each camera, spread over the second."""
        chance = random.Random(self.name)
        events = self.model.card.events
        while not stop.is_set():
            began = time.monotonic()
            names = list(self.held)
            for number, name in enumerate(names):
                at = self.now()
                scores = {event: chance.random() * 0.5 for event in events}
                if chance.random() < 1 / 300:  # an incident every five minutes
                    scores["fall"] = 0.95
                self._on_detection(Detection(name, at - 16.0, at, None, scores, chance.random(), 1.0, self.model.info))
                if number % 10 == 9:
                    stop.wait(max(0.0, began + (number + 1) / len(names) - time.monotonic()))
            stop.wait(max(0.0, began + 1.0 - time.monotonic()))


@ray.remote(num_cpus=0, max_concurrency=4)
class GeneratorActor:
    """As HostActor; counts what it sends."""

    def __init__(self, config: Config, name: str) -> None:
        logging.disable(logging.WARNING)
        call, welcome = site_call()
        self._host = Generator(name, config, welcome, lambda worker: os._exit(1))
        self._host.capacity = 2.0
        self._sent = [0, 0, 0]  # reports, their bytes, those of the answers
        self._slow: list[float] = []

        def counted(report: Report) -> Reply:
            began = time.monotonic()
            reply = call(report)
            self._slow.append(time.monotonic() - began)
            self._sent[0] += 1
            if self._sent[0] % 10 == 0:  # pickling twice costs
                self._sent[1] += 10 * len(pickle.dumps(report))
                self._sent[2] += 10 * len(pickle.dumps(reply))
            return reply

        self._host.start()
        self._workers = [Worker("link", Link(self._host, counted).run), Worker("generator", self._host.generate)]
        for worker in self._workers:
            worker.start()

    def told(self) -> dict[str, float]:
        """So far: reports, bytes, CPU seconds, cameras, the slowest answer."""
        spent = psutil.Process().cpu_times()
        slow = sorted(self._slow)[-max(1, len(self._slow) // 100)] if self._slow else 0.0
        self._slow.clear()
        return {
            "reports": self._sent[0], "up": self._sent[1], "down": self._sent[2], "cpu": spent.user + spent.system,
            "cameras": len(self._host.held), "p99": slow,
        }  # fmt: skip


class Trial:
    """So many cameras over so many nodes."""

    def __init__(self, folder: Path, cameras: int, hosts: int, across: bool) -> None:
        self._broker = Mosquitto(folder)
        self._broker.start()
        self.config = self._configure(folder, cameras, across)
        self.count = cameras
        self.engine = attach(f"local:{hosts}", self.config.data_dir)
        self.nodes = {node._ray_params.node_name: node for node in self.engine.cluster.worker_nodes}
        self.hosts: dict[str, Any] = {}
        self.site = SiteActor.options(  # type: ignore[attr-defined]
            name=SITE, num_cpus=0, resources={"node:__internal_head__": 0.001}, max_concurrency=64
        ).remote(self.config, "load")
        ray.get(self.site.digest.remote())
        self.site_pid = int(ray.get(self.site.__ray_call__.remote(lambda _: os.getpid())))

    def _configure(self, folder: Path, cameras: int, across: bool) -> Config:
        (folder / "rules.yml").write_text("rules:\n" + ALONE + (ACROSS if across else ""))
        listed = "".join(f"- {{name: cam-{n}, url: 'synthetic:walk'}}\n" for n in range(cameras))
        (folder / "streamwatch.yml").write_text(
            f"data_dir: {folder}/data\nrules: [{folder}/rules.yml]\nhttp: {{port: {free_port()}}}\nprovider: cpu\n"
            f"mqtt: {{host: 127.0.0.1, port: {self._broker.port}}}\nevidence: {{enabled: false}}\n"
            f"scores: {{enabled: false}}\ncameras:\n{listed}"
        )
        return load_config(folder / "streamwatch.yml")

    def populate(self) -> None:
        """A generator on each node that has none."""
        for node in ray.nodes():
            name = node["NodeName"]
            if node["Alive"] and node["Resources"].get("CPU") and name not in self.hosts:
                strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                made = GeneratorActor.options(scheduling_strategy=strategy)  # type: ignore[attr-defined]
                self.hosts[name] = made.remote(self.config, name)

    def placed(self) -> int:
        """Cameras whose generator runs, as their hosts say."""
        return int(sum(told["cameras"] for told in self.told()))

    def told(self) -> list[dict[str, float]]:
        found: list[dict[str, float]] = ray.get([host.told.remote() for host in self.hosts.values()], timeout=60)
        return found

    def until(self, condition: Callable[[], bool], limit: float = 120.0) -> float:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < limit
            time.sleep(0.1)
        return time.monotonic() - began

    def all_placed(self) -> float:
        return self.until(lambda: self.placed() == self.count)

    def lose(self, name: str) -> float:
        """A node is taken away; seconds until its cameras run elsewhere."""
        began = time.monotonic()
        self.hosts.pop(name)
        self.engine.cluster.remove_node(self.nodes.pop(name), allow_graceful=False)
        self.all_placed()
        return time.monotonic() - began

    def regain(self, name: str) -> tuple[float, float]:
        """It is back: seconds until it has its first camera, and until all is fair again."""
        began = time.monotonic()
        self.nodes[name] = add_node(self.engine.cluster, name)
        self.populate()
        host = self.hosts[name]
        first = self.until(lambda: ray.get(host.told.remote())["cameras"] > 0)
        share = 0.8 * self.count / len(self.hosts)
        self.until(lambda: ray.get(host.told.remote())["cameras"] >= share)
        return first, time.monotonic() - began

    def measure(self, seconds: float) -> None:
        """Print what a camera-second costs."""
        watched = {"site": [self.site_pid], "head": [], "nodes": []}
        for process in psutil.process_iter(["name", "cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            if "gcs_server" in line:
                watched["head"].append(process.pid)
            elif "raylet/raylet" in line or "DashboardAgent" in line or "RuntimeEnvAgent" in line:
                watched["nodes"].append(process.pid)
        before, began, cpu = self.told(), time.monotonic(), {name: _cpu(pids) for name, pids in watched.items()}
        time.sleep(seconds)
        after, passed = self.told(), time.monotonic() - began
        spent = {name: (_cpu(pids) - cpu[name]) / passed for name, pids in watched.items()}
        pairs = list(zip(after, before, strict=True))
        total = {key: sum(a[key] - b[key] for a, b in pairs) for key in ("reports", "up", "down", "cpu")}
        each = self.count * passed
        print(
            f"  reports a camera-second   {total['reports'] / each:8.4f}   ({total['reports'] / passed:.1f} a second)"
        )
        print(f"  bytes a camera-second     {total['up'] / each:8.1f} up, {total['down'] / each:.1f} down")
        print(f"  site                      {spent['site']:8.3f} cores")
        print(f"  hosts (rules and links)   {total['cpu'] / passed:8.3f} cores in all, without any picture")
        print(f"  Ray: head, nodes          {spent['head']:8.3f}, {spent['nodes']:.3f} cores")
        print(f"  slowest answer of a hundred {1000 * max(told['p99'] for told in after):6.0f} ms", flush=True)

    def close(self) -> None:
        for host in self.hosts.values():
            ray.kill(host)
        ray.get(self.site.stop.remote(), timeout=60)
        self.engine.close()
        self._broker.kill()


def _cpu(pids: list[int]) -> float:
    spent = 0.0
    for pid in pids:
        if psutil.pid_exists(pid):
            times = psutil.Process(pid).cpu_times()
            spent += times.user + times.system
    return spent


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=1000)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--across", action="store_true", help="a rule across all cameras: the site hears everything")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="streamwatch-load-") as folder:
        began = time.monotonic()
        trial = Trial(Path(folder), asked.cameras, asked.hosts, asked.across)
        print(f"{asked.cameras} cameras, {asked.hosts} hosts{', a rule across all' if asked.across else ''}")
        print(f"  Ray and the site began in {time.monotonic() - began:8.1f} s")
        trial.populate()
        trial.told()
        print(f"  all placed after hosts began {trial.all_placed():5.1f} s", flush=True)
        trial.measure(asked.seconds)
        print(f"  a host lost: all elsewhere in {trial.lose('node-1'):4.1f} s", flush=True)
        first, fair = trial.regain("node-1")
        print(f"  a host back: first camera after {first:.1f} s, its share after {fair:.1f} s", flush=True)
        trial.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
