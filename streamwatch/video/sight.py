"""What is wrong with what a camera sees: frozen, covered, dark, moved or blurred. Pure: time is an argument.

The pictures are those that the model sees, masked and scaled: blur or noise that does not reach the model is none.
"""

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamwatch.video.frame import Image
from streamwatch.video.scenery import BLOCKS, SIZE, Likeness, Scenery
from streamwatch.video.standstill import Standstill

__all__ = ["CHECKS", "Sight"]

CHECKS: dict[str, tuple[float, float]] = {
    "frozen": (0.0, 0.0),
    "covered": (10.0, 5.0),
    "dark": (10.0, 5.0),
    "moved": (10.0, 10.0),
    "blurred": (15.0, 10.0),
}
"""State → seconds that its sign must last until it holds, and be away until it ends. The first that holds is told."""

LOOK = 0.9  # seconds between two looks at least
STEP = 2.0  # seconds that one look stands for at most: time that was not seen does not count
LEARN = 30  # looks until there is a reference to compare with
RECENT = 10.0  # seconds within which a block must have been seen as it was: people and traffic pass
ADOPT = 600.0  # seconds that a camera stays `moved`; then what it sees is the new reference
FORGET = 86400.0  # seconds that it stays `blurred`, likewise

BLACK = 32  # a picture is dark when all but 2 % of it are below this grey level
UNIFORM = 12  # grey levels between the 2nd and the 98th percentile of a picture that shows nothing at all
LOST = 0.7  # share of blocks that must be without their edges in a covered picture
DULL = 0.35  # or what is left of the median block's edges, while SOME match
SOME = 0.3  # share of blocks that must not have been seen as they were in a moved picture
SHARP = 0.6  # what is left of fine detail in a blurred picture


@dataclass(slots=True)
class _Spell:
    """A sign with hysteresis."""

    on: float
    off: float
    holds: bool = False
    lasted: float = 0.0  # seconds that the sign has said otherwise
    age: float = 0.0  # seconds that it holds

    def observe(self, sign: bool | None, step: float) -> None:
        """None: it cannot be told, so nothing changes."""
        if self.holds:
            self.age += step
        if sign is None:
            return
        self.lasted = 0.0 if sign == self.holds else self.lasted + step
        if sign != self.holds and self.lasted >= (self.off if self.holds else self.on):
            self.holds, self.lasted, self.age = sign, 0.0, 0.0

    def end(self) -> None:
        self.holds, self.lasted, self.age = False, 0.0, 0.0


class Sight:
    """One camera's eyesight. It outlives connections: a camera that was turned while it was away is `moved`.

    ``hidden`` (bool [S, S], True where a privacy mask is) is not looked at; ``checks`` are those of CHECKS to do.
    """

    def __init__(self, hidden: NDArray[np.bool_] | None = None, checks: Collection[str] = tuple(CHECKS)) -> None:
        self._hidden = None if hidden is None else _fit(hidden.astype(np.uint8)) > 0
        self._visible = None if self._hidden is None else np.where(self._hidden, 0, 255).astype(np.uint8)
        self._spells = {name: _Spell(*times) for name, times in CHECKS.items() if name in checks}
        self._standstill = Standstill()
        self._scenery = Scenery(self._hidden)
        self._unmatched = np.zeros((BLOCKS, BLOCKS))  # seconds since each block was last seen as it was
        self._last: float | None = None
        self._changed = False
        self._seen = 0.0  # seconds looked at

    @property
    def state(self) -> str:
        """The first of CHECKS that holds; ``online`` if none does."""
        return next((name for name, spell in self._spells.items() if spell.holds), "online")

    def observe(self, frames: Image, at: float, changed: bool = False) -> str:
        """Take the newest pictures (uint8 [T, S, S, 3] RGB, the last one at ``at`` seconds); the state.

        ``changed``: something has changed, whether or not it is among them.
        """
        self._changed = self._changed or changed
        step = LOOK if self._last is None else at - self._last
        if 0 <= step < LOOK:
            return self.state
        self._last = at
        step = min(step, STEP) if step > 0 else LOOK
        self._seen += step
        grey = _fit(cv2.cvtColor(frames[-1], cv2.COLOR_RGB2GRAY))
        signs = self._signs(grey, step)
        signs["frozen"] = "frozen" in self._spells and self._still(frames, grey, step)
        for name, spell in self._spells.items():
            spell.observe(signs[name], step)
        self._adopt()
        return self.state

    def _still(self, frames: Image, grey: NDArray[np.uint8], step: float) -> bool:
        if self._changed:
            self._standstill.restart()
            self._changed = False
        return self._standstill.observe(frames, grey, self._seen, step)

    def _signs(self, grey: NDArray[np.uint8], step: float) -> dict[str, bool | None]:
        """What this picture alone says; learns from one that says nothing."""
        low, high = self._range(grey)
        signs: dict[str, bool | None] = {"dark": high < BLACK, "covered": False, "moved": None, "blurred": None}
        if high < BLACK:
            return signs
        if high - low < UNIFORM:
            return signs | {"covered": True}
        look = self._scenery.look(grey)
        likeness = self._scenery.compare(look) if self._scenery.looks >= LEARN else None
        if likeness is not None:
            signs |= self._compared(likeness, step)
        if likeness is None or (likeness.match >= SOME and not (signs["covered"] or signs["blurred"])):
            self._scenery.learn(look)
        return signs

    def _compared(self, likeness: Likeness, step: float) -> dict[str, bool | None]:
        match = likeness.match
        if (likeness.lost >= LOST and match < 0.5) or (likeness.contrast < DULL and match < SOME):
            return {"covered": True}
        self._unmatched = np.where(likeness.same, 0.0, self._unmatched + step)
        recent = float((self._unmatched[likeness.structured] <= RECENT).mean())
        blurred = match >= SOME and likeness.detail is not None and likeness.detail < SHARP
        return {"covered": False, "moved": recent < SOME and not blurred, "blurred": blurred}

    def _adopt(self) -> None:
        for name, limit in (("moved", ADOPT), ("blurred", FORGET)):
            spell = self._spells.get(name)
            if spell is not None and spell.holds and spell.age >= limit:
                spell.end()
                self._scenery = Scenery(self._hidden)
                self._unmatched[:] = 0.0

    def _range(self, grey: NDArray[np.uint8]) -> tuple[int, int]:
        """The grey levels below which 2 % and 98 % of the visible picture are; 255 where nothing is visible."""
        counts = cv2.calcHist([grey], [0], self._visible, [256], [0, 256]).ravel().cumsum()
        if not counts[-1]:
            return 0, 255
        low, high = np.searchsorted(counts, np.array([0.02, 0.98]) * counts[-1])
        return int(low), int(high)


def _fit(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if grey.shape == (SIZE, SIZE):
        return grey
    return np.asarray(cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)
