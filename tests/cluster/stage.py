"""A cluster without Ray: the real site and real hosts in one process, and a line between them that can be cut."""

import time
from collections.abc import Callable
from pathlib import Path

from streamwatch.cluster.host import Host
from streamwatch.cluster.link import Link
from streamwatch.cluster.report import Reply, Report
from streamwatch.cluster.site import Site
from streamwatch.config import Config, load_config
from streamwatch.errors import SinkError
from streamwatch.worker import Worker, end_worker
from tests.sinks.stage import Listener, free_port

__all__ = ["RULES", "Member", "Stage", "configure", "gapless", "incidents", "synthetic", "wait_for"]

# Any picture is at least a little like an event, and there is some motion in every scene: what is tested here is the
# way from camera to alert.
RULES = """
rules:
  - {alert: anything, when: {any: [{event: fight, on: 0.0001}, {event: fall, on: 0.0001}]}}
  - {alert: unseen, when: {camera: [offline, failed]}}
  - alert: several
    cameras: ["*"]
    when: {on_cameras: [{cameras: "*", event: fall, on: 0.0001}], at_least: 2, within: 10s}
"""


def wait_for(condition: Callable[[], object], what: str, limit: float = 40.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit:.0f} s: {what}"
        time.sleep(0.02)


def configure(folder: Path, cameras: dict[str, str], rules: str = RULES, more: str = "") -> Config:
    """Small cameras (name → URL), an embedded broker, no evidence."""
    (folder / "rules.yml").write_text(rules)
    listed = "".join(f"  - {{name: {name}, url: '{url}'}}\n" for name, url in cameras.items())
    (folder / "streamwatch.yml").write_text(
        f"data_dir: {folder}/data\nrules: [{folder}/rules.yml]\nhttp: {{port: {free_port()}}}\nprovider: cpu\n"
        f"mqtt: {{port: {free_port()}, client_id: cluster-test, commands: true}}\n"
        f"evidence: {{enabled: false}}\nscores: {{enabled: false}}\ncluster: {{lease: 6}}\n{more}cameras:\n{listed}"
    )
    return load_config(folder / "streamwatch.yml")


def synthetic(count: int) -> dict[str, str]:
    """So many small scenes, name → URL."""
    return {f"cam-{number}": f"synthetic:walk?seed={number}&duration=300&size=96x54&fps=8" for number in range(count)}


class Member:
    """A host and its link, in threads of this process."""

    def __init__(self, name: str, site: Site) -> None:
        self.cut = False
        self.reports: list[Report] = []
        self.hears: Callable[[Report, Reply], None] = lambda report, reply: None  # may raise: the answer is lost
        self._site = site
        self.host = Host(name, site.config, site.welcome(), self._died)
        self.link = Link(self.host, self._call)
        self.worker = Worker("sink:site", self.link.run)
        self.host.start()
        self.worker.start()

    def _died(self, worker: Worker) -> None:
        raise AssertionError(worker.trace)

    def join(self, site: Site) -> None:
        """From now on this is the site."""
        self._site = site

    def _call(self, report: Report) -> Reply:
        if self.cut:
            raise SinkError("the line is cut")
        self.reports.append(report)
        reply = self._site.report(report)
        self.hears(report, reply)
        return reply

    def leave(self) -> None:
        """In order."""
        assert end_worker(self.worker, 10) == []
        self.host.stop()
        self.link.farewell()
        self.host.close()

    def vanish(self) -> None:
        """Not a word more; what it held in memory and threads is thrown away."""
        self.cut = True
        assert end_worker(self.worker, 10) == []
        self.host.stop()
        self.host.close()


class Stage:
    """A site, its hosts by name, and somebody who listens at its broker."""

    def __init__(self, folder: Path, count: int, rules: str = RULES) -> None:
        self.config = configure(folder, synthetic(count), rules)
        self.site = self._site()
        self.members: dict[str, Member] = {}
        self.listener = Listener(self.config.mqtt.port)

    def begin_again(self) -> None:
        """The site; nobody is connected to the new one yet."""
        for member in self.members.values():
            member.cut = True
        self.site.stop()
        self.site = self._site()
        for member in self.members.values():
            member.join(self.site)

    def _site(self) -> Site:
        def died(worker: Worker) -> None:
            raise AssertionError(worker.trace)

        site = Site(self.config, died)
        site.start()
        return site

    def host(self, name: str) -> Member:
        self.members[name] = Member(name, self.site)
        return self.members[name]

    def reading(self) -> dict[str, set[str]]:
        return {name: set(member.host.cameras.spent()) for name, member in self.members.items()}

    def online(self, *cameras: str) -> bool:
        return all(self.site.census().states[camera] == "online" for camera in cameras or self.config_cameras())

    def config_cameras(self) -> list[str]:
        return [camera.name for camera in self.config.cameras]

    def told(self, kind: str = "") -> list[dict[str, object]]:
        said = [alert for alert in self.listener.alerts() if "type" in alert]  # else it is an acknowledgement
        return [alert for alert in said if kind in ("", alert["type"])]

    def close(self) -> None:
        for member in list(self.members.values()):
            member.leave()
        self.site.stop()
        self.listener.close()


def incidents(all_of: Stage, kind: str, rule: str = "anything") -> dict[str, str]:
    """Camera → the id of its newest incident of which that was told."""
    return {str(alert["camera"]): str(alert["id"]) for alert in all_of.told(kind) if alert["rule"] == rule}


def gapless(all_of: Stage) -> bool:
    sequences = [alert["sequence"] for alert in all_of.told()]
    return sequences == list(range(1, len(sequences) + 1))
