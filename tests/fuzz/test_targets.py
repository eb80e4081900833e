"""Each target on its seeds and on seeded mutations of them: it must be able to fail, and find nothing."""

import random
from pathlib import Path

import pytest

from streamwatch.errors import ConfigError
from tests.fuzz import targets
from tests.fuzz.mutation import mutate_bytes, mutate_tree
from tests.fuzz.targets import CONFIG, TARGETS

ROUNDS = {"config": 40, "rules": 40, "commands": 400, "cards": 60, "films": 40}  # a second or two each


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_their_mutations_are_no_finding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "SLOW", 30.0)  # the long runs measure that
    target, chance = TARGETS[name], random.Random(11)
    seeds = target.seeds()
    for seed in seeds:
        target.run(seed)
    for _ in range(ROUNDS[name]):
        seed = chance.choice(seeds)
        changed = mutate_tree(seed, chance, target.words) if target.tree and chance.random() < 0.7 else None
        target.run(mutate_bytes(seed, chance, target.words) if changed is None else changed)


def test_the_seeds_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else only refusals would be tried."""
    from streamwatch.config import load_config

    monkeypatch.setenv("CANARY", "x")
    path = targets._folder() / "accepted.yml"
    path.write_text(CONFIG)
    assert [camera.name for camera in load_config(path).cameras] == ["dock", "scene", "web"]


def test_a_leaked_password_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(path: Path) -> None:
        raise ConfigError(f"{path}: cameras[0].url: rtsp://u:{targets.SECRET}@host is not a URL")

    monkeypatch.setattr(targets, "load_config", leak)
    with pytest.raises(AssertionError, match="CANARY"):
        targets.read_config(CONFIG.encode())


def test_slow_work_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "SLOW", 0.0)
    with pytest.raises(AssertionError, match="s of work for"):
        targets.read_rules(b"rules: []")


def test_a_mutated_document_is_a_document() -> None:
    chance = random.Random(1)
    changed = {mutate_tree(CONFIG.encode(), chance, ("word",)) for _ in range(20)}
    assert None not in changed
    assert len(changed) >= 18
    topic = mutate_tree(b'streamwatch/replay/request\n{"after": 1}', chance, ())
    assert topic is not None
    assert topic.startswith(b"streamwatch/replay/request\n")
    assert mutate_tree(b"a: [", chance, ()) is None
