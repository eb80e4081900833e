"""An alert as the store keeps it: its own fields as JSON, so that reading gives the equal object back."""

import json
from dataclasses import MISSING, asdict, fields
from typing import Any

from streamwatch.models.detection import ModelInfo
from streamwatch.rules.alert import Acknowledged, Alert, AlertType, Cause, IncidentState
from streamwatch.rules.part import part_of

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
        _read_states(values)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"a field within a field: {error}") from error
    return Alert(**values)


def _read_states(values: dict[str, Any]) -> None:
    """What earlier versions did not write, in place."""
    ended = values["type"] is AlertType.END
    values["state"] = IncidentState(values.get("state", IncidentState.CLOSED if ended else IncidentState.FIRING))
    values["cause"] = Cause(values.get("cause", Cause.CONDITION))
    if values.get("acknowledged") is not None:
        values["acknowledged"] = Acknowledged(**values["acknowledged"])
    if values.get("why") is not None:
        values["why"] = part_of(values["why"])
