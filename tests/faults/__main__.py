"""``python -m tests.faults --minutes 60 --seed 1``: the campaign, its table, and exit code 1 if a promise broke."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import kills, reconnects
from tests.faults.cameras import FAULTS as CAMERA_FAULTS
from tests.faults.cameras import preloaded
from tests.faults.campaign import FAULTS, Campaign, Report, rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=[*FAULTS, *CAMERA_FAULTS], default="", help="this fault alone")
    parser.add_argument("--control", choices=("memory", "unsynced"), default="", help="weaken it: must fail")
    parser.add_argument("--cameras", action="store_true", help="harm cameras instead")
    parser.add_argument("--slack", type=float, default=1.0, help="of the limits for cameras, on a busy machine")
    parser.add_argument("--kills", type=int, default=0, help="kill the whole service so often instead")
    parser.add_argument("--reconnects", type=int, default=0, help="hang up on a camera so often instead")
    given = parser.parse_args()
    if given.only and given.only not in (CAMERA_FAULTS if given.cameras else FAULTS):
        parser.error(f"--only {given.only}: is a fault of the other campaign; see --cameras")
    if given.kills:
        sys.exit(kills.main(given.kills, given.seed))
    if given.reconnects:
        sys.exit(reconnects.main(given.reconnects))
    if given.cameras:
        with tempfile.TemporaryDirectory(prefix="streamwatch-cameras-") as folder:
            options = {"seconds": 60 * given.minutes, "seed": given.seed, "slack": given.slack, "only": given.only}
            sys.exit(preloaded([f"--{name}={value}" for name, value in options.items()], Path(folder)))
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
