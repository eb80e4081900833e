"""``python -m tests.faults --minutes 60 --seed 1``: the campaign, its table, and exit code 1 if a promise broke."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.campaign import FAULTS, Campaign, Report, rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(FAULTS), default="", help="this fault alone")
    parser.add_argument("--control", choices=("memory", "unsynced"), default="", help="weaken it: must fail")
    given = parser.parse_args()
    report = Report()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="streamwatch-faults-", ignore_cleanup_errors=True) as folder:
        campaign = Campaign(Path(folder), given.seed, 60 * given.minutes, given.control, given.only)
        for name, outcome in campaign.run():
            report.outcomes.setdefault(name, []).append(outcome)
            if sys.stderr.isatty():
                done = sum(map(len, report.outcomes.values()))
                print(f"\r{time.monotonic() - began:6.0f} s  {done} faults  {name:16}", end="", file=sys.stderr)
        campaign.reckon(report)
    print("\n".join(rows(report)))
    for line in report.wrong:
        print(f"BROKEN  {line}")
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
