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
from tests.sinks.stage import free_port

__all__ = ["RULES", "Member", "configure", "wait_for"]

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
        return self._site.report(report)

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
