"""An alert as the store keeps it: its own fields as JSON, so that reading gives the equal object back."""

import json
from dataclasses import MISSING, asdict, fields
from typing import Any

from streamwatch.models.detection import ModelInfo
from streamwatch.rules.alert import Alert, AlertType

__all__ = ["dump", "load"]


def dump(alert: Alert) -> str:
    """``alert`` as JSON, in ASCII: whatever a text holds can be kept."""
    return json.dumps(asdict(alert), separators=(",", ":"))


def load(text: str) -> Alert:
    """The alert that was dumped. A field that this version does not know is ignored, one that it lacks defaults.

    Raises ValueError for anything else.
    """
    found: Any = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object")
    known = {field.name: field for field in fields(Alert)}
    missing = [name for name, field in known.items() if name not in found and field.default is MISSING]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    values = {name: value for name, value in found.items() if name in known}
    try:
        values["type"] = AlertType(values["type"])
        values["model"] = ModelInfo(**values["model"])
    except TypeError as error:
        raise ValueError(f"model: {error}") from error
    return Alert(**values)
