"""Choreography of a brawl: two or three people circle, punch, push, kick and grapple, and take the blows."""

import math
from dataclasses import dataclass

import numpy as np

from streamwatch.video.theatre.motion import Motion, sway
from streamwatch.video.theatre.skeleton import AT, mirrored, pose
from streamwatch.video.theatre.view import Floats

__all__ = ["STRIKES", "Brawl", "brawl"]

_GUARD = pose({"pitch": 0.04, "bend": 0.12, "nod": 0.15, "l_arm": 0.75, "l_elbow": 1.9, "l_in": 0.35, "l_out": 0.1,
               "r_arm": 0.65, "r_elbow": 2.0, "r_in": 0.3, "r_out": 0.12, "l_hip": 0.45, "l_knee": 0.5,
               "r_hip": -0.05, "r_knee": 0.4, "l_spread": 0.1, "r_spread": 0.15})  # fmt: skip
_GRAPPLE = pose({"pitch": 0.16, "bend": 0.28, "nod": 0.3, "l_arm": 1.3, "l_elbow": 0.6, "l_in": 0.5, "l_out": 0.15,
                 "r_arm": 1.2, "r_elbow": 0.75, "r_in": 0.5, "r_out": 0.2, "l_hip": 0.6, "l_knee": 0.6,
                 "r_hip": -0.3, "r_knee": 0.35, "l_spread": 0.15, "r_spread": 0.2})  # fmt: skip
_HIT = pose({"pitch": -0.25, "bend": -0.1, "nod": -0.45, "turn": 0.5, "twist": 0.4, "forward": -0.15, "l_arm": 0.2,
             "r_arm": 0.2, "l_out": 0.35, "r_out": 0.3})  # fmt: skip
_DUCK = pose({"bend": 0.5, "nod": 0.3, "l_arm": 0.6, "r_arm": 0.7, "l_elbow": 0.3, "l_hip": 0.4, "l_knee": 0.4,
              "r_hip": 0.4, "r_knee": 0.5})  # fmt: skip
_LEGS = [AT[name] for name in ("l_hip", "l_knee", "r_hip", "r_knee")]

# Name → seconds, and what it adds to the striker's pose at its height.
STRIKES: dict[str, tuple[float, Floats]] = {
    "jab": (0.34, pose({"twist": -0.45, "bend": 0.1, "forward": 0.1, "l_arm": 0.8, "l_elbow": -1.75, "l_in": -0.3})),
    "cross": (0.4, pose({"twist": 0.75, "bend": 0.15, "forward": 0.15, "r_arm": 0.9, "r_elbow": -1.85})),
    "hook": (0.42, pose({"twist": 0.9, "lean": 0.15, "r_arm": 0.8, "r_out": 0.7, "r_elbow": -0.7, "r_in": 0.5})),
    "haymaker": (0.6, pose({"twist": 0.95, "bend": 0.3, "forward": 0.2, "r_arm": 1.5, "r_out": 0.6, "r_elbow": -1.5})),
    "push": (0.55, pose({"pitch": 0.25, "bend": 0.15, "forward": 0.2, "l_arm": 0.75, "r_arm": 0.85, "l_elbow": -1.6,
                         "r_elbow": -1.7})),
    "kick": (0.6, pose({"pitch": -0.3, "r_hip": 1.35, "r_knee": -0.2, "l_hip": -0.3, "l_arm": -0.3, "r_arm": -0.5})),
    "knee": (0.5, pose({"pitch": 0.1, "bend": 0.3, "r_hip": 1.5, "r_knee": 1.3, "l_arm": 0.3, "r_arm": 0.3})),
}  # fmt: skip


@dataclass(frozen=True)
class Brawl:
    """Movements in room coordinates, one for each fighter, from the first blow (0 s) on."""

    motions: tuple[Motion, ...]
    starts: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class _Phase:
    start: float
    end: float
    distance: float
    grapple: float


def brawl(rng: np.random.Generator, seconds: float, fighters: int = 2, angle: float = 0.0, room: float = 0.5) -> Brawl:
    """A fight around the origin that lasts ``seconds``; it drifts up to ``room`` metres."""
    phases, blows = _schedule(rng, seconds, fighters)
    drift = _wander(rng, room, 0.12)
    orbit = _wander(rng, 0.9, 0.1)
    motions = tuple(
        _fighter(rng, i, angle + math.tau * i / fighters, (phases, blows[i], drift, orbit)) for i in range(fighters)
    )
    starts = tuple((float(p[0]), float(p[1]), float(p[2])) for p in (motion(0.0) for motion in motions))
    return Brawl(motions, starts)


Blow = tuple[float, float, Floats]  # start, seconds, what it adds at its height


