"""An incident that began ends, once, whatever becomes of those who know of it."""

from dataclasses import replace

import pytest

from streamwatch.cluster.report import Report, Standing
from streamwatch.cluster.roster import BALANCE
from streamwatch.cluster.seating import Heard
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.sinks.outbox import Entry
from tests.cluster.faulty import LEASE, Place, play
from tests.rules.play import T0
from tests.sinks.stage import make_alert

CAMERA = "cam-1"


class Stage:
    """A site in steps of half a second, to which hosts say what the test has them say."""

    def __init__(self) -> None:
        self.place, self.now = Place(), 0.0
        self.place.begin()

    def report(self, host: str, *alerts: Alert, held: bool = True, going: bool = False) -> Heard:
        """Of the camera, and the incident on it."""
        assert self.place.seating is not None
        standing = Standing(host, 1, T0 + self.now, {CAMERA: 1} if held else {})
        entries = tuple(Entry(number, alert, 0.0) for number, alert in enumerate(alerts, 1))
        open_there = {NEW.id: CAMERA} if going else {}
        return self.place.seating.hear(Report(standing, alerts=entries, going=open_there), self.now, T0 + self.now)

    def wait(self, seconds: float, *quiet: str, going: str = "") -> None:
        """``quiet`` hosts report that they are there, ``going`` that it goes on with the incident."""
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            for host in quiet:
                self.report(host, held=False)
            if going:
                self.report(going, going=True)
            assert self.place.seating is not None
            self.place.seating.tick(self.now, T0 + self.now)

    def kinds(self) -> list[str]:
        """What was kept, in its order."""
        return [f"{alert.type.value} {alert.seq}" for alert in self.place.log()]


NEW = replace(make_alert(camera=CAMERA), time=T0 + 1.0, start_time=T0 + 1.0)
UPDATES = tuple(replace(NEW, seq=seq, type=AlertType.UPDATE, time=T0 + 1.0 + seq) for seq in (1, 2))
END = replace(NEW, seq=3, type=AlertType.END, time=T0 + 9.0, end_time=T0 + 9.0)


@pytest.fixture
def stage() -> Stage:
    """Host a has the camera, and an incident on it; host b is there."""
    made = Stage()
    made.report("a", held=True)
    made.wait(3.0, "b", going="a")
    made.report("a", NEW)
    return made


def test_its_host_is_lost(stage: Stage) -> None:
    stage.wait(LEASE + 1.0, "b")
    assert stage.kinds() == ["new 0", "end 1"]


def test_the_site_begins_again_and_its_host_has_gone_meanwhile(stage: Stage) -> None:
    stage.place.begin()
    stage.wait(2 * LEASE + 1.0, "b")
    assert stage.place.roster.owner(CAMERA) == "b"  # who has not heard of it
    assert stage.kinds() == ["new 0", "end 1"]


def test_the_site_begins_again_and_its_host_goes_on_with_it(stage: Stage) -> None:
    stage.place.begin()
    stage.wait(10 * LEASE, "b", going="a")
    assert stage.kinds() == ["new 0"]
    stage.report("a", *UPDATES, END)
    assert stage.kinds() == ["new 0", "update 1", "update 2", "end 3"]


def test_the_camera_moves_and_its_host_is_lost_before_it_has_told_the_end(stage: Stage) -> None:
    stage.place.roster.drain("a", True)
    stage.wait(BALANCE + 0.5, "b", going="a")
    stage.report("a", held=False)
    assert stage.place.roster.owner(CAMERA) == "b"
    stage.wait(LEASE + 1.0, "b")
    assert stage.kinds() == ["new 0", "end 1"]


def test_it_is_told_of_by_a_report_that_comes_after_the_loss_of_its_host() -> None:
    late = Stage()
    late.report("a", held=True)
    late.wait(3.0, "b", going="a")
    late.wait(LEASE + 1.0, "b")
    assert late.place.roster.owner(CAMERA) == "b"
    late.report("a", NEW)
    assert late.kinds() == ["new 0"]
    late.wait(LEASE + 1.0, "b")
    assert late.kinds() == ["new 0", "end 1"]


def test_a_host_that_was_lost_opens_nothing_again_and_begins_anew_with_its_camera(stage: Stage) -> None:
    stage.wait(LEASE + 1.0)
    assert stage.kinds() == ["new 0", "end 1"]
    heard = stage.report("a", *UPDATES)
    assert heard.kept == 2
    assert stage.kinds() == ["new 0", "end 1"]
    assert CAMERA not in stage.report("a", going=True).cameras  # it would go on with what is over
    assert CAMERA in stage.report("a", END, held=False).cameras
    assert stage.kinds() == ["new 0", "end 1"]


def test_a_host_cannot_go_on_with_it_without_its_camera(stage: Stage) -> None:
    for _ in range(20):
        stage.wait(0.5, "b")
        stage.report("a", held=False, going=True)
    assert stage.kinds() == ["new 0", "end 1"]


def test_where_its_evidence_is_may_be_told_after_its_end_and_without_a_hole(stage: Stage) -> None:
    where = replace(END, type=AlertType.UPDATE, seq=4, clip="evidence/1.mp4")
    stage.report("a", *UPDATES, where)
    assert stage.kinds() == ["new 0", "update 1", "update 2", "update 4"]  # open: a host knows what it leaves out
    other = Stage()
    other.report("a", held=True)
    other.report("a", NEW, *UPDATES, END, where, replace(where, seq=6))
    assert other.kinds() == ["new 0", "update 1", "update 2", "end 3", "update 4"]


@pytest.mark.parametrize("seed", range(24))
def test_of_whatever_goes_wrong_each_incident_begins_and_ends_once(seed: int) -> None:
    assert play(seed) > 50
