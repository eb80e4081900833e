"""What one person does over time: beats (walk, stand, sit, play key poses) strung together without jumps."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from streamwatch.video.theatre.skeleton import AT, blend, pose
from streamwatch.video.theatre.view import Floats

__all__ = ["Actor", "Beat", "Key", "Script", "gait", "sway"]

Motion = Callable[[float], Floats]


@dataclass(frozen=True)
class Beat:
    """One stretch of movement: ``at(t)`` gives the pose ``t`` seconds after ``start``; ``soft`` blends it in."""

    start: float
    end: float
    at: Motion
    soft: float = 0.3


@dataclass(frozen=True)
class Key:
    """Reach ``pose`` in ``seconds``. ``ease``: "smooth", "drop" (ever faster, as a falling body) or "whip"."""

    seconds: float
    pose: Floats
    ease: str = "smooth"


@dataclass(frozen=True)
class Actor:
    """The beats of one person, in order and without holes; absent before the first and after the last."""

    beats: tuple[Beat, ...]

    @property
    def span(self) -> tuple[float, float]:
        """When the person is there, in seconds."""
        return (self.beats[0].start, self.beats[-1].end)

    def pose(self, t: float) -> Floats | None:
        """The pose at ``t`` seconds, or None while the person is absent."""
        if not self.beats[0].start <= t < self.beats[-1].end:
            return None
        before: Beat | None = None
        for beat in self.beats:
            if beat.start <= t < beat.end:
                now = beat.at(t - beat.start)
                if before is None or t - beat.start >= beat.soft:
                    return now
                last = before.at(before.end - before.start)
                return blend(last, now, _smooth((t - beat.start) / beat.soft))
            before = beat
        return None

    def shifted(self, by: float) -> "Actor":
        """The same part, ``by`` seconds later."""
        return Actor(tuple(replace(beat, start=beat.start + by, end=beat.end + by) for beat in self.beats))


def gait(place: tuple[float, float, float], travelled: float, speed: float, stoop: float = 0.0) -> Floats:
    """A walking or running body at ``place`` (x, y, heading) after ``travelled`` metres; speed in m/s.

    The phase follows the distance, so that feet do not slide; amplitudes grow with the speed.
    """
    run = float(np.clip((speed - 1.8) / 1.5, 0, 1))
    stride = 0.75 + 0.45 * min(speed, 1.8) + 0.75 * run
    phase = math.tau * travelled / stride
    swing = min(0.46, 0.19 + 0.15 * speed) + 0.25 * run
    left, right = math.sin(phase), math.sin(phase + math.pi)
    arms = (0.3 + 0.15 * speed) * (1 - stoop) + 0.2 * run
    lift_l, lift_r = (max(0.0, math.cos(p + 0.45)) ** 1.5 for p in (phase, phase + math.pi))
    return pose({"x": place[0], "y": place[1], "heading": place[2], "pitch": 0.02 + 0.12 * run,
                 "bend": 0.04 + 0.45 * stoop, "nod": 0.1 + 0.2 * stoop, "twist": 0.09 * left,
                 "lean": 0.025 * math.sin(phase + 0.5), "side": 0.02 * math.sin(phase),
                 "l_hip": 0.06 + swing * left + 0.25 * run * lift_l, "l_knee": 0.1 + (0.85 + 0.5 * run) * lift_l,
                 "r_hip": 0.06 + swing * right + 0.25 * run * lift_r, "r_knee": 0.1 + (0.85 + 0.5 * run) * lift_r,
                 "l_arm": -arms * left, "l_elbow": 0.25 + 1.1 * run + 0.15 * (1 - left), "l_out": 0.1, "l_in": 0.2,
                 "r_arm": -arms * right, "r_elbow": 0.25 + 1.1 * run + 0.15 * (1 - right), "r_out": 0.1,
                 "r_in": 0.2})  # fmt: skip


def sway(rng: np.random.Generator, amount: float = 1.0) -> Callable[[float, Floats], Floats]:
    """Small restless movement to lay over any pose, so that nobody stands like a statue."""
    names = ("lean", "bend", "twist", "nod", "turn", "l_arm", "r_arm", "l_elbow", "r_elbow", "side", "forward")
    index = np.array([AT[name] for name in names])
    size = np.array([0.02, 0.03, 0.08, 0.08, 0.25, 0.04, 0.04, 0.06, 0.06, 0.012, 0.012]) * amount
    rates = rng.uniform(0.08, 0.5, (2, len(names)))
    starts = rng.uniform(0, math.tau, (2, len(names)))

    def moved(t: float, vector: Floats) -> Floats:
        vector = vector.copy()
        vector[index] += size * np.sin(math.tau * rates * t + starts).sum(axis=0)
        return vector

    return moved


class Script:
    """Writes the beats of one person one after the other, and knows where they stand and when."""

    def __init__(self, rng: np.random.Generator, x: float, y: float, heading: float, start: float = 0.0) -> None:
        self.rng = rng
        self.x, self.y, self.heading = x, y, heading
        self.now = start
        self.stoop = float(rng.choice([0.0, 0.1, 0.45], p=[0.7, 0.2, 0.1]))
        self.base = pose()  # what the hands do meanwhile
        self._beats: list[Beat] = []

    @classmethod
    def resumed(cls, rng: np.random.Generator, actor: Actor) -> "Script":
        """Go on writing the part of ``actor`` from where it ends."""
        script = cls(rng, 0.0, 0.0, 0.0, actor.span[1])
        script._beats = list(actor.beats)
        return script.settle()

    def actor(self) -> Actor:
        """The finished part."""
        return Actor(tuple(self._beats))

    def place(self, vector: Floats) -> Floats:
        """``vector`` moved to where the person stands now."""
        vector = vector.copy()
        vector[:3] += (self.x, self.y, self.heading)
        return vector

    def walk(self, x: float, y: float, speed: float = 1.25) -> "Script":
        """Walk (or run, from 2 m/s) in a straight line to (x, y)."""
        start, heading = (self.x, self.y), math.atan2(y - self.y, x - self.x)
        length = math.hypot(x - self.x, y - self.y)
        if length < 0.05:
            return self
        stoop, hold, offset = self.stoop, self.base, float(self.rng.uniform(0, 1.4))
        ahead = ((x - start[0]) / length, (y - start[1]) / length)

        def at(t: float) -> Floats:
            gone = min(t * speed, length)
            here = (start[0] + gone * ahead[0], start[1] + gone * ahead[1], heading)
            moving = gait(here, gone + offset, speed, stoop)
            return np.where(hold != 0, hold, moving)

        self._add(length / speed, at, 0.35)
        self.x, self.y, self.heading = x, y, heading
        return self

    def turn(self, heading: float) -> "Script":
        """Face ``heading`` from the next beat on; that beat blends over."""
        self.heading = heading
        return self

    def stand(self, seconds: float, amount: float = 1.0) -> "Script":
        """Stand about."""
        arms = pose({"l_arm": 0.02, "r_arm": 0.03, "l_elbow": 0.22, "r_elbow": 0.2, "l_out": 0.09, "r_out": 0.09,
                     "bend": 0.05, "l_hip": 0.05, "l_knee": 0.1, "l_spread": 0.09, "r_spread": 0.09,
                     "nod": 0.1})  # fmt: skip
        return self.hold(seconds, np.where(self.base != 0, self.base, arms), amount)

    def hold(self, seconds: float, vector: Floats, amount: float = 1.0, soft: float = 0.5) -> "Script":
        """Keep one posture, swaying by ``amount``."""
        placed, moved = self.place(vector), sway(self.rng, amount)
        return self._add(seconds, lambda t: moved(t, placed), soft)

    def gesture(self, seconds: float, vigour: float = 1.0) -> "Script":
        """Stand and talk with the hands."""
        rates, starts = self.rng.uniform(0.35, 1.3, 6), self.rng.uniform(0, math.tau, 6)
        arms = pose(
            {"bend": 0.05, "l_out": 0.15, "r_out": 0.15, "l_in": 0.5, "r_in": 0.5, "l_hip": 0.06, "l_knee": 0.12}
        )
        base, moved = self.place(arms), sway(self.rng)
        index = np.array([AT[n] for n in ("l_arm", "r_arm", "l_elbow", "r_elbow", "l_in", "r_in")])
        middle, size = np.array([0.3, 0.3, 1.1, 1.1, 0.3, 0.3]), np.array([0.3, 0.35, 0.55, 0.55, 0.3, 0.3]) * vigour
        when, talk = self.rng.uniform(0, math.tau), self.rng.uniform(0.08, 0.2)

        def at(t: float) -> Floats:
            vector = moved(t, base)
            active = 0.5 + 0.5 * math.tanh(3 * math.sin(math.tau * talk * t + when))
            vector[index] += active * (middle + size * np.sin(math.tau * rates * t + starts))
            return vector

        return self._add(seconds, at, 0.5)

    def play(self, *keys: Key, amount: float = 0.3) -> "Script":
        """Go through key poses given relative to where the person stands; the first starts from the last beat."""
        moved = sway(self.rng, amount)
        poses = [self.at_end() if self._beats else self.place(pose()), *(self.place(key.pose) for key in keys)]
        ends = np.cumsum([key.seconds for key in keys]).tolist()

        def at(t: float) -> Floats:
            now = min(int(np.searchsorted(ends, t, side="right")), len(keys) - 1)
            share = min(1.0, 1.0 - (ends[now] - t) / keys[now].seconds)
            return moved(t, blend(poses[now], poses[now + 1], _EASES[keys[now].ease](share)))

        return self._add(ends[-1], at, 0.15)

    def perform(self, seconds: float, at: Motion, soft: float = 0.3) -> "Script":
        """A beat given from outside, in room coordinates; the person is then where it ends."""
        self._add(seconds, at, soft)
        self.x, self.y, self.heading = at(seconds)[:3].tolist()
        return self

    def at_end(self) -> Floats:
        """The pose in which the last beat ends."""
        last = self._beats[-1]
        return last.at(last.end - last.start)

    def settle(self) -> "Script":
        """Take the last pose's offset (a fall's way, a step back) into the place, for the beats to come."""
        end = self.at_end()
        c, s, ahead, aside = math.cos(end[2]), math.sin(end[2]), end[AT["forward"]], end[AT["side"]]
        self.x, self.y, self.heading = end[0] + c * ahead - s * aside, end[1] + s * ahead + c * aside, end[2]
        return self

    def _add(self, seconds: float, at: Motion, soft: float) -> "Script":
        if seconds > 0.01:
            self._beats.append(Beat(self.now, self.now + seconds, at, min(soft, seconds)))
            self.now += seconds
        return self


def _smooth(x: float) -> float:
    return x * x * (3 - 2 * x)


_EASES: dict[str, Callable[[float], float]] = {
    "smooth": _smooth,
    "drop": lambda x: x**2.2,
    "whip": lambda x: 1 - (1 - x) ** 2.5,
}
