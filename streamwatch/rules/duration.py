"""Lengths of time in rule files: ``20s``, ``0.5s``, ``1m30s``, ``1h``; a plain number is seconds."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

__all__ = ["MAX_DURATION", "Duration", "parse_duration"]

MAX_DURATION = 30 * 86400.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")


def parse_duration(value: object) -> float:
    """Seconds. Raises ValueError, also for negative, endless or repeated units (``1s1s``)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a duration such as 20s, 0.5s or 1m30s")
    seconds = _sum_of_parts(value) if isinstance(value, str) else float(value)
    if not 0 <= seconds <= MAX_DURATION:
        raise ValueError(f"must be between 0 and {MAX_DURATION / 86400:g}d, not {value}")
    return seconds


def _sum_of_parts(text: str) -> float:
    parts = _PART.findall(text)
    units = [unit for _, unit in parts]
    falling = sorted(set(units), key=lambda unit: -_UNITS[unit])
    if not parts or "".join(number + unit for number, unit in parts) != text or units != falling:
        raise ValueError(f"must be a duration such as 20s, 0.5s or 1m30s, not {text[:40]!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


Duration = Annotated[float, BeforeValidator(parse_duration), Field(json_schema_extra={"examples": ["20s", "1m30s"]})]
