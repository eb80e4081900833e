"""The commands about a cluster, where there is none; with one: tests/cluster/test_fleet.py."""

from pathlib import Path

from tests.cli.command import configuration, streamwatch

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


def test_no_ray_where_it_is_looked_for(tmp_path: Path) -> None:
    file = configuration(tmp_path, f"data_dir: {tmp_path}/data\n{CAMERA}")
    refused = streamwatch("cluster", "status", "-c", file, "--cluster", "auto")
    assert refused.returncode == 78
    assert "no Ray answers there" in refused.stderr
