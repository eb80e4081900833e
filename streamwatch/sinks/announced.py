"""Which Home Assistant devices we announced, over restarts: a broker keeps them until somebody takes them back."""

import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Announced", "Components"]

log = logging.getLogger(__name__)

Components = Mapping[str, str]  # component → platform

_SIZE_LIMIT = 4 << 20  # bytes
_ID = re.compile(r"[a-zA-Z0-9_-]{1,256}")


class Announced:
    """Devices with their components, in a small JSON file; None: forgotten with the process.

    A file that cannot be read or written is said and costs no more than a device left at the broker.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._devices: dict[str, dict[str, str]] = {} if path is None else _read(path)

    def devices(self) -> dict[str, Components]:
        """All that the broker may hold."""
        return dict(self._devices)

    def add(self, devices: Mapping[str, Components]) -> None:
        """These are about to be announced, too; what they had before is kept until ``settle``."""
        self._change({**self._devices, **{key: {**self._devices.get(key, {}), **devices[key]} for key in devices}})

    def settle(self, device: str, components: Components) -> None:
        """The broker holds exactly these components of ``device``; none: it has forgotten the device."""
        others = {key: value for key, value in self._devices.items() if key != device}
        self._change({**others, device: dict(components)} if components else others)

    def _change(self, devices: dict[str, dict[str, str]]) -> None:
        if devices == self._devices:
            return
        self._devices = devices
        if self._path is None:
            return
        part = self._path.with_name(f"{self._path.name}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="ascii") as file:
                json.dump(devices, file, indent=1, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            log.warning("%s: cannot be written (%s); a camera removed now stays in Home Assistant", self._path, error)


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        with path.open("rb") as file:
            content = file.read(_SIZE_LIMIT + 1)
        found: Any = json.loads(content) if len(content) <= _SIZE_LIMIT else None
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s: cannot be read (%s); devices announced earlier stay in Home Assistant", path, error)
        return {}
    if not isinstance(found, dict) or not all(_is_device(key, value) for key, value in found.items()):
        log.warning("%s: is not a list of devices; those announced earlier stay in Home Assistant", path)
        return {}
    return found


def _is_device(key: str, value: object) -> bool:
    """Whether these can be put into a topic and a payload."""
    return (
        _ID.fullmatch(key) is not None
        and isinstance(value, dict)
        and all(isinstance(platform, str) and _ID.fullmatch(name) and platform for name, platform in value.items())
    )
