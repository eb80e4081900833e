"""An alert as others read it: JSON after the schema ``streamwatch.alert/1``."""

import json
from dataclasses import asdict

from streamwatch.rules.alert import Alert

__all__ = ["SCHEMA", "to_json"]

SCHEMA = "streamwatch.alert/1"


def to_json(alert: Alert, instance: str, sequence: int) -> str:
    """One line; ``snapshot`` and ``clip`` are null until something stores them."""
    fields = asdict(alert)
    return json.dumps(
        {"schema": SCHEMA, "instance": instance, "sequence": sequence, **fields, "snapshot": None, "clip": None},
        ensure_ascii=False, separators=(",", ":"), allow_nan=False,
    )  # fmt: skip
