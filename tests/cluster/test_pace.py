"""How soon and how often a host tells what it has."""

import time
from collections.abc import Iterator

import pytest

from streamwatch.cluster.host import Host
from streamwatch.cluster.link import Link
from streamwatch.errors import SinkError
from tests.cluster.answering import Answering, linked, lonely, soon
from tests.sinks.stage import make_alert


@pytest.fixture
def site() -> Answering:
    return Answering()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with lonely(tmp_path_factory.mktemp("host")) as made:
        yield made


@pytest.fixture
def run(host: Host, site: Answering) -> Iterator[Link]:
    with linked(host, site) as link:
        yield link


def test_an_alert_does_not_wait_for_the_next_report(host: Host, site: Answering, run: Link) -> None:
    soon(lambda: site.reports, "a report")
    told = time.monotonic()
    host.spool.append(make_alert(1))
    soon(lambda: any(report.alerts for report in site.reports), "the alert")
    assert time.monotonic() - told < 0.4
    soon(lambda: len(host.spool) == 0, "taken")


def test_a_site_that_cannot_keep_alerts_is_told_again_at_leisure(host: Host, site: Answering, run: Link) -> None:
    site.keeps = False
    host.spool.append(make_alert(1))
    soon(lambda: any(report.alerts for report in site.reports), "the alert")
    before = len(site.reports)
    time.sleep(2.0)
    assert 3 <= len(site.reports) - before <= 6
    assert len(host.spool) == 1
    site.keeps = True
    soon(lambda: len(host.spool) == 0, "taken")


def test_a_disk_that_refuses_receipts_ends_nobody(
    host: Host, site: Answering, run: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full one does; the site is told again, and knows what it is told."""
    working = host.spool.acknowledge

    def refuse(*sequences: int) -> None:
        raise SinkError("disk full")

    monkeypatch.setattr(host.spool, "acknowledge", refuse)
    host.spool.append(make_alert(1))
    soon(lambda: sum(len(report.alerts) for report in site.reports) >= 2, "told again")
    before = len(site.reports)
    time.sleep(1.5)
    assert 2 <= len(site.reports) - before <= 5  # at leisure
    monkeypatch.setattr(host.spool, "acknowledge", working)
    soon(lambda: len(host.spool) == 0, "taken")
    link = Link(host, site)
    monkeypatch.setattr(host.spool, "acknowledge", refuse)
    host.spool.append(make_alert(2))
    link.farewell()
    assert site.reports[-1].standing.leaving
