"""A log that is skimmed must tell what the same log tells row by row."""

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamwatch import skim as module
from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.backtest import Entry, Replay, replay
from streamwatch.rules.book import RuleBook
from streamwatch.rules.lull import Calm, Lull
from streamwatch.rules.rest import Band
from streamwatch.sinks.score_block import Row, decode, encode
from streamwatch.sinks.score_files import read_rows
from streamwatch.sinks.scores import ScoreLog
from streamwatch.skim import skim
from tests.rules.play import FALL, T0, book, detection, rules
from tests.rules.test_line import RULES
from tests.rules.test_reference import EXAMPLES
from tests.rules.test_reference import rules as random_rules

ALL = Calm(-np.inf, np.inf, ((None, (Band("fall", -np.inf, 0.8),)),))


def write(folder: Path, rows: list[Row], every: int = 7) -> Path:
    """A log of blocks of ``every`` rows."""
    log = ScoreLog(folder)
    for i, row in enumerate(rows):
        log.add(row)
        if i % every == every - 1:
            log.close()
    log.close()
    return folder


def told(folder: Path, *entries: dict[str, object], keep: list[RuleBook] | None = None) -> tuple[Replay, list[Entry]]:
    """What a replay tells, and what the book had to hear for it; ``keep`` gets the book."""
    heard: list[Entry] = []

    def read(running: RuleBook) -> Any:
        if keep is not None:
            keep.append(running)
        for entry in skim(folder, running):
            heard.append(entry)
            yield entry

    return replay(read, rules(*entries)), heard


def test_a_quiet_hour_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, [detection(t, 0.9 if t == 2000 else 0.1) for t in range(2800)])
    found, heard = told(tmp_path, {})
    assert found == replay(read_rows(tmp_path), rules({}))
    assert [(f.start - T0, f.end - T0) for f in found.firings] == [(2000, 2000)]
    assert len(heard) < 60
    assert found.coverage[0].detections == 2800


OFFLINE: dict[str, object] = {"alert": "offline", "when": {"camera": "offline"}, "for": "3s"}
ONLINE: dict[str, object] = {"alert": "online", "when": {"camera": "online"}, "for": "3s"}


@pytest.mark.parametrize(
    "later",
    [
        [CameraState("dock", "offline", T0 + 20), *(detection(t) for t in range(20, 80))],  # set back
        [*(detection(t) for t in range(90_000, 90_060))],  # set forward by more than a day
    ],
)
def test_states_last_as_long_as_row_by_row_where_the_clock_is_set(tmp_path: Path, later: list[Row]) -> None:
    """Time that a lull took must be told before it goes on elsewhere: the state is known until then."""
    write(tmp_path, [CameraState("dock", "online", T0), *(detection(t) for t in range(100)), *later], every=1000)
    found, heard = told(tmp_path, {}, OFFLINE, ONLINE)
    assert found == replay(read_rows(tmp_path), rules({}, OFFLINE, ONLINE))
    assert any(isinstance(entry, Lull) for entry in heard)
    first = found.firings[0]
    assert (first.rule, first.start - T0, first.end - T0) == ("online", 0, 94)  # the last second told by then


@pytest.mark.parametrize(
    ("row", "end"),
    [
        (detection(20, 0.8), 20),
        (detection(20, 0.1, zone="gate"), 20),
        (detection(15, 0.1), 19),  # late: time goes back after the row before it
        (detection(35, 0.1), 19),  # after a silence, likewise
        (Gap("dock", T0 + 20), 20),
        (CameraState("dock", "offline", T0 + 20), 20),
        (detection(20, 0.79), 39),  # the last of a block, too: what comes after it is not known
        (detection(20, float("nan")), 20),
    ],
)
def test_finds_the_first_row_that_must_be_heard(row: Row, end: int) -> None:
    rows: list[Row] = [detection(t, 0.1) for t in range(40)]
    rows[20] = row
    scan = module._Scan(decode(encode(rows))[0])
    assert scan.end_of_lull(0, ALL) == 0  # the first of a block may come after anything
    assert scan.end_of_lull(1, ALL) == end


def test_a_lull_ends_where_time_is_up_or_what_is_scored_is_another() -> None:
    rows = [detection(t, 0.1, zone=None if t % 3 else "gate") for t in range(40)]
    scan = module._Scan(decode(encode(rows))[0])
    both = ((None, (Band("fall", -np.inf, 0.8),)), ("gate", ()))
    assert scan.end_of_lull(2, Calm(-np.inf, np.inf, both)) == 39
    assert scan.end_of_lull(2, Calm(-np.inf, T0 + 30, both)) == 30
    assert scan.end_of_lull(2, Calm(T0 + 9, np.inf, both)) == 2  # older than what was heard
    assert scan.end_of_lull(2, Calm(-np.inf, np.inf, ((None, (Band("climbing", -np.inf, 0.8),)),))) == 2
    assert scan.end_of_lull(2, Calm(-np.inf, np.inf, ((None, (Band(None, -np.inf, 0.1),)),))) == 2
    lull = scan.lull(2, 40)
    assert (lull.camera, lull.first, lull.last) == ("dock", T0 + 2, T0 + 39)
    assert [(p.zone, p.first - T0, p.last - T0, p.count) for p in lull.zones] == [
        ("gate", 3, 39, 13),
        (None, 2, 38, 25),
    ]


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    write(tmp_path, [detection(t, 0.1) for t in range(100)])
    seen: list[float] = []
    found = list(skim(tmp_path, book({}), T0 + 60, seen.append))
    assert [entry.end - T0 for entry in found if isinstance(entry, Detection)] == list(range(60, 100))
    assert seen == [T0]


