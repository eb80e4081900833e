"""Clips that gave nothing: each named when it is met, all counted at the end, so that none goes unsaid."""

import sys
from collections import Counter

from tqdm import tqdm

__all__ = ["SHORT", "Skipped"]

SHORT = "shorter than a second"


class Skipped:
    """Of one pass over ``total`` clips; lines go to stderr, above the progress bar."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.reasons: Counter[str] = Counter()

    def __len__(self) -> int:
        return self.reasons.total()

    def failed(self, error: Exception) -> None:
        """A clip of which ``error`` says path and fault."""
        self._name("unreadable", str(error))

    def left_out(self, path: str, reason: str) -> None:
        """A clip that can be read, but gives nothing."""
        self._name(reason, f"{path}: {reason}")

    def _name(self, reason: str, line: str) -> None:
        self.reasons[reason] += 1
        tqdm.write(f"skipped: {line}", file=sys.stderr)

    def sum_up(self) -> None:
        """One line with the count of each reason, if there was any."""
        if self.reasons:
            parts = ", ".join(f"{count} {reason}" for reason, count in sorted(self.reasons.items()))
            tqdm.write(f"{len(self)} clips of {self.total} skipped: {parts}", file=sys.stderr)
