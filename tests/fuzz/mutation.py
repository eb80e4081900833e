"""Mutations that keep a document a document: bytes alone seldom get past the parser."""

import copy
import json
import random
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

__all__ = ["mutate_bytes", "mutate_tree"]

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 0.5, 1e9, 1e308, 10**30, "", "a", "0", "é\x00", "1s", "1h", "30d", "x" * 300,
    "${CANARY}", [], {}, [[]], {"": None}, float("nan"), float("inf"), -float("inf"),
)  # fmt: skip


def mutate_tree(data: bytes, chance: random.Random, words: tuple[str, ...]) -> bytes | None:
    """The document in ``data`` (YAML, so JSON too) with some nodes changed, as JSON; None if it is none.

    What is before the first line that begins a document (a topic) stays.
    """
    head, mark, body = data.partition(b"\n") if data[:12] == b"streamwatch/" else (b"", b"", data)
    try:
        tree = YAML(typ="safe", pure=True).load(body.decode())
    except (YAMLError, ValueError, RecursionError, TypeError):
        return None
    for _ in range(chance.choice((1, 1, 2, 4))):
        tree = _changed(tree, chance, words)
    try:
        return head + mark + json.dumps(tree, default=str).encode()
    except (ValueError, TypeError, RecursionError):
        return None


def _changed(tree: Any, chance: random.Random, words: tuple[str, ...]) -> Any:
    tree = copy.deepcopy(tree)
    places: list[tuple[Any, Any]] = []
    _collect(tree, places)
    if not places:
        return chance.choice(VALUES)
    holder, key = chance.choice(places)
    kind = chance.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        other, name = chance.choice(places)
        holder[key] = copy.deepcopy(other[name])
    elif kind == 2 and isinstance(holder, dict):
        holder[chance.choice(words or ("key",))] = holder.pop(key)
    elif kind == 3 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == 4 and words:
        holder[key] = chance.choice(words)
    else:
        holder[key] = copy.deepcopy(chance.choice(VALUES))
    return tree


def _collect(node: Any, places: list[tuple[Any, Any]]) -> None:
    """(container, key) of every node below ``node``."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        places.append((node, key))
        _collect(node[key], places)


def mutate_bytes(data: bytes, chance: random.Random, words: tuple[str, ...]) -> bytes:
    """Some bytes changed, cut, doubled, or a word put in."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 2, 8, 64))):
        at = chance.randrange(len(found) + 1)
        kind = chance.randrange(4)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del found[at : at + chance.choice((1, 4, 100))]
        elif kind == 2:
            found[at:at] = found[at : at + chance.choice((1, 4, 100))]
        else:
            found[at:at] = chance.choice(words).encode() if words else bytes([chance.randrange(256)])
    return bytes(found)