def test_a_book_that_joins_cameras_hears_all(tmp_path: Path) -> None:
    write(tmp_path, [detection(t, 0.1) for t in range(100)])
    joined: dict[str, object] = {"on_cameras": [{"cameras": "*", **FALL}], "at_least": 2, "within": "6s"}
    _, heard = told(tmp_path, {"when": joined})
    assert not any(isinstance(entry, Lull) for entry in heard)


UNUSUAL: dict[str, object] = {"alert": "odd", "when": {"anomaly": 0.95, "warm_up": "1h"}}
BELOW: dict[str, object] = {
    "alert": "both", "when": {"all": [{"not": {"anomaly": 0.9, "least": 1.5, "warm_up": "70m"}}, FALL]},
}  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_what_learns_learns_from_what_is_passed_over(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    rows, at = list[Row](), 0.0
    for _ in range(400):
        if chance.random() < 0.02:
            rows.append(Gap("dock", T0 + at))
        kind = chance.choice(["still", "still", "still", "moves", "falls"])
        for _ in range(chance.randint(1, 60) if kind == "still" else chance.randint(1, 4)):
            at += chance.choice([1.0, 1.0, 4.0])
            motion = chance.uniform(0, 0.4) if kind != "moves" else chance.choice([0.499999, 0.5, 3.0, 20.0])
            rows.append(detection(at, 0.9 if kind == "falls" else 0.1, motion=motion))
    write(tmp_path, rows, every=500)
    books: list[RuleBook] = []

    def read(running: RuleBook) -> Any:
        books.append(running)
        return read_rows(tmp_path)

    skimmed, heard = told(tmp_path, UNUSUAL, BELOW, keep=books)
    assert skimmed == replay(read, rules(UNUSUAL, BELOW))
    assert sum(isinstance(entry, Lull) for entry in heard) > 20
    assert {firing.rule for firing in skimmed.firings} == {"odd", "both"}
    assert books[0].learnt() == books[1].learnt()


levels = st.sampled_from([0.1] * 12 + [0.65, 0.9])
rows = st.lists(
    st.tuples(
        st.sampled_from(["dock", "dock", "ward-1"]),
        st.sampled_from(["row"] * 30 + ["gap", "online", "offline", "disabled", "back", "far back", "days on"]),
        st.sampled_from([0.5] + [1.0] * 8 + [3.0, 9.75, 12.0, 40.0]),
        st.sampled_from([None, None, None, "gate"]),
        st.tuples(levels, levels, levels),
        st.integers(1, 30),  # so many times
    ),
    max_size=30,
)
Steps = list[tuple[str, str, float, str | None, tuple[float, float, float], int]]


def logged(found: Steps) -> list[Row]:
    """Rows of a log whose cameras' clocks may be set, by little or by much."""
    made: list[Row] = []
    now = {"dock": 0.0, "ward-1": 0.25}
    for camera, what, step, zone, (fall, fight, motion), times in found:
        if what in ("back", "far back", "days on"):
            now[camera] += {"back": -step, "far back": -15 - step, "days on": 100_000 + step}[what]
        elif what == "gap":
            made.append(Gap(camera, T0 + now[camera]))
        elif what != "row":
            made.append(CameraState(camera, what, T0 + now[camera]))
        for _ in range(times if what == "row" else 0):
            now[camera] += step
            made.append(detection(now[camera], fall, camera, zone, fight=fight, motion=motion))
    return made


def skimmed_and_read(found: list[Row], entries: list[dict[str, Any]]) -> tuple[Replay, Replay, int]:
    with tempfile.TemporaryDirectory(prefix="streamwatch-test-") as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MIN_ROWS", 2)
        folder = write(Path(name) / "scores", found)
        skimmed, heard = told(folder, *entries)
        passed = sum(passed.count for entry in heard if isinstance(entry, Lull) for passed in entry.zones)
        return skimmed, replay(read_rows(folder), rules(*entries)), passed


@settings(deadline=None, max_examples=max(150, EXAMPLES // 3), suppress_health_check=list(HealthCheck))
@given(rows)
def test_skimming_changes_nothing(found: Steps) -> None:
    written = logged(found)
    if written:
        skimmed, read, _ = skimmed_and_read(written, RULES)
        assert skimmed == read


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.lists(random_rules, min_size=1, max_size=3), rows)
def test_skimming_changes_nothing_whatever_the_rules(entries: list[dict[str, Any]], found: Steps) -> None:
    written = logged(found)
    if written:
        skimmed, read, _ = skimmed_and_read(written, [{"alert": f"r-{i}", **rule} for i, rule in enumerate(entries)])
        assert skimmed == read


def test_most_of_a_calm_log_is_passed_over() -> None:
    """So the two tests above look at what they are about."""
    low = (0.1, 0.1, 0.1)
    calm: Steps = [("dock", "row", 1.0, None, low, 30), ("ward-1", "row", 1.0, None, low, 30)] * 4
    skimmed, read, passed = skimmed_and_read(
        logged(calm), [{}, {"alert": "absent", "when": {"not": FALL}, "for": "9h"}]
    )
    assert skimmed == read
    assert passed == 0  # one of the rules is pending all the time
    skimmed, read, passed = skimmed_and_read(logged(calm), [{}])
    assert skimmed == read
    assert passed > 200
