"""Plots of everyday life: nothing here is an event, and much of it looks like one to a careless model."""

import math
from collections.abc import Callable

from streamwatch.video.theatre.furniture import FURNITURE, Piece
from streamwatch.video.theatre.motion import Key, Script
from streamwatch.video.theatre.play import Play, Stage
from streamwatch.video.theatre.skeleton import pose

__all__ = ["EVERYDAY"]


def _empty(stage: Stage) -> Play:
    return Play()


def _walk(stage: Stage) -> Play:
    actors = []
    for _ in range(int(stage.rng.integers(1, 4))):
        now = float(stage.rng.uniform(-1.5, 1.5))
        while now < stage.duration:
            script = stage.enter(now)
            script.walk(-script.x, float(stage.rng.uniform(-0.6, 1.0)), stage.pace())
            actors.append(script.actor())
            now = script.now + float(stage.rng.uniform(0.2, 3.0))
    return Play(tuple(actors), caption="people walk through the room")


def _crowd(stage: Stage) -> Play:
    """Many pass each other at all distances, some stand in groups: all of the picture moves, and nothing happens."""
    rng = stage.rng
    actors = []
    for _ in range(int(rng.integers(5, 11))):
        depth, now = float(rng.uniform(-0.8, 5.0)), float(rng.uniform(-4.0, 2.0))
        while now < stage.duration:
            side = stage.side() * (1 + 0.25 * max(0.0, depth))  # farther away the picture is wider
            script = Script(rng, side, depth, 0.0 if side < 0 else math.pi, now)
            script.walk(-side, depth + float(rng.uniform(-0.8, 0.8)), stage.pace())
            actors.append(script.actor())
            now = script.now + float(rng.uniform(0.0, 1.5))
    groups = _talk(stage).actors if rng.random() < 0.6 else ()
    return Play((*actors, *groups), caption="a crowd of people walk past each other")


def _stand(stage: Stage) -> Play:
    actors = []
    for _ in range(int(stage.rng.integers(1, 3))):
        script = stage.here()
        if stage.rng.random() < 0.4:  # looks at a phone
            script.base = pose({"r_arm": 0.5, "r_elbow": 1.7, "r_in": 0.3, "nod": 0.5})
        while script.now < stage.duration:
            script.turn(script.heading + float(stage.rng.normal(0, 0.7))).stand(float(stage.rng.uniform(2, 6)))
        actors.append(script.actor())
    return Play(tuple(actors), caption="somebody stands and waits")


_SITTING = pose({"forward": -0.42, "bend": 0.1, "l_hip": 1.5, "r_hip": 1.45, "l_knee": 1.5, "r_knee": 1.45,
                 "l_arm": 0.5, "r_arm": 0.45, "l_elbow": 0.9, "r_elbow": 0.95, "l_in": 0.3, "r_in": 0.3,
                 "l_spread": 0.12, "r_spread": 0.14})  # fmt: skip
_LOWERING = pose({"forward": -0.25, "bend": 0.65, "nod": -0.2, "l_hip": 1.1, "r_hip": 1.05, "l_knee": 1.15,
                  "r_knee": 1.1, "l_arm": 0.6, "r_arm": 0.6, "l_elbow": 0.5, "r_elbow": 0.5})  # fmt: skip


def _seat(stage: Stage, kind: str) -> tuple[Piece, Script]:
    x, y = stage.spot(0.6)
    heading = float(stage.rng.uniform(-0.9, 0.9))
    piece = Piece(kind, x, y + 0.5, heading)
    front = heading - math.pi / 2
    reach = FURNITURE[kind][0][1] / 2 + 0.16
    script = stage.enter(float(stage.rng.uniform(-2.0, 0.5)))
    script.walk(x + reach * math.cos(front), y + 0.5 + reach * math.sin(front), stage.pace())
    return piece, script.turn(front).stand(0.7)


def _sit(stage: Stage) -> Play:
    kind = str(stage.rng.choice(["chair", "sofa"]))
    piece, script = _seat(stage, kind)
    while script.now < stage.duration:
        script.play(Key(0.6, _LOWERING), Key(float(stage.rng.uniform(0.5, 0.9)), _SITTING))
        script.hold(float(stage.rng.uniform(3, 7)), _SITTING, 0.8)
        script.play(Key(0.7, _LOWERING), Key(0.6, pose({"bend": 0.08}))).stand(float(stage.rng.uniform(1, 3)))
    return Play((script.actor(),), pieces=(piece,), caption=f"somebody sits down on a {kind} and gets up again")


