"""Decoding on demand of real films: what is left out, and that nothing of a motion is."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from streamwatch.activity import level
from streamwatch.secret import SecretUrl
from streamwatch.video.camera import read_clips
from streamwatch.video.decoder import Decoder
from streamwatch.video.demand import HOLD, KEPT, LAG, LOOK, RENEW, Demand
from streamwatch.video.frame import Clip
from streamwatch.video.picture import Picture, Tally
from streamwatch.video.sight import Sight
from streamwatch.video.stillness import AWAKE, MOVES, Stillness
from streamwatch.video.window import ClipTiming
from tests.video.stage import FPS, stage_film

TIMING = ClipTiming(size=64)
PLAY = [(20.0, False), (4.0, True), (12.0, False)]  # motion from 20 to 24 s


class Watching(Stillness):
    """Is told what the film does, and remembers what keyframes showed."""

    def __init__(self, motion: tuple[float, float] = (20.0, 24.0), learned: float = 4.0) -> None:
        super().__init__()
        self._motion = motion
        self._learned = learned
        self.sure = True
        self.levels: list[float] = []
        self.woken: list[float] = []

    def observe(self, pts: float, size: float, keyframe: bool) -> bool:
        self.state = "still" if pts >= self._learned and not self._motion[0] <= pts < self._motion[1] else "active"
        return self.state == "still"

    def compared(self, pts: float, motion: float) -> bool:
        self.levels.append(motion)
        return True

    def wake(self, pts: float) -> None:
        self.woken.append(pts)


class Unsure(Watching):
    """Whom sizes tell nothing: what is not seen in keyframes is not seen. ``motion`` is what keyframes have shown."""

    def __init__(self) -> None:
        super().__init__((math.inf, math.inf))
        self.sure = False

    def compared(self, pts: float, motion: float) -> bool:
        super().compared(pts, motion)
        if motion >= MOVES:
            self._motion = (pts, pts + AWAKE)
            self.state = "active"
        return motion < MOVES


def pictures(film: Path, stillness: Stillness, tally: Tally, live: bool = False) -> Iterator[Picture]:
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        demand = Demand(Decoder(stream, tally), stillness, live)
        for packet in container.demux(stream):
            yield from demand.take(packet)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage_film(tmp_path_factory.mktemp("demand") / "play.mp4", PLAY)


def test_nothing_of_a_motion_is_left_out_nor_what_led_to_it(play: Path) -> None:
    tally = Tally()
    shown = list(pictures(play, Watching(), tally))
    decoded = [p.pts for p in shown if p.still is None and p.pts is not None]
    assert decoded[: 4 * FPS] == pytest.approx([k / FPS for k in range(4 * FPS)])
    begins = round((20.0 - LAG) * FPS) + 1
    motion = [pts for pts in decoded if 20.0 - LAG <= pts < 24.0]
    assert motion == pytest.approx([k / FPS for k in range(begins, 24 * FPS)])
    assert tally.frames < 0.5 * len(PLAY) * 12 * FPS


def test_what_is_decoded_late_is_what_all_would_have_shown(play: Path) -> None:
    with av.open(str(play)) as container:
        every = {round(frame.time * FPS): frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)}
    for picture in pictures(play, Watching(), Tally()):
        if picture.still is None:
            assert picture.pts is not None
            image = picture.frame.to_ndarray(format="rgb24")  # type: ignore[attr-defined]
            assert np.array_equal(image, every[round(picture.pts * FPS)])


def test_time_goes_on_while_nothing_is_decoded(play: Path) -> None:
    shown = list(pictures(play, Watching(), Tally()))
    times = [p.pts for p in shown if p.pts is not None]
    assert all(0 < b - a < 0.3 for a, b in pairwise(times))
    assert times[-1] == pytest.approx(36.0 - 1 / FPS)  # the end is decoded
    still = [p for p in shown if p.still is not None]
    assert all(p.shape == (320, 240) and p.late == 0.0 and not p.damaged for p in still)


def test_live_pictures_say_how_late_they_are(play: Path) -> None:
    shown = list(pictures(play, Watching(), Tally(), live=True))
    assert {round(p.late, 6) for p in shown if p.still is not None} == {LAG}
    burst = [p.late for p in shown if p.still is None and p.pts is not None and 20.0 - LAG <= p.pts <= 20.0]
    assert burst == sorted(burst, reverse=True)
    assert 0.5 < burst[0] < LAG
    assert burst[-1] == 0.0


def test_a_keyframe_is_looked_at_now_and_then(play: Path) -> None:
    stillness, tally = Watching((99.0, 99.0)), Tally()
    list(pictures(play, stillness, tally))
    assert 36 / (LOOK + 2.1) - 2 <= len(stillness.levels) <= 36 / LOOK
    assert max(stillness.levels[:3]) < 0.5  # before the motion
    assert max(stillness.levels) > 5  # the square stands elsewhere after it


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bf": "3", "preset": "veryfast"},
        {"bf": "2", "preset": "veryfast", "x264-params": "open-gop=1:keyint=20:min-keyint=20"},
    ],
)
def test_b_frames_come_in_order_and_whole(tmp_path: Path, options: dict[str, str]) -> None:
    film = stage_film(tmp_path / "film.mp4", PLAY, options=options)
    tally = Tally()
    shown = list(pictures(film, Watching(), tally))
    times = [p.pts for p in shown if p.pts is not None]
    assert all(0 < b - a < 0.55 for a, b in pairwise(times))
    motion = [round(p.pts * FPS) for p in shown if p.still is None and p.pts is not None and 19.6 <= p.pts < 24.0]
    assert motion[:42] == list(range(196, 238))  # the last ones wait in the decoder until motion begins again
    assert tally.errors == 0


def test_a_gop_without_end_is_decoded_before_it_grows(tmp_path: Path) -> None:
    film = stage_film(tmp_path / "film.mp4", [(60.0, False)], gop=600)
    stillness = Watching((99.0, 99.0))
    list(pictures(film, stillness, Tally()))
    assert stillness.woken
    assert all(b - a <= KEPT + 0.5 for a, b in pairwise(stillness.woken))


def test_a_jump_in_time_is_handed_on_at_once(play: Path) -> None:
    tally = Tally()
    with av.open(str(play)) as container:
        stream = container.streams.video[0]
        demand = Demand(Decoder(stream, tally), Watching((99.0, 99.0)), False)
        times: list[float] = []
        for packet in container.demux(stream):
            if packet.pts is not None and packet.pts * packet.time_base >= 15:
                packet.pts = packet.dts = packet.pts - round(12 / packet.time_base)
            times += [p.pts for p in demand.take(packet) if p.pts is not None]
    back = [k for k, (a, b) in enumerate(pairwise(times)) if b < a]
    assert len(back) == 1
    assert times[back[0] + 1] == pytest.approx(3.0)


@pytest.mark.parametrize("options", [{}, {"bf": "3", "preset": "veryfast"}])
def test_where_sizes_do_not_tell_all_since_the_keyframe_before_a_motion_is_decoded(
    tmp_path: Path, options: dict[str, str]
) -> None:
    film = stage_film(tmp_path / "film.mp4", [(20.7, False), (3.0, True), (12.3, False)], options=options)
    stillness, tally = Unsure(), Tally()
    shown = list(pictures(film, stillness, tally, live=True))
    decoded = [round(p.pts * FPS) for p in shown if p.still is None and p.pts is not None]
    assert set(range(203, 237)) <= set(decoded), "the motion, and from 20 s on, but for what waits in the decoder"
    assert decoded == sorted(set(decoded))
    times = [p.pts for p in shown if p.pts is not None]
    assert all(0 < b - a < 0.55 for a, b in pairwise(times))
    assert times[-1] == pytest.approx(36.0 - 1 / FPS)
    assert tally.frames < 0.55 * 36 * FPS
    assert tally.errors == 0
    assert max(p.late for p in shown) <= 2.0 + 4 / FPS  # a GOP, and what waits in the decoder
    assert sum(level >= MOVES for level in stillness.levels) in (1, 2)


def taken(film: Path, stillness: Stillness, left_out: tuple[float, float]) -> tuple[list[Picture], int]:
    """What is shown of ``film`` where packets between two keyframes were left out, and how many were let go then."""
    shown, lost, pause = [], 0, False
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        demand = Demand(Decoder(stream, Tally()), stillness, True)
        for packet in container.demux(stream):
            if packet.pts is not None and left_out[0] <= packet.pts * packet.time_base < left_out[1]:
                pause = True
                continue
            if pause:
                lost, pause = demand.interrupt(), False
            shown += list(demand.take(packet))
    return shown, lost


@pytest.mark.parametrize("sure", [True, False])
def test_of_what_was_left_out_nothing_is_made_up(play: Path, sure: bool) -> None:
    stillness = Unsure()
    stillness.sure = sure
    shown, lost = taken(play, stillness, (13.2, 18.0))
    times = [p.pts for p in shown if p.pts is not None]
    assert not [pts for pts in times if 13.2 <= pts < 18.0]
    assert any(pts < 13.2 for pts in times)
    assert any(pts >= 18.0 for pts in times)
    assert all(b > a for a, b in pairwise(times))
    assert max(p.late for p in shown) <= 2.0 + 1 / FPS
    known = max(pts for pts in times if pts < 13.2) if sure else 12.0  # a keyframe that agreed
    assert lost == sum(k / FPS > known for k in range(132))
    assert lost == (8 if sure else 11)
    first = next(p for p in shown if p.pts is not None and p.pts >= 18.0)
    assert (first.still is not None) == sure, "it is as still as it was, where sizes tell"


def test_a_picture_stands_for_a_still_scene_for_a_while_and_not_for_ever(tmp_path: Path) -> None:
    film = stage_film(tmp_path / "film.mp4", [(40.0, False)])
    stills = [p for p in pictures(film, Unsure(), Tally(), live=True) if p.still is not None]
    begins = [b.pts for a, b in pairwise(stills) if a.still is not b.still and b.pts is not None]
    assert len(begins) >= 3
    steps = [b - a for a, b in pairwise(begins)]
    assert min(steps) >= RENEW - 0.2
    assert max(steps) <= RENEW + 2.0 + 0.2, "the next keyframe after it"


class Startled(Watching):
    """Every keyframe that is looked at shows motion."""

    def compared(self, pts: float, motion: float) -> bool:
        super().compared(pts, motion)
        return False


def test_a_keyframe_that_is_dated_back_and_shows_motion_ends_nothing(tmp_path: Path) -> None:
    """It is all that is kept, and looked at."""
    film = stage_film(tmp_path / "film.mp4", [(16.0, False)], gop=10)
    stillness, shown = Startled((99.0, 99.0)), 0
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        demand = Demand(Decoder(stream, Tally()), stillness, True)
        for packet in container.demux(stream):
            if packet.is_keyframe and packet.pts is not None and packet.pts * packet.time_base > 8:
                packet.pts -= round(1.5 / packet.time_base)
            shown += len(list(demand.take(packet)))
    assert stillness.levels
    assert shown > 16 / 0.3


def busy(film: Path, stillness: Stillness) -> tuple[list[Picture], list[int]]:
    """What is shown of ``film`` by a machine that has no time for what was held back, and is fed from the next keyframe
    on each time; how many packets were let go each time.
    """
    shown: list[Picture] = []
    lost, waits = [], False
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        demand = Demand(Decoder(stream, Tally()), stillness, True, room=lambda: False)
        for packet in container.demux(stream):
            waits = waits and not packet.is_keyframe
            if not waits:
                shown += list(demand.take(packet))
            if demand.refused:
                waits = True
                lost.append(demand.interrupt())
                assert not demand.refused
    return shown, lost


@pytest.mark.parametrize("sure", [True, False])
def test_a_machine_without_time_is_not_given_what_was_held_back(play: Path, sure: bool) -> None:
    stillness: Stillness = Watching((21.5, 25.0)) if sure else Unsure()
    shown, lost = busy(play, stillness)
    decoded = [p.pts for p in shown if p.still is None and p.pts is not None]
    let_go = [pts for pts in decoded if 18.0 < pts < 22.0]
    assert let_go == []
    # sizes tell of it at 21.5 s, and LAG before that was still; or the keyframe at 22 s differs from the one at 20 s
    assert lost == ([9] if sure else [20])
    assert [pts for pts in decoded if 22.0 <= pts < 23.9][:19] == pytest.approx([22 + k / FPS for k in range(19)])
    late = [p.late for p in shown if p.still is None and p.pts is not None and p.pts < 30.0]  # the end brings all
    assert max(late) < 0.5, "nothing old is told"


def test_a_machine_without_time_is_given_what_comes(play: Path) -> None:
    shown, lost = busy(play, Watching((0.0, 99.0)))
    assert lost == []
    assert len([p for p in shown if p.still is None]) == 36 * FPS


@pytest.mark.parametrize("sure", [True, False])
def test_a_still_camera_whose_clock_jumps_back_does_not_show_the_past(play: Path, sure: bool) -> None:
    stillness = Unsure()
    stillness.sure = sure
    times: list[float] = []
    with av.open(str(play)) as container:
        stream = container.streams.video[0]
        demand = Demand(Decoder(stream, Tally()), stillness, True)
        for packet in container.demux(stream):
            if packet.pts is not None and packet.pts * packet.time_base >= 16:
                packet.pts = packet.dts = packet.pts - round(10 / packet.time_base)
            times += [p.pts for p in demand.take(packet) if p.pts is not None]
    back = [k for k, (a, b) in enumerate(pairwise(times)) if b < a]
    assert len(back) == 1
    assert times[back[0]] == pytest.approx(16 - 1 / FPS)
    assert 6.0 <= times[back[0] + 1] < 6.0 + 2.2


def test_where_sizes_do_not_tell_nothing_is_held_back_for_long(tmp_path: Path) -> None:
    film = stage_film(tmp_path / "film.mp4", [(30.0, False)], gop=10)
    stillness = Unsure()
    shown = list(pictures(film, stillness, Tally(), live=True))
    assert max(p.late for p in shown) <= HOLD + 1 / FPS


def clips(film: Path, stillness: Stillness | None, tally: Tally | None = None) -> list[Clip]:
    return list(read_clips(SecretUrl(film.as_uri()), TIMING, stillness=stillness, tally=tally))


CONSTANT = {"b": "400k", "minrate": "400k", "maxrate": "400k", "bufsize": "200k", "x264-params": "nal-hrd=cbr"}


def test_constant_bitrate_is_decoded_on_demand_too(tmp_path: Path) -> None:
    film = stage_film(tmp_path / "film.mp4", PLAY, options=CONSTANT, noise=0.3)
    every, auto = clips(film, None), clips(film, stillness := Stillness(), tally := Tally())
    assert not stillness.sure
    assert [clip.end for clip in auto] == pytest.approx([clip.end for clip in every])
    still = [clip.still == 1.0 for clip in auto]
    assert sum(still) >= 12
    for a, b in zip(every[20:24], auto[20:24], strict=True):
        assert np.array_equal(a.frames, b.frames)
    assert tally.frames < 0.7 * 36 * FPS


@pytest.mark.parametrize("options", [{}, {"bf": "3", "preset": "veryfast"}])
def test_sizes_alone_find_the_motion(tmp_path: Path, options: dict[str, str]) -> None:
    film = stage_film(tmp_path / "film.mp4", PLAY, options=options)
    every, auto = clips(film, None), clips(film, Stillness(), tally := Tally())
    assert [clip.end for clip in auto] == pytest.approx([clip.end for clip in every])
    still = [clip.still == 1.0 for clip in auto]
    assert sum(still) >= 15
    assert not any(still[19:25])
    for a, b in zip(every[20:24], auto[20:24], strict=True):
        assert np.array_equal(a.frames, b.frames)
        assert b.activity is not None
        assert level(b.activity) > 5
    assert tally.frames < 0.6 * 36 * FPS
    assert tally.packets == 36 * FPS


def test_a_still_clip_repeats_the_last_decoded_picture(play: Path) -> None:
    auto = clips(play, Stillness())
    whole = [clip for clip in auto if clip.still == 1.0]
    assert all((clip.frames == clip.frames[0]).all() for clip in whole)
    before = auto[auto.index(whole[0]) - 1]
    assert np.abs(whole[0].frames[0].astype(int) - before.frames[-1]).mean() < 3


@pytest.mark.parametrize("frozen", [False, True])
def test_a_still_camera_is_not_taken_for_a_frozen_one(tmp_path: Path, frozen: bool) -> None:
    """Keyframes that are decoded now and then show the sensor's noise, or that there is none."""
    film = stage_film(tmp_path / "film.mp4", [(45.0, False)], noise=0.0 if frozen else 0.02)
    sight = Sight(None, ["frozen"])
    auto = clips(film, Stillness())
    states = [sight.observe(clip.frames, clip.end) for clip in auto]
    assert sum(clip.still == 1.0 for clip in auto) > 25
    assert ("frozen" in states) == frozen


