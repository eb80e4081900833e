"""Texts of alerts with a few known placeholders.

Not ``str.format``: that would let a rule file reach into objects (``{camera.__class__}``).
"""

import re
from collections.abc import Mapping

from streamwatch.document import nearest

__all__ = ["PLACEHOLDERS", "Template"]

PLACEHOLDERS = ("camera", "rule", "event", "score", "zone", "severity")
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class Template:
    """``text`` with ``{camera} {rule} {event} {score} {zone} {severity}``; ``{{`` and ``}}`` stand for braces.

    Raises ValueError for any other placeholder.
    """

    __slots__ = ("_parts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts: list[tuple[str, str | None]] = []  # literal, then the placeholder after it
        start = 0
        literal = ""
        for match in _FIELD.finditer(text):
            literal += text[start : match.start()]
            start = match.end()
            if match.group() in ("{{", "}}"):
                literal += match.group()[0]
                continue
            self._parts.append((literal, _checked(match)))
            literal = ""
        self._parts.append((literal + text[start:], None))

    def render(self, values: Mapping[str, str]) -> str:
        """The text with ``values`` put in; a value is never read as a template again."""
        return "".join(literal + (values[field] if field else "") for literal, field in self._parts)


def _checked(match: re.Match[str]) -> str:
    field = match.group(1)
    if field is None:
        raise ValueError(f"single {match.group()!r}; write {match.group() * 2!r} for a brace")
    if field not in PLACEHOLDERS:
        known = ", ".join(PLACEHOLDERS)
        raise ValueError(f"unknown placeholder {{{field[:40]}}}; known are {known}{nearest(field, PLACEHOLDERS)}")
    return str(field)
