"""The exception tree is the one that is drawn."""

import inspect
import re

from streamwatch import errors
from streamwatch.errors import AuthenticationError, EndOfStreamError, SourceError, StreamwatchError

CLASSES = {
    name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
}


def drawn() -> dict[str, str | None]:
    """Class → parent, read from the docstring's tree by indentation."""
    parents: dict[str, str | None] = {}
    stack: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([ │├└─]*)([A-Z]\w+Error)\b", line)
        if match:
            depth = len(match.group(1))
            while stack and stack[-1][0] >= depth:
                stack.pop()
            parents[match.group(2)] = stack[-1][1] if stack else None
            stack.append((depth, match.group(2)))
    return parents


def test_the_drawing_is_true() -> None:
    actual = {
        name: kind.__bases__[0].__name__ if kind is not StreamwatchError else None for name, kind in CLASSES.items()
    }
    assert drawn() == actual


def test_all_are_listed() -> None:
    assert sorted(CLASSES) == sorted(errors.__all__)


def test_a_source_error_has_a_reason_for_its_metric() -> None:
    assert SourceError("x").reason == "error"
    assert SourceError("x", "timeout").reason == "timeout"
    assert AuthenticationError("x").reason == "unauthorized"
    assert EndOfStreamError("x").reason == "end_of_stream"