def _schedule(rng: np.random.Generator, seconds: float, fighters: int) -> tuple[list[_Phase], list[list[Blow]]]:
    phases: list[_Phase] = []
    blows: list[list[Blow]] = [[] for _ in range(fighters)]
    t = 0.0
    while t < seconds:
        kind = rng.choice(["blows", "grapple", "gap"], p=[0.6, 0.28, 0.12]) if phases else "blows"
        length = float(rng.uniform(1.0, 2.6)) if kind != "gap" else float(rng.uniform(0.4, 0.9))
        phases.append(
            _Phase(t, t + length, {"blows": 0.74, "grapple": 0.5, "gap": 1.15}[kind], float(kind == "grapple"))
        )
        if kind != "gap":
            _trade(rng, (t, t + length), blows, kind == "grapple")
        t += length
    return phases, blows


def _trade(rng: np.random.Generator, span: tuple[float, float], blows: list[list[Blow]], close: bool) -> None:
    t = span[0] + float(rng.uniform(0, 0.2))
    leader = int(rng.integers(len(blows)))
    names = ["hook", "knee", "push"] if close else ["jab", "cross", "hook", "haymaker", "push", "kick"]
    while t < span[1]:
        striker = leader if rng.random() < 0.7 else int(rng.integers(len(blows)))
        length, added = STRIKES[str(rng.choice(names))]
        flip = rng.random() < 0.4
        blows[striker].append((t, length, _scaled(rng, mirrored(added) if flip else added)))
        struck = (striker + int(rng.integers(1, len(blows)))) % len(blows) if len(blows) > 1 else striker
        answer = _HIT if rng.random() < 0.65 else _DUCK
        blows[struck].append(
            (t + length * 0.4, float(rng.uniform(0.35, 0.6)), _scaled(rng, mirrored(answer) if flip else answer))
        )
        t += length * float(rng.uniform(0.7, 1.3)) * (1.6 if close else 1.0)


def _fighter(
    rng: np.random.Generator,
    number: int,
    bearing: float,
    plan: tuple[list[_Phase], list[Blow], tuple[Floats, Floats], tuple[Floats, Floats]],
) -> Motion:
    phases, blows, drift, orbit = plan
    fidget, guard, lock = sway(rng, 2.5), _scaled(rng, _GUARD, 0.12), _scaled(rng, _GRAPPLE, 0.12)
    if number % 2:
        guard, lock = mirrored(guard), mirrored(lock)
    pace, beat = float(rng.uniform(1.3, 2.1)), float(rng.uniform(0, math.tau))

    def at(t: float) -> Floats:
        distance, grapple = _phase_at(phases, t)
        where = bearing + _wandered(orbit, t, 0)
        vector = guard + (lock - guard) * grapple
        step = math.sin(math.tau * pace * t + beat)
        vector[_LEGS] += (0.22 * step, 0.25 * max(0.0, step), -0.22 * step, 0.25 * max(0.0, -step))
        vector = fidget(t, vector)
        dealt = [
            added * math.sin(math.pi * ((t - start) / length) ** 0.75) ** 1.3
            for start, length, added in blows
            if start <= t < start + length
        ]
        if dealt:  # what overlaps does not add up: the stronger movement of each joint wins
            several = np.stack(dealt)
            vector = vector + several[np.abs(several).argmax(axis=0), np.arange(several.shape[1])]
        centre = (_wandered(drift, t, 0), _wandered(drift, t, 1))
        vector[0] = centre[0] + distance / 2 * math.cos(where)
        vector[1] = centre[1] + distance / 2 * math.sin(where)
        vector[2] = where + math.pi
        return vector

    return at


def _phase_at(phases: list[_Phase], t: float) -> tuple[float, float]:
    for index, phase in enumerate(phases):
        if t < phase.end or index == len(phases) - 1:
            before = phases[max(0, index - 1)]
            share = min(1.0, (t - phase.start) / 0.3)
            return (
                before.distance + (phase.distance - before.distance) * share,
                before.grapple + (phase.grapple - before.grapple) * share,
            )
    return (1.0, 0.0)


def _wander(rng: np.random.Generator, reach: float, rate: float) -> tuple[Floats, Floats]:
    rates, starts = rng.uniform(0.4, 1.6, (2, 2)) * rate, rng.uniform(0, math.tau, (2, 2))
    return reach * rng.uniform(0.2, 0.5, (2, 2)), np.stack([rates, starts])


def _wandered(track: tuple[Floats, Floats], t: float, axis: int) -> float:
    reach, (rates, starts) = track[0][axis], track[1][:, axis]
    return float((reach * np.sin(math.tau * rates * t + starts)).sum())


def _scaled(rng: np.random.Generator, vector: Floats, spread: float = 0.2) -> Floats:
    return np.asarray(vector * rng.uniform(1 - spread, 1 + spread, vector.shape))
