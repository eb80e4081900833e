"""What happens in a scene: the table of plots. Each casts people, places furniture and times the event."""

import math
from collections.abc import Callable
from dataclasses import replace

from streamwatch.video.theatre.everyday import EVERYDAY
from streamwatch.video.theatre.fall import FALLS, LYING_S, fall
from streamwatch.video.theatre.fight import brawl
from streamwatch.video.theatre.motion import Actor, Script
from streamwatch.video.theatre.play import Happening, Play, Stage, visit

__all__ = ["PLOTS"]


def _fall(stage: Stage) -> Play:
    rng = stage.rng
    at = float(rng.uniform(0.25, 0.6)) * stage.duration
    kind = str(rng.choice(list(FALLS)))
    goal, pace = stage.spot(), stage.pace()
    script = stage.enter()
    reach = math.hypot(goal[0] - script.x, goal[1] - script.y) / pace
    script.now = at - reach - float(rng.choice([0.0, 0.0, rng.uniform(0.5, 6)]))
    script.walk(*goal, pace)
    if script.now < at:
        script.turn(float(rng.uniform(0, math.tau))).stand(at - script.now)
    seconds = float(rng.uniform(0.6, 1.05))
    start = fall(script, kind, seconds, max(1.0, stage.duration - at - seconds))
    happening = Happening("fall", start, min(start + seconds + LYING_S, stage.duration), (0,))
    return Play(
        (script.actor(), *_bystanders(stage)), (happening,), caption="somebody falls to the floor and stays down"
    )


def _fight(stage: Stage) -> Play:
    rng = stage.rng
    at = float(rng.uniform(0.15, 0.4)) * stage.duration
    lasts = max(1.5, min(float(rng.uniform(5, 14)), (stage.duration - at) * float(rng.uniform(0.7, 1.2))))
    scripts = _quarrel(stage, at, lasts, 3 if rng.random() < 0.2 else 2)
    happening = Happening("fight", at, min(at + lasts, stage.duration), tuple(range(len(scripts))))
    _part(stage, scripts)
    actors = (*(s.actor() for s in scripts), *_bystanders(stage))
    return Play(actors, (happening,), caption="people fight: they punch, push and grapple")


def _quarrel(stage: Stage, at: float, lasts: float, fighters: int) -> list[Script]:
    rng = stage.rng
    fray = brawl(rng, lasts, fighters, float(rng.uniform(-0.8, 0.8)), min(0.5, stage.half * 0.2))
    scripts = []
    for motion, (x, y, heading) in zip(fray.motions, fray.starts, strict=True):
        if rng.random() < 0.5:  # was there before
            script = Script(rng, x * 1.6, y * 1.6, heading, min(0.0, at - 3))
            script.gesture(at - 0.7 - script.now, 1.5).walk(x, y, max(0.5, math.hypot(x, y) * 0.6 / 0.7))
        else:
            out, pace = math.copysign(stage.half * 1.05 + 0.5, x), float(rng.uniform(1.2, 2.4))
            script = Script(rng, out, y, heading, at - abs(out - x) / pace).walk(x, y, pace)
        if script.now < at - 0.02:
            script.turn(heading).stand(at - script.now)
        scripts.append(script.perform(lasts, motion))
    return scripts


def _part(stage: Stage, scripts: list[Script]) -> None:
    for number, script in enumerate(scripts):
        if number == 0 or stage.rng.random() < 0.4:
            stage.leave(script, float(stage.rng.uniform(1.2, 3.0)))
        else:
            script.stand(max(1.0, stage.duration - script.now), 1.5)


def _bystanders(stage: Stage) -> tuple[Actor, ...]:
    """Now and then somebody who stands about or walks past."""
    if stage.rng.random() < 0.65:
        return ()
    part = EVERYDAY[str(stage.rng.choice(["walk", "stand"]))](stage)
    return part.actors[:2]


_ASIDE = ("walk", "empty", "talk", "handshake", "pickup", "crouch", "run", "stand")


def _mixed(stage: Stage) -> Play:
    """Normal life with an event every now and then, the first one soon; it ends with nobody there.

    It also begins so, but for somebody who is just coming in, so that a film of it can be shown in a loop.
    Shorter than 25 s there may be no event.
    """
    rng = stage.rng
    actors: list[Actor] = []
    happenings: list[Happening] = []
    now, next_event = 5.0, float(rng.uniform(6, 11))
    while (left := stage.duration - 6.0 - now) >= 3.0:
        if now >= next_event - 5 and left >= 11:  # getting up and leaving takes longer
            name, length = str(rng.choice(["fall", "fight"])), min(left - 2, float(rng.uniform(12, 17)))
            next_event = now + length + float(rng.uniform(20, 40))
        else:
            name = str(rng.choice(_ASIDE))
            length = min(left, float(rng.uniform(6, 14)), max(3.0, next_event - 4 - now))
        part = PLOTS[name](replace(stage, duration=length))
        happenings += [
            Happening(h.event, h.start + now, h.end + now, tuple(n + len(actors) for n in h.actors))
            for h in part.happenings
        ]
        involved = {n for h in part.happenings for n in h.actors}
        for number, actor in enumerate(part.actors):
            visitor = visit(stage, actor).shifted(now)
            if number in involved or 0 <= visitor.span[0] < visitor.span[1] <= stage.duration:
                actors.append(visitor)
        now += length + float(rng.uniform(1.0, 3.0))
    return Play(tuple(actors), tuple(happenings), caption="normal life, with a fall or a fight now and then")


PLOTS: dict[str, Callable[[Stage], Play]] = {**EVERYDAY, "fall": _fall, "fight": _fight, "mixed": _mixed}
