"""How an alert is written: the contract's JSON alone, or inside a CloudEvent.

CloudEvents 1.0.2 with its MQTT binding (https://github.com/cloudevents/spec): structured, the envelope is the payload,
also on MQTT 3.1.1; binary, the payload is the alert and the attributes are MQTT 5 user properties.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from streamwatch.rules.alert import Alert, to_json

__all__ = ["CLOUD_EVENT_TYPE", "FORMATS", "Body", "write_binary", "write_plain", "write_structured"]

CLOUD_EVENT_TYPE = "io.streamwatch.alert.v1"

_JSON = "application/json"
_STRUCTURED = "application/cloudevents+json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Body:
    """A payload with what MQTT 5 says of it: its content type, and user properties. 3.1.1 leaves both out."""

    payload: str | bytes
    content_type: str | None = None
    properties: tuple[tuple[str, str], ...] = ()


def write_plain(alert: Alert, instance: str, sequence: int) -> Body:
    """The alert; its place and severity once more as properties, for those who route without parsing.

    Raises ValueError, as all of these do, if the alert holds what JSON or UTF-8 cannot.
    """
    place = (("instance", instance), ("sequence", str(sequence)), ("severity", alert.severity))
    return Body(_checked(to_json(alert, instance, sequence)), _JSON, place)


def write_structured(alert: Alert, instance: str, sequence: int) -> Body:
    """A CloudEvent in JSON with the alert as ``data``."""
    attributes = _attributes(alert, instance, sequence)
    head = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"))
    return Body(_checked(f'{head[:-1]},"data":{to_json(alert, instance, sequence)}}}'), _STRUCTURED)


def write_binary(alert: Alert, instance: str, sequence: int) -> Body:
    """The alert with the CloudEvent's attributes as properties; the content type is the attribute that is missing."""
    attributes = _attributes(alert, instance, sequence)
    content_type = attributes.pop("datacontenttype")
    return Body(_checked(to_json(alert, instance, sequence)), content_type, tuple(attributes.items()))


FORMATS: dict[str, Callable[[Alert, str, int], Body]] = {
    "json": write_plain,
    "cloudevents": write_structured,
    "cloudevents-binary": write_binary,
}


def _attributes(alert: Alert, instance: str, sequence: int) -> dict[str, str]:
    """``source`` and ``id`` together are unique: a repeat of a message has both again."""
    try:
        time = datetime.fromtimestamp(alert.time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (OverflowError, OSError) as error:
        raise ValueError(f"time {alert.time!r} is none that a calendar knows") from error
    return {
        "specversion": "1.0",
        "id": f"{instance}/{sequence}",
        "source": f"/streamwatch/{quote(instance, safe='')}",  # a URI reference
        "type": CLOUD_EVENT_TYPE,
        "time": time,
        "subject": f"{alert.camera}/{alert.rule}",
        "datacontenttype": _JSON,
    }


def _checked(text: str) -> str:
    text.encode()  # half a surrogate pair: found here, not in the middle of a publish
    return text
