"""Which rules were in force when."""

from pathlib import Path

from streamwatch.sinks.in_force import FILE, KEPT, InForce, note, read


def test_tells_since_when(tmp_path: Path) -> None:
    folder = tmp_path / "scores"
    assert list(read(folder)) == []
    for at, digest in ((10.0, "a"), (20.0, "a"), (30.0, "b"), (40.0, "a")):
        note(folder, InForce(at, digest, 3))
    assert [(entry.since, entry.hash) for entry in read(folder)] == [(10, "a"), (30, "b"), (40, "a")]
    assert [(entry.since, entry.hash) for entry in read(folder, 35.0)] == [(30, "b"), (40, "a")]
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_is_bounded(tmp_path: Path) -> None:
    lines = "".join(f'{{"since": {i}, "hash": "{i}", "rules": 1}}\n' for i in range(KEPT))
    (tmp_path / FILE).write_text(lines)
    note(tmp_path, InForce(KEPT, "x", 1))
    found = read(tmp_path)
    assert (len(found), found[0].since, found[-1].hash) == (KEPT, 1, "x")


def test_damage_costs_a_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(
        b'{"since": 1, "hash": "a", "rules": 1}\n{"since": \xff\n[]\n{"since": 3, "hash": "b"}\n'
    )
    assert [entry.hash for entry in read(tmp_path)] == ["a"]
