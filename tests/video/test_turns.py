"""Turns: pure but for a lock; how long is waited for a processor is given, or follows from how many decode."""

import random
from collections import Counter

import pytest

from streamwatch.video.turns import GONE, LEAST, NEAR, Turn, Turns


class Queue:
    """Seconds that are waited for a processor, as set."""

    def __init__(self, waited: float = 0.0) -> None:
        self.waited = waited

    def __call__(self) -> float:
        return self.waited


def joined(turns: Turns, count: int) -> list[Turn]:
    """So many cameras that are decoded."""
    found = [turns.join() for _ in range(count)]
    for turn in found:
        turn.decodes(True)
    return found


def crowded(count: int = 10) -> tuple[Turns, Queue, list[Turn]]:
    """``count`` cameras are decoded, more than there is room for from second 0 on."""
    queue = Queue(1.0)
    turns = Turns(queue)
    cameras = joined(turns, count)
    assert not cameras[0].swap(0.0), "nobody waits yet"
    queue.waited = 0.15  # neither too long nor short
    return turns, queue, cameras


def test_where_nobody_waits_for_a_processor_all_are_let_in_and_none_has_to_leave() -> None:
    turns = Turns()
    cameras = joined(turns, 50)
    late = turns.join()
    assert late.begin(1.0)
    assert not any(camera.swap(float(second)) for second in range(20) for camera in cameras)


def test_who_is_refused_is_let_in_once_as_many_have_left_as_there_is_no_room_for() -> None:
    turns, _, cameras = crowded()
    waiting = turns.join()
    assert not waiting.begin(0.1)
    assert [camera.swap(0.2) for camera in cameras] == [True, True, *[False] * 8]  # there is room for eight
    assert not waiting.begin(0.3), "full, and it has not waited for long"
    cameras[-1].leave()
    assert waiting.begin(0.4)


def test_who_has_waited_is_let_in_at_its_keyframe_and_then_another_leaves() -> None:
    turns, _, cameras = crowded()
    assert not turns.join().begin(0.1)
    waiting = turns.join()
    assert not waiting.begin(0.1)
    assert [camera.swap(0.5) for camera in cameras].count(True) == 2
    assert waiting.begin(0.1 + LEAST)
    assert [camera.swap(2.5) for camera in cameras[2:]].count(True) == 1


def test_who_has_waited_longest_goes_first() -> None:
    turns, _, cameras = crowded(3)
    line = [turns.join() for _ in range(NEAR + 2)]
    for number, turn in enumerate(line):
        assert not turn.begin(0.1 + number / 100)
    cameras[0].leave()
    cameras[1].leave()  # one decodes, there is room for more than two
    assert not line[-1].begin(0.5)
    assert not line[NEAR].begin(0.5)
    assert line[0].begin(0.5)


@pytest.mark.parametrize("how", ["leaves", "falls silent"])
def test_a_camera_that_is_gone_holds_up_nobody(how: str) -> None:
    turns, _, cameras = crowded(3)
    gone = [turns.join() for _ in range(NEAR)]
    for turn in gone:
        assert not turn.begin(0.1)
    last = turns.join()
    assert not last.begin(0.2)
    for camera in cameras[:2]:
        camera.leave()
    assert not last.begin(0.4)
    if how == "leaves":
        for turn in gone:
            turn.leave()
        assert last.begin(0.5)
    else:
        assert last.begin(0.1 + GONE)


def test_who_was_idle_has_no_place_while_others_wait_for_one() -> None:
    turns, queue, cameras = crowded()
    idle, waiting = turns.join(), turns.join()
    assert idle.free(0.1), "nobody waits yet"
    assert not waiting.begin(0.2)
    assert not idle.free(0.3)
    for camera in cameras[:3]:
        camera.leave()
    assert idle.free(0.4), "seven decode, and there is room for eight"
    idle.decodes(True)
    assert not turns.join().free(0.5)
    queue.waited = 0.0
    assert turns.join().free(1.5)


def test_room_comes_back_with_the_processors() -> None:
    turns, queue, cameras = crowded()
    waiting = [turns.join() for _ in range(4)]
    assert not any(turn.begin(1.0) for turn in waiting)
    queue.waited = 0.0  # although ten decode
    assert [turn.begin(2.1) for turn in waiting] == [True, False, False, False], "one more a second"
    assert not any(camera.swap(2.2) for camera in cameras)


@pytest.mark.parametrize("together", [True, False], ids=["keyframes together", "keyframes apart"])
@pytest.mark.parametrize("cameras", [24, 48, 96])
def test_each_has_its_turn(cameras: int, together: bool) -> None:
    """A machine that can decode 20, keyframes each 2 s; while half as many again decode, all are late, and left out.
    For two minutes none is seen less than half as much as others, and about as many decode as can.
    """
    can, rng, seen, most = 20, random.Random(3), Counter[int](), []
    turns = Turns(lambda: max(0.0, decoding - can) * 0.05)
    all_of = joined(turns, cameras)
    decodes, phases = [True] * cameras, [0 if together else rng.randrange(20) for _ in range(cameras)]
    for tick in range(1200):
        decoding = sum(decodes)
        for number in rng.sample(range(cameras), cameras):
            seen[number] += decodes[number] and tick > 200
            if tick % 20 == phases[number]:
                turn, now = all_of[number], tick / 10
                stays = sum(decodes) <= 1.5 * can and not turn.swap(now)
                decodes[number] = stays if decodes[number] else turn.begin(now)
                turn.decodes(decodes[number])
        most.append(decoding)
    assert min(seen.values()) > sum(seen.values()) / cameras / 2
    assert 0.8 * can < sum(most[200:]) / 1000 < 1.3 * can
