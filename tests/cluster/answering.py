"""A host and its link without a site: one that answers as it is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from streamwatch.cluster.host import Host
from streamwatch.cluster.link import Link
from streamwatch.cluster.report import Reply, Report, Welcome
from streamwatch.errors import SinkError
from streamwatch.worker import Worker, end_worker
from tests.cluster.stage import configure, synthetic, wait_for
from tests.rules.play import rules

__all__ = ["RULES", "Answering", "linked", "lonely", "soon"]

RULES = rules({"alert": "calm", "when": {"event": "fall", "on": 1.0}})


class Answering:
    """A site that gives ``reply``, or none; remembers what it was told."""

    def __init__(self) -> None:
        self.reply: Reply | None = Reply()
        self.keeps = True
        self.reports: list[Report] = []

    def __call__(self, report: Report) -> Reply:
        if self.reply is None:
            raise SinkError("away")
        self.reports.append(report)
        return replace(self.reply, kept=len(report.alerts) if self.keeps else 0)


@contextmanager
def lonely(folder: Path) -> Iterator[Host]:
    """A host that is told nothing yet."""
    made = Host("north", configure(folder, synthetic(2)), Welcome("site", RULES), lambda worker: None)
    made.start()
    yield made
    made.stop()
    made.close()


@contextmanager
def linked(host: Host, site: Answering) -> Iterator[Link]:
    """Its link at work."""
    link = Link(host, site)
    worker = Worker("link", link.run)
    worker.start()
    yield link
    assert end_worker(worker, 10) == []
    assert worker.error is None


def soon(condition: Callable[[], object], what: str) -> None:
    wait_for(condition, what, limit=20)
