"""Home Assistant's MQTT device discovery (2024.11 and later): one device per camera.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

import json
import re
import threading
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from streamwatch import __version__
from streamwatch.rules.alert import AlertType
from streamwatch.sinks.announced import Announced
from streamwatch.sinks.readings import EXPIRY
from streamwatch.sinks.states import RetainedStates, Topics

__all__ = ["BIRTH", "Discovery", "describe", "device_id"]

BIRTH = "homeassistant/status"  # Home Assistant says ``online`` there when it has started

_URL = "https://github.com/streamwatch/streamwatch"
_AWAY = ["connecting", "offline", "disabled", "failed"]  # no pictures come; in any other state they do
_CONFIG = re.compile(r"homeassistant/device/([a-zA-Z0-9_-]+)/config")


class Discovery:
    """Announces cameras as devices among the retained states, and takes back those of an earlier run that are gone.

    ``events``: whose scores are said. ``cameras``: the names of the rules that watch each. Without any, all devices
    are taken back. Any thread.
    """

    def __init__(
        self, topics: Topics, states: RetainedStates, announced: Announced, events: Sequence[str] = ()
    ) -> None:
        self._topics = topics
        self._events = events
        self._states = states
        self._announced = announced
        self._wanted: dict[str, dict[str, str]] = {}  # device → component → platform
        self._lock = threading.Lock()

    def announce(self, cameras: Mapping[str, Sequence[str]], commands: bool) -> None:
        """Have these devices, and no others, retained. ``commands``: cameras can be switched."""
        with self._lock:
            self._announce(cameras, commands)

    def _announce(self, cameras: Mapping[str, Sequence[str]], commands: bool) -> None:
        before = self._announced.devices()
        devices = {
            device_id(self._topics.prefix, camera): describe(self._topics, camera, rules, commands, self._events)
            for camera, rules in cameras.items()
        }
        self._wanted = {key: {name: part["p"] for name, part in d["cmps"].items()} for key, d in devices.items()}
        self._announced.add(self._wanted)
        for key, device in devices.items():
            for name, platform in before.get(key, {}).items():  # a component is removed by naming its platform alone
                device["cmps"].setdefault(name, {"p": platform})
            self._states.set(_config_topic(key), json.dumps(device, separators=(",", ":")))
        for key in before.keys() - devices.keys():
            self._states.set(_config_topic(key), "")

    def confirmed(self, topic: str) -> None:
        """The broker has taken what is retained under ``topic``."""
        match = _CONFIG.fullmatch(topic)
        if match is not None:
            with self._lock:
                self._announced.settle(match[1], self._wanted.get(match[1], {}))


def device_id(prefix: str, camera: str) -> str:
    """A name that Home Assistant takes (``[a-zA-Z0-9_-]+``) and no other prefix and camera have."""
    digest = sha256(f"{prefix}/{camera}".encode()).hexdigest()[:8]
    return f"{prefix.replace('/', '_')}_{camera}_{digest}"


def describe(
    topics: Topics, camera: str, rules: Sequence[str], commands: bool, events: Sequence[str] = ()
) -> dict[str, Any]:
    """The device of ``camera``: sensor and picture per rule, its state, an event for each alert, perhaps a switch.

    With ``events`` their scores and the frame rate, too.
    """
    key = device_id(topics.prefix, camera)
    components = {f"alert_{rule}": _rule(topics, camera, rule) for rule in rules}
    components |= {"status": _status(topics, camera), "connectivity": _connectivity(topics, camera)}
    components |= {f"picture_{rule}": _picture(topics, camera, rule) for rule in rules}
    components |= {f"score_{event}": _score(topics, camera, event) for event in events}
    if events:
        components["fps"] = {**_measurement(topics.fps(camera), "Frame rate", 1), "unit_of_measurement": "fps"}
    components["alerts"] = _alerts(topics, camera)
    if commands:
        components["enabled"] = {
            "p": "switch",
            "name": "Enabled",
            "state_topic": topics.enabled(camera),
            "command_topic": topics.enabled_set(camera),
            "entity_category": "config",
        }
    return {
        "dev": {"ids": [key], "name": camera, "mf": "streamwatch", "mdl": "Camera", "sw": __version__},
        "o": {"name": "streamwatch", "sw": __version__, "url": _URL},
        "cmps": {name: {**part, "unique_id": f"{key}_{name}"} for name, part in components.items()},
        # "stopped" is neither of the two payloads that Home Assistant knows
        "avty": [{"topic": topics.available, "value_template": _choice("value == 'online'", "online", "offline")}],
        "qos": 1,
    }


def _rule(topics: Topics, camera: str, rule: str) -> dict[str, Any]:
    return {
        "p": "binary_sensor",
        "name": _title(rule),
        "device_class": "safety",
        "state_topic": topics.alert_state(camera, rule),
        "json_attributes_topic": topics.alert(camera, rule),
    }


def _picture(topics: Topics, camera: str, rule: str) -> dict[str, Any]:
    return {"p": "camera", "name": f"{_title(rule)} picture", "topic": topics.snapshot(camera, rule)}


def _score(topics: Topics, camera: str, event: str) -> dict[str, Any]:
    return _measurement(topics.score(camera, event), f"{_title(event)} score", 2)


def _measurement(topic: str, name: str, precision: int) -> dict[str, Any]:
    return {
        "p": "sensor",
        "name": name,
        "state_topic": topic,
        "state_class": "measurement",
        "suggested_display_precision": precision,
        "expire_after": EXPIRY,
        "entity_category": "diagnostic",
    }


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _status(topics: Topics, camera: str) -> dict[str, Any]:
    return {"p": "sensor", "name": "Status", "state_topic": topics.status(camera), "entity_category": "diagnostic"}


def _connectivity(topics: Topics, camera: str) -> dict[str, Any]:
    return {
        "p": "binary_sensor",
        "name": "Connectivity",
        "device_class": "connectivity",
        "state_topic": topics.status(camera),
        "value_template": _choice(f"value in {_AWAY}", "OFF", "ON"),
        "entity_category": "diagnostic",
    }


def _alerts(topics: Topics, camera: str) -> dict[str, Any]:
    """An event's payload must hold ``event_type``; the rest become attributes."""
    shown = ("id", "seq", "sequence", "rule", "event", "zone", "severity", "score", "summary")
    fields = ["'event_type': value_json.type", *(f"'{name}': value_json.{name}" for name in shown)]
    return {
        "p": "event",
        "name": "Alerts",
        "event_types": [kind.value for kind in AlertType],
        "state_topic": topics.alert(camera, "+"),
        "value_template": "{{ {" + ", ".join(fields) + "} | to_json }}",
    }


def _choice(condition: str, yes: str, no: str) -> str:
    return f"{{{{ '{yes}' if {condition} else '{no}' }}}}"


def _config_topic(device: str) -> str:
    return f"homeassistant/device/{device}/config"
