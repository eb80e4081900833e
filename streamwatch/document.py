"""One YAML 1.2 document from a file: capped, without surprises, with the environment put in.

YAML 1.2 by ruamel, because YAML 1.1 reads ``22:22`` as 1342 and a camera named ``no`` as false. Size, depth and
aliases are capped before anything is expanded: a 304-byte alias bomb would otherwise grow to millions of leaves.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from streamwatch.errors import ConfigError

__all__ = ["MAX_ALIASES", "MAX_BYTES", "MAX_DEPTH", "nearest", "parse_document", "read_document"]

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_ALIASES = 64

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def nearest(word: str, known: Iterable[str]) -> str:
    """A clause naming the closest known word, e.g. ``; did you mean 'url'?``; empty if none is close."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def read_document(path: Path, environ: Mapping[str, str] = os.environ) -> Any:
    """The document in ``path`` with ``${NAME}`` replaced in its strings. Raises ConfigError."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(f"{path}: {size} bytes; at most {MAX_BYTES} are read")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 (byte {error.start})") from error
    return parse_document(text, str(path), environ)


def parse_document(text: str, where: str, environ: Mapping[str, str]) -> Any:
    """The document in ``text``; ``where`` names it in errors. Raises ConfigError."""
    try:
        _check_shape(text, where)
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ConfigError(f"{where}: {_explain(error)}") from error
    except (ValueError, TypeError, RecursionError) as error:  # a date that does not exist, a mapping as a key
        raise ConfigError(f"{where}: not valid YAML: {error}") from error
    return _substitute(document, where, "", environ)


def _check_shape(text: str, where: str) -> None:
    depth = aliases = 0
    anchors: set[str] = set()
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, CollectionStartEvent):
            depth += 1
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
        elif isinstance(event, AliasEvent):
            aliases += 1
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.anchor is not None:
            if event.anchor in anchors:
                raise ConfigError(f"{where}: line {event.start_mark.line + 1}: anchor &{event.anchor} is set twice")
            anchors.add(event.anchor)
        if depth > MAX_DEPTH:
            raise ConfigError(f"{where}: nested deeper than {MAX_DEPTH} levels")
        if aliases > MAX_ALIASES:
            raise ConfigError(f"{where}: more than {MAX_ALIASES} aliases")


def _explain(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)


def _substitute(node: Any, where: str, path: str, environ: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _substitute(value, where, f"{path}.{key}", environ) for key, value in node.items()}
    if isinstance(node, list):
        return [_substitute(value, where, f"{path}[{i}]", environ) for i, value in enumerate(node)]
    if not isinstance(node, str):
        return node

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environ:
            raise ConfigError(f"{where}: {path.lstrip('.')}: environment variable {name} is not set")
        return environ[name]

    return _VARIABLE.sub(value_of, node)
