"""A jointed body: a pose is a vector of angles, and forward kinematics turns it into points in the room.

Angles in radians, lengths in metres for a person of 1.75 m. In the body's own frame x is ahead, y left, z up.
The body always rests on the floor (plus ``lift``): whatever part is lowest touches it, feet or back alike.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from streamwatch.video.theatre.view import Floats

__all__ = ["AT", "BODY", "FIELDS", "Joints", "blend", "joints", "mirrored", "pose"]

FIELDS = (
    "x", "y", "heading",  # where the pelvis stands and which way it faces
    "forward", "side", "lift",  # offset of the pelvis in its own frame
    "pitch", "roll",  # the whole body tilts ahead, to its left
    "bend", "lean", "twist", "nod", "turn",  # spine and head
    "l_arm", "l_out", "l_elbow", "l_in",
    "r_arm", "r_out", "r_elbow", "r_in",
    "l_hip", "l_spread", "l_knee",
    "r_hip", "r_spread", "r_knee",
    "burden",  # half the width of what both hands carry, in metres
)  # fmt: skip
AT = {name: index for index, name in enumerate(FIELDS)}

BODY = (
    "pelvis", "waist", "chest", "neck", "head", "face",
    "l_shoulder", "l_elbow", "l_hand", "r_shoulder", "r_elbow", "r_hand",
    "l_hip", "l_knee", "l_ankle", "l_toe", "r_hip", "r_knee", "r_ankle", "r_toe",
)  # fmt: skip
_RADII = np.array([0.11, 0.12, 0.12, 0.06, 0.11, 0.08] + [0.07, 0.045, 0.04] * 2 + [0.1, 0.06, 0.05, 0.03] * 2)
_UPPER = slice(1, 12)  # the points that move with the spine


@dataclass(frozen=True)
class Joints:
    """One body in the room: points [20, 3] in the order of BODY, height and half its burden's width, in metres."""

    points: Floats
    height: float
    burden: float = 0.0


def pose(angles: Mapping[str, float] | None = None) -> Floats:
    """A pose vector with the named FIELDS set and all else zero; KeyError for any other name."""
    vector = np.zeros(len(FIELDS))
    for name, value in (angles or {}).items():
        vector[AT[name]] = value
    return vector


def blend(a: Floats, b: Floats, weight: float) -> Floats:
    """From ``a`` (weight 0) to ``b`` (weight 1); the heading takes the short way round."""
    step = b - a
    step[2] = (step[2] + math.pi) % math.tau - math.pi
    return np.asarray(a + step * weight)


def mirrored(vector: Floats) -> Floats:
    """The same posture with left and right exchanged; the place stays."""
    other = vector.copy()
    for name, index in AT.items():
        if name.startswith("l_"):
            twin = AT["r_" + name[2:]]
            other[index], other[twin] = vector[twin], vector[index]
    for name in ("side", "roll", "lean", "twist", "turn"):
        other[AT[name]] = -vector[AT[name]]
    return other


def joints(vector: Floats, height: float = 1.75) -> Joints:
    """Forward kinematics: the points of a body of ``height`` metres in this pose."""
    (x, y, heading, forward, side, lift, pitch, roll, bend, lean, twist, nod, turn, *limbs, burden) = vector.tolist()
    points = np.empty((len(BODY), 3))
    points[0] = 0.0
    spine = _about_z(twist) @ _about_y(bend) @ _about_x(lean)
    points[_UPPER] = _torso(nod, turn, limbs[:8]) @ spine.T
    points[12:16] = _leg(+1, *limbs[8:11])
    points[16:20] = _leg(-1, *limbs[11:14])
    points *= height / 1.75
    points = points @ (_about_z(heading) @ _about_y(pitch) @ _about_x(roll)).T
    points[:, 0] += x + forward * math.cos(heading) - side * math.sin(heading)
    points[:, 1] += y + forward * math.sin(heading) + side * math.cos(heading)
    points[:, 2] += lift - float(np.min(points[:, 2] - _RADII))
    return Joints(points, height, burden)


def _torso(nod: float, turn: float, arms: list[float]) -> Floats:
    up, ahead = math.cos(nod), math.sin(nod)
    head = (0.02 + 0.13 * ahead, 0.0, 0.50 + 0.17 * up)
    gaze = (math.cos(nod) * math.cos(turn), math.sin(turn), -math.sin(nod))
    face = (head[0] + 0.05 * gaze[0], 0.05 * gaze[1], head[2] - 0.03 + 0.05 * gaze[2])
    return np.array(
        [(0.01, 0, 0.15), (0.01, 0, 0.36), (0.01, 0, 0.50), head, face, *_arm(+1, *arms[:4]), *_arm(-1, *arms[4:])]
    )


def _arm(side: int, flex: float, out: float, elbow: float, inward: float) -> list[Floats]:
    shoulder = np.array([0.0, side * 0.185, 0.44])
    upper = _swing(side, flex, out)
    hinge = np.array([math.cos(flex) * math.cos(inward), -side * math.sin(inward), math.sin(flex) * math.cos(inward)])
    lower = upper * math.cos(elbow) + hinge * math.sin(elbow)
    bent = shoulder + 0.29 * upper
    return [shoulder, bent, bent + 0.30 * lower / np.linalg.norm(lower)]


def _leg(side: int, flex: float, spread: float, knee: float) -> list[Floats]:
    hip = np.array([0.0, side * 0.095, -0.04])
    upper = _swing(side, flex, spread)
    back = np.array([-math.cos(flex), 0.0, -math.sin(flex)])
    lower = upper * math.cos(knee) + back * math.sin(knee)
    lower /= np.linalg.norm(lower)
    bent = hip + 0.43 * upper
    ankle = bent + 0.42 * lower
    tilt = 0.45 * math.atan2(lower[0], -lower[2]) if lower[2] < 0.3 else -0.6
    return [hip, bent, ankle, ankle + np.array([0.19 * math.cos(tilt), side * 0.03, 0.19 * math.sin(tilt) - 0.02])]


def _swing(side: int, flex: float, out: float) -> Floats:
    reach = math.cos(out)
    return np.array([math.sin(flex) * reach, side * math.sin(out), -math.cos(flex) * reach])


def _about_x(angle: float) -> Floats:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, s], [0, -s, c]])


def _about_y(angle: float) -> Floats:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _about_z(angle: float) -> Floats:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
