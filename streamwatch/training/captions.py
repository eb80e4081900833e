"""Captions for seconds that nobody described: a few ways to say each label."""

from collections.abc import Sequence

import numpy as np

__all__ = ["TEMPLATES", "caption", "join"]

TEMPLATES = {
    "fight": (
        "two people fight", "people hit each other", "a violent fight", "a man attacks another man",
        "men punch and kick each other", "a brawl breaks out", "someone is beaten",
    ),
    "fall": (
        "a person falls to the floor", "someone falls down", "a man collapses", "a fall", "a person trips and falls",
        "somebody loses balance and lands on the ground",
    ),
    "shoplifting": (
        "a person hides goods in a bag", "shoplifting", "someone steals from a shelf", "a customer pockets an item",
        "theft in a shop",
    ),
    "normal": (
        "nothing unusual", "people walk past", "people stand and talk", "a normal scene", "somebody goes about the day",
        "ordinary activity",
    ),
}  # fmt: skip


def caption(label: str, rng: np.random.Generator, joined: float = 0.0) -> str:
    """One way to say ``label``; an unknown label is said as it is. A share ``joined`` is said twice, in other words:
    what is told beside a picture need not be of that second (VideoBERT joins neighbouring sentences)."""
    choices = TEMPLATES.get(label, (label,))
    first = choices[int(rng.integers(len(choices)))]
    if joined and rng.random() < joined:
        return join([first, choices[int(rng.integers(len(choices)))]])
    return first


def join(told: Sequence[str]) -> str:
    """Neighbouring captions as one, none twice."""
    return ", ".join(dict.fromkeys(told))
