"""Lane: real threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from streamwatch.video.lane import PATIENCE, Lane


def entering(lane: Lane) -> tuple[bool, float]:
    """Whether a thread had the lane after entering it, and how long that took."""
    began = time.monotonic()
    lane.enter()
    took = time.monotonic() - began
    return lane.leave(), took


def test_whoever_has_it_may_enter_again_and_leaves_once() -> None:
    lane = Lane()
    assert not lane.leave(), "it had not entered"
    lane.enter()
    lane.enter()
    assert lane.leave()
    assert not lane.leave()


def test_who_comes_waits_until_it_is_left() -> None:
    lane, order = Lane(), list[str]()

    def second() -> None:
        lane.enter()
        order.append("second")
        lane.leave()

    lane.enter()
    thread = threading.Thread(target=second)
    thread.start()
    time.sleep(PATIENCE / 4)
    order.append("first")
    lane.leave()
    thread.join()
    assert order == ["first", "second"]


def test_who_blocks_in_it_holds_up_nobody_for_long() -> None:
    lane = Lane()
    lane.enter()
    with ThreadPoolExecutor(1) as pool:
        had, took = pool.submit(entering, lane).result()
    assert not had, "it went on without"
    assert PATIENCE * 0.9 <= took < 1.0
    assert lane.leave(), "and took it from nobody"


def test_it_is_nobodys_after_it_was_left_by_all() -> None:
    lane = Lane()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: entering(lane), range(200)))
    had, _ = entering(lane)
    assert had