def _lie_down(stage: Stage) -> Play:
    kind = str(stage.rng.choice(["sofa", "bed"]))
    piece, script = _seat(stage, kind)
    turned, reach = math.pi / 2, piece.size[1] / 2 + 0.16
    back = script.heading + math.pi  # from the standing place towards the middle of the piece
    lying = pose({"x": reach * math.cos(back), "y": reach * math.sin(back), "heading": turned, "lift": 0.45,
                  "pitch": -1.5, "nod": 0.3, "l_arm": 0.3, "r_arm": 0.5, "l_elbow": 0.9, "r_elbow": 1.1,
                  "l_in": 0.8, "r_in": 0.7, "l_hip": 0.3, "l_knee": 0.6})  # fmt: skip
    leaning = (lying + _SITTING) / 2
    script.play(Key(0.6, _LOWERING), Key(0.8, _SITTING)).hold(float(stage.rng.uniform(0.5, 2.5)), _SITTING)
    script.play(Key(float(stage.rng.uniform(1.3, 2.2)), leaning), Key(float(stage.rng.uniform(1.2, 2.0)), lying))
    script.hold(max(1.0, stage.duration - script.now), lying, 0.3)
    return Play((script.actor(),), pieces=(piece,), caption=f"somebody lies down on a {kind} to rest")


def _circle(stage: Stage, count: int, distance: float) -> list[Script]:
    x, y = stage.spot(0.4)
    first = float(stage.rng.uniform(-0.7, 0.7))
    scripts = []
    for number in range(count):
        angle = first + math.tau * number / count
        script = Script(
            stage.rng, x + distance / 2 * math.cos(angle), y + distance / 2 * math.sin(angle), angle + math.pi
        )
        scripts.append(script)
    return scripts


def _talk(stage: Stage) -> Play:
    scripts = _circle(stage, int(stage.rng.integers(2, 4)), float(stage.rng.uniform(1.0, 1.6)))
    for script in scripts:
        while script.now < stage.duration:
            script.gesture(float(stage.rng.uniform(3, 8)), float(stage.rng.uniform(0.5, 1.4)))
            script.stand(float(stage.rng.uniform(1, 3)))
    return Play(tuple(s.actor() for s in scripts), caption="people stand together and talk with their hands")


def _meet(stage: Stage, at: float, distance: float, angle: float) -> tuple[Script, Script]:
    places = [
        (math.cos(angle + k) * distance / 2, math.sin(angle + k) * distance / 2, angle + k + math.pi)
        for k in (0, math.pi)
    ]
    scripts = []
    for x, y, heading in places:
        out = math.copysign(stage.half * 1.05 + 0.5, x)
        pace = stage.pace()
        start = at - math.hypot(out - x, 0.4) / pace
        script = Script(stage.rng, out, y + 0.4, heading, start).walk(x, y, pace).turn(heading)
        if script.now < at:
            script.stand(at - script.now)
        scripts.append(script)
    return scripts[0], scripts[1]


_HUG = pose({"l_arm": 1.15, "r_arm": 1.35, "l_elbow": 0.9, "r_elbow": 0.8, "l_in": 0.8, "r_in": 0.8, "bend": 0.2,
             "nod": 0.2, "forward": 0.06})  # fmt: skip
_SHAKE = pose({"r_arm": 0.75, "r_elbow": 0.6, "r_in": 0.2, "bend": 0.12, "l_elbow": 0.2})


def _handshake(stage: Stage) -> Play:
    hug = stage.rng.random() < 0.4
    at = float(stage.rng.uniform(0.15, 0.45)) * stage.duration
    pair = _meet(stage, at, 0.5 if hug else 0.95, float(stage.rng.uniform(-0.5, 0.5)))
    arms = _HUG if hug else _SHAKE
    for script in pair:
        script.play(Key(0.6, arms))
        for _ in range(1 if hug else 4):
            script.play(Key(0.17 if not hug else 1.4, arms + pose({"r_elbow": 0.25, "r_arm": -0.06})), Key(0.17, arms))
        script.play(Key(0.5, pose({"l_elbow": 0.2, "r_elbow": 0.2, "forward": -0.1})))
        script.gesture(max(0.5, float(stage.rng.uniform(0.5, 0.7)) * (stage.duration - script.now)), 0.8)
        stage.leave(script)
    what = "hug each other" if hug else "shake hands"
    return Play(tuple(s.actor() for s in pair), caption=f"two people meet and {what}")


_STOOP = pose({"bend": 1.1, "pitch": 0.1, "nod": 0.1, "l_hip": 0.9, "r_hip": 0.7, "l_knee": 1.1, "r_knee": 1.0,
               "l_arm": 0.7, "r_arm": 0.8, "forward": -0.1})  # fmt: skip
