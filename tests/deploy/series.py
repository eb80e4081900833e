"""The series that streamwatch exposes, and those that a query names."""

import re

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.test_metrics import filled


def exposed() -> set[str]:
    """Every series name of /metrics, with a histogram's _bucket, _sum and _count."""
    text = generate_latest(filled().registry).decode()
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


def named(query: str) -> set[str]:
    """The series that a PromQL query asks for: words that are streamwatch's, or ``up``."""
    return set(re.findall(r"\b(?:streamwatch_\w+|up)\b", query))
