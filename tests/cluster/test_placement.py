"""Who reads which camera: nobody is left out, nobody moves without need, and it ends fair."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.cluster.placement import FULL, SPARE, fair, place

NAMES = st.integers(0, 60).map(lambda number: f"cam-{number}")
COSTS = st.dictionaries(NAMES, st.floats(0.0, 0.5), min_size=1, max_size=40)
CAPACITY = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from((1.0, 2.0, 4.0)), min_size=1, max_size=6)
EVEN = {f"cam-{number}": 0.1 for number in range(120)}


def load(placed: dict[str, str], costs: dict[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for camera, host in placed.items():
        found[host] = found.get(host, 0.0) + costs[camera]
    return found


def settled(costs: dict[str, float], capacity: dict[str, float], current: dict[str, str]) -> dict[str, str]:
    for _ in range(500):
        after = place(costs, capacity, current, moves=3)
        if after == current:
            return after
        current = after
    raise AssertionError("cameras move for ever")


@given(COSTS, CAPACITY)
@settings(deadline=None)
def test_every_camera_has_a_host(costs: dict[str, float], capacity: dict[str, float]) -> None:
    placed = place(costs, capacity, {}, moves=0)
    assert placed.keys() == costs.keys()
    assert set(placed.values()) <= capacity.keys()
    assert place(dict(reversed(costs.items())), dict(reversed(capacity.items())), {}, moves=0) == placed


@given(COSTS, CAPACITY, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_only_the_cameras_of_a_lost_host_move_at_once(
    costs: dict[str, float], capacity: dict[str, float], chance: object
) -> None:
    before = place(costs, capacity, {}, moves=0)
    left = dict(sorted(capacity.items())[1:]) or {"z": 1.0}
    after = place(costs, left, before, moves=0)
    assert {camera: after[camera] for camera in costs if before[camera] in left} == {
        camera: host for camera, host in before.items() if host in left
    }
    assert set(after.values()) <= left.keys()


@given(COSTS, CAPACITY, st.dictionaries(NAMES, st.sampled_from("abcdef")), st.integers(0, 5))
@settings(deadline=None)
def test_no_more_cameras_move_than_may(
    costs: dict[str, float], capacity: dict[str, float], current: dict[str, str], moves: int
) -> None:
    after = place(costs, capacity, current, moves)
    kept = {camera: host for camera, host in current.items() if camera in costs and host in capacity}
    assert sum(after[camera] != host for camera, host in kept.items()) <= moves
    assert after.keys() == costs.keys()


@given(COSTS, CAPACITY, st.dictionaries(NAMES, st.sampled_from("abcdef")))
@settings(deadline=None)
def test_it_comes_to_rest_and_is_fair_then(
    costs: dict[str, float], capacity: dict[str, float], current: dict[str, str]
) -> None:
    placed = settled(costs, capacity, current)
    assert fair(costs, capacity, placed)
    assert place(costs, capacity, placed, moves=9) == placed


def test_many_equal_cameras_spread_by_capacity() -> None:
    capacity = {"a": 2.0, "b": 2.0, "c": 4.0, "d": 8.0}
    placed = settled(EVEN, capacity, {})
    shares = {host: 12.0 * cores / 16.0 for host, cores in capacity.items()}
    assert all(SPARE - 0.05 <= load(placed, EVEN)[host] / share <= FULL + 0.05 for host, share in shares.items())


def test_a_new_host_gets_its_share_little_by_little_and_only_it_gets_any() -> None:
    capacity = dict.fromkeys("abcde", 2.0)
    before = settled(EVEN, capacity, {})
    capacity["f"] = 2.0
    first = place(EVEN, capacity, before, moves=2)
    assert sum(first[camera] != before[camera] for camera in EVEN) == 2
    after = settled(EVEN, capacity, before)
    moved = {camera for camera in EVEN if after[camera] != before[camera]}
    assert {after[camera] for camera in moved} == {"f"}
    assert 14 <= len(moved) <= 20


def test_a_host_that_is_drained_empties_little_by_little() -> None:
    capacity = dict.fromkeys("abc", 2.0)
    before = settled(EVEN, capacity, {})
    capacity["a"] = 0.0
    held = sum(host == "a" for host in before.values())
    after = place(EVEN, capacity, before, moves=5)
    assert sum(host == "a" for host in after.values()) == held - 5
    assert "a" not in settled(EVEN, capacity, before).values()


def test_where_the_only_host_is_drained_it_keeps_what_it_has() -> None:
    assert place(EVEN, {"a": 0.0}, dict.fromkeys(EVEN, "a"), moves=5) == dict.fromkeys(EVEN, "a")
    assert place(EVEN, {}, {}, moves=5) == {}


def test_a_camera_with_an_open_incident_is_not_moved_for_fairness() -> None:
    before = dict.fromkeys(EVEN, "a")
    capacity = {"a": 2.0, "b": 2.0}
    assert place(EVEN, capacity, before, moves=200, pinned=EVEN) == before
    free = place(EVEN, capacity, before, moves=200, pinned=["cam-3"])
    assert free["cam-3"] == "a"
    assert fair(EVEN, capacity, free)


def test_a_camera_that_costs_more_than_measured_before_moves_others_away() -> None:
    costs = EVEN | {"cam-0": 8.0}
    capacity = dict.fromkeys("abcd", 2.0)
    placed = settled(costs, capacity, settled(EVEN, capacity, {}))
    mine = placed["cam-0"]
    assert sum(host == mine for host in placed.values()) < 15


def test_the_order_in_which_cameras_are_named_is_of_no_account() -> None:
    costs = {"cam-0": 0.0, "cam-1": 0.109375, "cam-2": 0.0, "cam-3": 0.3242582971640397}
    capacity = {"a": 4.0, "c": 1.0}
    assert place(costs, capacity, {}, 0) == place(dict(reversed(costs.items())), capacity, {}, 0)