_SQUAT = pose({"bend": 0.35, "nod": 0.3, "l_hip": 1.9, "r_hip": 1.8, "l_knee": 2.2, "r_knee": 2.1, "l_arm": 0.7,
               "r_arm": 0.8, "l_elbow": 0.7, "r_elbow": 0.6, "l_in": 0.4, "r_in": 0.4, "forward": -0.1})  # fmt: skip
_KNEEL = pose({"bend": 0.6, "nod": 0.4, "l_hip": 1.6, "l_knee": 1.6, "r_hip": 0.4, "r_knee": 1.9, "l_arm": 0.8,
               "r_arm": 0.9, "l_elbow": 0.5, "r_elbow": 0.5, "l_in": 0.3, "r_in": 0.3})  # fmt: skip
_CARRY = pose(
    {"burden": 0.16, "l_arm": 0.55, "r_arm": 0.55, "l_elbow": 1.15, "r_elbow": 1.15, "l_in": 0.2, "r_in": 0.2}
)


def _pickup(stage: Stage) -> Play:
    actors = []
    now = float(stage.rng.uniform(-1, 1))
    while now < stage.duration:
        script = stage.enter(now)
        script.walk(*stage.spot(), stage.pace())
        low = _STOOP if stage.rng.random() < 0.6 else _SQUAT
        script.stand(0.4).play(Key(float(stage.rng.uniform(0.6, 1.1)), low), Key(0.6, low + pose({"bend": 0.08})),
                               Key(float(stage.rng.uniform(0.6, 1.0)), _CARRY))  # fmt: skip
        script.base = _CARRY
        script.stand(float(stage.rng.uniform(0.5, 2)))
        stage.leave(script)
        actors.append(script.actor())
        now = script.now + 0.5
    return Play(tuple(actors), caption="somebody bends down, picks something up and carries it away")


def _crouch(stage: Stage) -> Play:
    script = stage.enter(float(stage.rng.uniform(-2, 0)))
    script.walk(*stage.spot(), stage.pace())
    while script.now < stage.duration:
        low = _KNEEL if stage.rng.random() < 0.6 else _SQUAT
        script.stand(float(stage.rng.uniform(0.8, 3))).play(Key(float(stage.rng.uniform(0.7, 1.2)), low))
        script.hold(float(stage.rng.uniform(2, 5)), low, 1.5).play(
            Key(float(stage.rng.uniform(0.7, 1.2)), pose({"bend": 0.1}))
        )
    return Play((script.actor(),), caption="somebody crouches and ties a shoe")


def _run(stage: Stage) -> Play:
    actors = []
    now = float(stage.rng.uniform(-0.5, 1))
    while now < stage.duration:
        first = stage.enter(now)
        pace, goal = float(stage.rng.uniform(2.4, 3.8)), (-first.x, first.y + float(stage.rng.uniform(-0.4, 0.4)))
        actors.append(first.walk(*goal, pace).actor())
        if stage.rng.random() < 0.4:
            second = Script(stage.rng, first.x * -1, first.y, 0, now + float(stage.rng.uniform(0.4, 1.2)))
            actors.append(second.walk(-goal[0], goal[1] + 0.5, pace).actor())
        now += float(stage.rng.uniform(3, 7))
    return Play(tuple(actors), caption="somebody runs through")


def _door(stage: Stage) -> Play:
    times, now = [], float(stage.rng.uniform(0.05, 0.25)) * stage.duration
    while now < stage.duration:
        closes = now + float(stage.rng.uniform(1.5, 6))
        times.append((now, closes))
        now = closes + float(stage.rng.uniform(2, 8))
    people = _walk(stage) if stage.rng.random() < 0.5 else Play()
    return Play(people.actors, door=tuple(times), caption="a door opens and closes")


def _lights(stage: Stage) -> Play:
    lights, now, on = [], float(stage.rng.uniform(0.1, 0.3)) * stage.duration, True
    while now < stage.duration:
        on = not on
        lights.append((now, "on" if on else "off"))
        if not on and stage.rng.random() < 0.6:
            lights.append((now + 0.8, "ir"))
        now += float(stage.rng.uniform(2.5, 7))
    people = _walk(stage) if stage.rng.random() < 0.6 else Play()
    return Play(people.actors, lights=tuple(lights), caption="the light is switched off and on")


EVERYDAY: dict[str, Callable[[Stage], Play]] = {
    "empty": _empty,
    "walk": _walk,
    "crowd": _crowd,
    "stand": _stand,
    "sit": _sit,
    "talk": _talk,
    "handshake": _handshake,
    "pickup": _pickup,
    "crouch": _crouch,
    "run": _run,
    "lie_down": _lie_down,
    "lights": _lights,
    "door": _door,
}
