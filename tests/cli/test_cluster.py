"""The commands about a cluster, where there is none; with one: tests/cluster/test_fleet.py."""

from pathlib import Path

import pytest

from tests.cli.command import configuration, free_port, streamwatch

CAMERA = "cameras: [{name: dock, url: 'synthetic:walk'}]\n"


def test_says_what_there_is() -> None:
    shown = streamwatch("cluster", "--help")
    assert shown.returncode == 0
    assert "status" in shown.stdout
    assert "drain" in shown.stdout


def test_a_place_that_is_none_is_told_before_anything_starts(tmp_path: Path) -> None:
    file = configuration(tmp_path, f"data_dir: {tmp_path}/data\n{CAMERA}")
    for command in (["run", "-c", file, "--cluster", "local:0"], ["cluster", "status", "-c", file, "--cluster", "x"]):
        refused = streamwatch(*command)
        assert (refused.returncode, refused.stdout) == (78, "")
        assert "say auto, local:N" in refused.stderr
    assert not (tmp_path / "data").exists()


def asked(where: str, file: str) -> tuple[int, str]:
    """What `cluster status` says, and how it ends; at once, though Ray itself would try for minutes."""
    refused = streamwatch("cluster", "status", "-c", file, "--cluster", where, limit=30)
    assert refused.stdout == ""
    return refused.returncode, refused.stderr


def test_no_ray_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    file = configuration(tmp_path, f"data_dir: {tmp_path}/data\n{CAMERA}")
    code, said = asked("auto", file)
    assert (code, "no Ray answers there" in said, "RAY_ADDRESS" in said) == (78, True, True)
    dead = f"127.0.0.1:{free_port()}"
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(dead)  # of a Ray that was killed
    for where in ("auto", dead, f"ray://{dead}"):
        code, said = asked(where, file)
        assert (code, said.count("no Ray answers there"), dead in said) == (1, 1, True), said
