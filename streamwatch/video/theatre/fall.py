"""Falls: people trip, slip backwards, topple sideways or collapse, in a second or less, and stay down."""

import numpy as np

from streamwatch.video.theatre.motion import Key, Script
from streamwatch.video.theatre.skeleton import mirrored, pose
from streamwatch.video.theatre.view import Floats

__all__ = ["FALLS", "LYING_S", "fall", "get_up"]

LYING_S = 4.0
"""Seconds on the floor that count as part of the event ``fall``."""

_PRONE = pose({"forward": 0.85, "pitch": 1.5, "bend": 0.05, "nod": -0.3, "turn": 0.7, "l_arm": 2.3, "l_out": 0.5,
               "l_elbow": 0.9, "r_arm": 1.2, "r_out": 0.6, "r_elbow": 0.8, "l_hip": 0.15, "l_knee": 0.3,
               "r_hip": 0.5, "r_spread": 0.3, "r_knee": 0.9})  # fmt: skip
_SUPINE = pose({"forward": -0.75, "pitch": -1.5, "nod": 0.25, "turn": 0.4, "l_arm": 0.25, "l_out": 0.9,
                "l_elbow": 0.25, "r_arm": 0.2, "r_out": 0.6, "r_elbow": 1.1, "r_in": 1.3, "l_hip": 0.5,
                "l_knee": 1.0, "r_hip": 0.15, "r_knee": 0.2, "r_spread": 0.2})  # fmt: skip
_ON_SIDE = pose({"side": 0.75, "roll": 1.45, "bend": 0.35, "nod": 0.2, "l_arm": 1.3, "l_elbow": 0.6, "r_arm": 0.7,
                 "r_out": 0.2, "r_elbow": 1.0, "l_hip": 0.6, "l_knee": 0.9, "r_hip": 0.3, "r_knee": 0.7})  # fmt: skip
_HEAP = pose({"side": 0.5, "forward": 0.1, "roll": 1.25, "pitch": 0.5, "bend": 0.6, "nod": 0.5, "l_arm": 0.9,
              "l_elbow": 0.9, "r_arm": 0.5, "r_elbow": 0.5, "l_hip": 1.1, "l_knee": 1.7, "r_hip": 0.8,
              "r_knee": 1.4})  # fmt: skip