@pytest.mark.parametrize("shift", [1000.0, 8.0, -1000.0], ids=["back", "back a little", "ahead"])
@pytest.mark.parametrize("frames", ["0", "3"])
def test_a_clock_that_jumps_costs_hardly_a_picture(tmp_path: Path, shift: float, frames: str) -> None:
    """With B-frames the decoder gives the last pictures of the old clock after the first packet of the new one."""
    film = stage_film(tmp_path / "film.mp4", [(8.0, True)], options={"bf": frames, "b_strategy": "0"})
    shown: list[float] = []
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        demand = Demand(Decoder(stream, Tally()), Watching((0.0, 9999.0)))
        for number, packet in enumerate(container.demux(stream)):
            if packet.size and number < 4 * FPS:  # keyframes every two seconds
                assert packet.pts is not None
                assert packet.dts is not None
                ticks = round((shift + 2000) / demand._decoder.unit)
            else:
                ticks = round(2000 / demand._decoder.unit)
            if packet.size:
                packet.pts, packet.dts = (packet.pts or 0) + ticks, (packet.dts or 0) + ticks
            shown += [picture.pts - 2000 for picture in demand.take(packet) if picture.pts is not None]
    before, after = shown[: 4 * FPS - 4], shown[-4 * FPS :]
    assert before == pytest.approx([shift + k / FPS for k in range(len(before))])
    assert after == pytest.approx([4 + k / FPS for k in range(4 * FPS)])
