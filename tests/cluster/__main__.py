"""Nodes taken away and given back, the site killed, the head restarted: ``python -m tests.cluster --rounds 10``."""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.town import Town, wait_for
from tests.sinks.server import PASSWORD, PostgresServer

LIMITS = {"node lost": 15.0, "node back": 60.0, "site killed": 30.0, "head restarted": 60.0}


def rounds(town: Town, count: int, heads: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """What each fault cost, in seconds."""
    found: dict[str, list[float]] = {name: [] for name in LIMITS}
    for number in range(count):
        name = f"node-{number % 3 + 1}"
        found["node lost"].append(town.lose(name))
        found["node back"].append(town.give_back(name))
        town.settle()
        tell(f"{number + 1:3d} {name} lost {found['node lost'][-1]:5.1f} s, back {found['node back'][-1]:5.1f} s")

    for number in range(heads):
        began = time.monotonic()
        if number % 2:
            town.kill_site()
        else:
            town.restart_head(3)
        wait_for(town.settled, "all hosts are back")
        name = "site killed" if number % 2 else "head restarted"
        found[name].append(time.monotonic() - began)
        tell(f"    {name}: {found[name][-1]:5.1f} s")
        town.settle()
    return found


def reckon(town: Town) -> tuple[int, list[int], int, int]:
    """After an ordered stop: alerts told, numbers missing among them, repeats, incidents without an end."""
    numbers = [int(alert["sequence"]) for alert in town.told()]
    missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    unended = {alert["id"] for alert in town.told()} - {alert["id"] for alert in town.told("end")}
    return len(numbers), missing, len(numbers) - len(set(numbers)), len(unended)


def say(line: str) -> None:
    """At once, also into a file."""
    print(line, flush=True)


def main() -> int:
    """Print what was found; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--postgres", action="store_true", help="the outbox in PostgreSQL")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    server = PostgresServer() if asked.postgres else None
    more = (
        "" if server is None else f"outbox: {{url: 'postgresql://watch:{PASSWORD}@127.0.0.1:{server.port}/postgres'}}\n"
    )
    try:
        with tempfile.TemporaryDirectory(prefix="streamwatch-town-") as folder:
            town = Town(Path(folder), more=more)
            with town:
                town.settle()
                say(f"12 cameras scored on 3 nodes {time.monotonic() - town.began:5.1f} s after the start")
                found = rounds(town, asked.rounds, asked.heads, say)
                town.fleet.stop()
                time.sleep(1.0)
                told, missing, repeats, unended = reckon(town)
    finally:
        if server is not None:
            server.close()
    for name, seconds in found.items():
        if seconds:
            middle = statistics.median(seconds)
            print(f"{name:15s} {len(seconds):3d} times  median {middle:5.1f} s  most {max(seconds):5.1f} s")
    print(f"alerts told {told}, numbers missing {len(missing)}, repeats {repeats}, incidents without an end {unended}")
    late = [name for name, seconds in found.items() if any(s > LIMITS[name] for s in seconds)]
    return int(bool(late or missing or unended))


if __name__ == "__main__":
    sys.exit(main())