# Name → the way down from standing: (share of the drop's time, pose, ease).
FALLS: dict[str, tuple[tuple[float, Floats, str], ...]] = {
    "trip": (
        (0.35, pose({"forward": 0.25, "pitch": 0.35, "bend": 0.25, "l_arm": 0.9, "r_arm": 1.1, "l_out": 0.5,
                     "r_out": 0.4, "l_elbow": 0.5, "r_elbow": 0.4, "l_hip": 0.7, "l_knee": 0.9, "r_hip": -0.4,
                     "r_knee": 0.4}), "smooth"),
        (0.5, pose({"forward": 0.75, "pitch": 1.3, "bend": -0.05, "nod": -0.4, "l_arm": 1.9, "r_arm": 1.7,
                    "l_out": 0.4, "r_out": 0.5, "l_elbow": 0.7, "r_elbow": 0.6, "l_hip": 0.3, "l_knee": 0.8,
                    "r_hip": -0.1, "r_knee": 0.5}), "drop"),
        (0.15, _PRONE, "whip"),
    ),
    "slip": (
        (0.35, pose({"forward": -0.15, "pitch": -0.35, "bend": 0.15, "l_arm": 1.3, "r_arm": 0.4, "l_out": 0.9,
                     "r_out": 1.2, "l_elbow": 0.3, "r_elbow": 0.3, "l_hip": 0.9, "l_knee": 0.4, "r_hip": 0.2,
                     "r_knee": 0.5, "nod": 0.3}), "smooth"),
        (0.45, pose({"forward": -0.55, "pitch": -1.15, "bend": 0.45, "nod": 0.5, "l_arm": 0.3, "r_arm": -0.5,
                     "l_out": 1.0, "r_out": 0.8, "l_elbow": 0.4, "r_elbow": 0.6, "l_hip": 0.9, "l_knee": 0.6,
                     "r_hip": 0.6, "r_knee": 0.8}), "drop"),
        (0.2, _SUPINE, "whip"),
    ),
    "topple": (
        (0.3, pose({"side": 0.1, "roll": 0.3, "lean": -0.1, "l_arm": 0.4, "l_out": 1.2, "r_out": 1.0,
                    "l_elbow": 0.3, "r_elbow": 0.4, "r_hip": 0.3, "r_spread": 0.4, "r_knee": 0.3}), "smooth"),
        (0.5, pose({"side": 0.65, "roll": 1.2, "lean": 0.1, "bend": 0.1, "l_arm": 0.8, "l_out": 0.9,
                    "l_elbow": 0.4, "r_arm": 0.6, "r_out": 0.7, "r_elbow": 0.6, "l_hip": 0.3, "l_knee": 0.5,
                    "r_hip": 0.4, "r_knee": 0.4}), "drop"),
        (0.2, _ON_SIDE, "whip"),
    ),
    "collapse": (
        (0.45, pose({"forward": -0.15, "bend": 0.5, "nod": 0.6, "l_arm": 0.2, "r_arm": 0.1, "l_elbow": 0.3,
                     "r_elbow": 0.2, "l_hip": 1.2, "l_knee": 1.9, "r_hip": 1.0, "r_knee": 1.8}), "drop"),
        (0.35, pose({"side": 0.3, "forward": 0.0, "roll": 0.7, "pitch": 0.3, "bend": 0.6, "nod": 0.7, "l_arm": 0.6,
                     "r_arm": 0.3, "l_elbow": 0.5, "r_elbow": 0.3, "l_hip": 1.3, "l_knee": 2.0, "r_hip": 1.0,
                     "r_knee": 1.8}), "drop"),
        (0.2, _HEAP, "whip"),
    ),
}  # fmt: skip


def fall(script: Script, kind: str, seconds: float, lie: float) -> float:
    """Fall in ``seconds`` and lie for ``lie`` seconds, stirring a little; return when the drop begins."""
    start, flip = script.now, script.rng.random() < 0.5
    keys = [Key(seconds * share, _varied(script.rng, p, flip), ease) for share, p, ease in FALLS[kind]]
    script.play(*keys)
    down = keys[-1].pose
    while lie > 0:
        rest = min(lie, float(script.rng.uniform(1.5, 5.0)))
        stirred = down + script.rng.normal(0, 0.12, down.shape) * (np.abs(down) > 0.15)
        stirred[3:8] = down[3:8]
        script.play(Key(rest * 0.4, down), Key(rest * 0.6, stirred if script.rng.random() < 0.6 else down), amount=0.08)
        lie -= rest
    return start


def get_up(script: Script, seconds: float = 3.0) -> None:
    """Push up to the knees and stand again, slowly."""
    end = script.at_end()
    where = {"forward": float(end[3]), "side": float(end[4])}
    kneel = pose({**where, "bend": 0.6, "l_arm": 0.7, "r_arm": 0.7, "l_elbow": 0.2, "r_elbow": 0.3, "l_hip": 1.5,
                  "l_knee": 1.9, "r_hip": 0.3, "r_knee": 1.8})  # fmt: skip
    crawl = pose({**where, "pitch": 0.9, "bend": 0.3, "l_arm": 1.2, "r_arm": 1.3, "l_hip": 0.8, "l_knee": 1.6,
                  "r_hip": 0.9, "r_knee": 1.7})  # fmt: skip
    up = pose({**where, "bend": 0.15, "l_hip": 0.1, "l_knee": 0.2, "r_knee": 0.05})
    script.play(Key(seconds * 0.4, crawl), Key(seconds * 0.3, kneel), Key(seconds * 0.3, up))
    script.settle()


def _varied(rng: np.random.Generator, vector: Floats, flip: bool) -> Floats:
    varied = vector * rng.uniform(0.9, 1.1, vector.shape)
    return mirrored(varied) if flip else varied
