"""What a running streamwatch says of itself on /metrics, and what changed between two looks."""

import math
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Scrape", "scrape"]

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Scrape:
    """Samples by name without ``streamwatch_``, then by labels."""

    samples: Mapping[str, Mapping[Labels, float]]

    def sum(self, name: str) -> float:
        """Over all labels; 0 where there is none."""
        return sum(self.samples.get(name, {}).values())

    def by(self, name: str, label: str) -> dict[str, float]:
        """Values by ``label``, summed over the others."""
        found: dict[str, float] = {}
        for labels, value in self.samples.get(name, {}).items():
            key = dict(labels).get(label, "")
            found[key] = found.get(key, 0.0) + value
        return found

    def since(self, before: "Scrape") -> "Scrape":
        """What was added since ``before``; for counters and histograms."""
        return Scrape(
            {
                name: {labels: value - before.samples.get(name, {}).get(labels, 0.0) for labels, value in rows.items()}
                for name, rows in self.samples.items()
            }
        )

    def quantile(self, name: str, q: float) -> float:
        """The upper bound of the bucket in which the quantile lies, over all labels; nan without samples."""
        buckets = sorted((float(bound), count) for bound, count in self.by(f"{name}_bucket", "le").items())
        total = buckets[-1][1] if buckets else 0.0
        return next((bound for bound, count in buckets if count >= q * total), math.nan) if total else math.nan


def scrape(port: int, timeout: float = 10.0) -> Scrape:
    """From ``127.0.0.1:port``. Raises OSError."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=timeout) as answer:
        text = answer.read().decode()
    samples: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix("streamwatch_")
            samples.setdefault(name, {})[frozenset(sample.labels.items())] = sample.value
    return Scrape(samples)
