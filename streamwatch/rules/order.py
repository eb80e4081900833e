"""What people order of the running rules: to take note of an incident, or to hear nothing of a rule for a while.

::

    {"by": "Ann", "note": "nurse is with him"}                              # of an incident; both may be left out
    {"rule": "fight", "camera": "dock", "for": "2h", "by": "Bob"}           # one or both of rule and camera
    {"camera": "dock", "until": "2026-01-05T06:00:00Z"}                     # or seconds since 1970
    {"rule": "fight", "camera": "dock", "for": 0}                           # no longer
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from streamwatch.errors import OrderError
from streamwatch.rules.duration import Duration

__all__ = ["MAX_SNOOZE", "Acknowledge", "Order", "Snooze", "Snoozed", "parse_acknowledge", "parse_snooze"]

MAX_SNOOZE = 7 * 86400.0
"""Seconds ahead that a snooze may reach at most."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody has taken note of the incident ``id``."""

    id: str
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Snooze:
    """Withhold alerts of ``rule`` on ``camera`` (None: on all, of all) until ``until`` (UTC s), or for ``span`` s.

    Either is None. A time that is over, or 0 s, ends the snooze of the same rule and camera.
    """

    rule: str | None
    camera: str | None
    until: float | None = None
    span: float | None = None
    by: str = ""
    note: str = ""


Order = Acknowledge | Snooze


@dataclass(frozen=True, slots=True)
class Snoozed:
    """A snooze in force since ``since`` until ``until`` (UTC s)."""

    rule: str | None
    camera: str | None
    since: float
    until: float
    by: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.rule or 'every rule'} on {self.camera or 'every camera'}"

    def to_payload(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)


def _seconds(value: object) -> object:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("must say its time zone, as 2026-01-05T06:00:00Z does")
        return moment.timestamp()
    if isinstance(value, bool):
        raise ValueError("must be a time")
    return value


_Keys = TypeVar("_Keys", bound="_Signed")
Words = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Moment = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False), BeforeValidator(_seconds)]


class _Signed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    by: Annotated[Words, Field(max_length=64)] = ""
    note: Annotated[Words, Field(max_length=256)] = ""


class _SnoozeKeys(_Signed):
    rule: Name | None = None
    camera: Name | None = None
    until: Moment | None = None
    span: Duration | None = Field(None, alias="for")

    @model_validator(mode="after")
    def _one_end(self) -> "_SnoozeKeys":
        if self.rule is None and self.camera is None:
            raise ValueError("give rule, camera or both")
        if (self.until is None) == (self.span is None):
            raise ValueError("give either until or for")
        return self


def parse_acknowledge(incident: str, payload: bytes) -> Acknowledge:
    """The order to acknowledge ``incident``, an id; an empty payload will do. Raises OrderError."""
    keys = _read(_Signed, payload or b"{}")
    return Acknowledge(incident, keys.by, keys.note)


def parse_snooze(payload: bytes) -> Snooze:
    """The order in ``payload``. Raises OrderError."""
    keys = _read(_SnoozeKeys, payload)
    return Snooze(keys.rule, keys.camera, keys.until, keys.span, keys.by, keys.note)


def _read(model: type[_Keys], payload: bytes) -> _Keys:
    try:
        found: Any = json.loads(payload)
    except (ValueError, RecursionError):
        raise OrderError("is not JSON") from None
    if not isinstance(found, Mapping):
        raise OrderError("is not a JSON object")
    try:
        return model.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part)[:64] for part in first["loc"])
        raise OrderError(f"{place}: {first['msg']}" if place else first["msg"]) from None
