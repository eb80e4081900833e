"""Who is there: what `streamwatch cluster status` prints and what Prometheus is told to scrape."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamwatch.cluster.roster import Seat

__all__ = ["Census", "status_lines", "targets"]

SKEW = 1.0  # seconds that a host's clock may differ: rules across cameras compare times


@dataclass(frozen=True, slots=True)
class Census:
    """The hosts, the cameras that nobody reads, and the state of each camera."""

    seats: Sequence[Seat]
    unplaced: Sequence[str]
    states: Mapping[str, str]

    def faults(self) -> Iterator[str]:
        """What is not as it should be, a line each."""
        if self.unplaced:
            yield f"{len(self.unplaced)} cameras are read by no host: {', '.join(self.unplaced[:5])}"
        for seat in self.seats:
            if abs(seat.ahead) > SKEW:
                yield f"host {seat.standing.host}: its clock is {seat.ahead:+.1f} s off; rules across cameras suffer"


def status_lines(census: Census) -> Iterator[str]:
    """A table: hosts with their load, cameras, age of the last report and clock; then what is wrong."""
    yield f"{'host':24s} {'cores':>11s} {'cameras':>8s} {'online':>7s} {'age':>7s} {'clock':>8s}"
    for seat in census.seats:
        standing = seat.standing
        online = sum(census.states.get(camera) not in ("connecting", "offline", "failed") for camera in seat.cameras)
        yield (
            f"{standing.host:24s} {standing.load:5.2f}/{standing.capacity:5.1f} {len(seat.cameras):8d} {online:7d} "
            f"{seat.age:5.1f} s {seat.ahead:+6.2f} s{'  drained' if seat.drained else ''}"
        )
    yield f"{len(census.states)} cameras, {len(census.unplaced)} of them read by no host"
    yield from census.faults()


def targets(census: Census) -> list[dict[str, object]]:
    """The hosts' /metrics in the form of Prometheus' HTTP service discovery."""
    return [
        {"targets": [seat.standing.metrics], "labels": {"host": seat.standing.host}}
        for seat in census.seats
        if seat.standing.metrics
    ]
