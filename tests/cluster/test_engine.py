"""Where Ray is, and that it is not open to everybody."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamwatch.cluster.engine import known_address, listens, local_nodes, locate, reach, refusal
from streamwatch.errors import ConfigError, WorkerLostError
from tests.sinks.stage import free_port


@pytest.mark.parametrize(
    ("where", "nodes"), [("auto", None), ("local:1", 1), ("local:12", 12), ("10.0.0.1:6379", None)]
)
def test_says_how_many_nodes_are_simulated(where: str, nodes: int | None) -> None:
    assert local_nodes(where) == nodes
    assert local_nodes("ray://head:10001") is None


@pytest.mark.parametrize("where", ["", "local", "local:0", "local:65", "local:x", "local:-1", "somewhere", ":6379"])
def test_refuses_what_is_no_place(where: str) -> None:
    with pytest.raises(ConfigError, match=r"say auto, local:N .* or host:port"):
        local_nodes(where)


@pytest.mark.parametrize(
    ("listens", "mode", "fault"),
    [
        ("127.0.0.1", "", False),
        ("127.0.0.1", "token", False),
        ("10.0.0.1", "token", False),
        ("10.0.0.1", "", True),
        ("10.0.0.1", "disabled", True),
        ("0.0.0.0", "", True),
    ],
)
def test_a_ray_that_a_network_can_reach_needs_a_token(listens: str, mode: str, fault: bool) -> None:
    said = refusal("auto", listens, mode)
    assert (said is not None) is fault
    assert said is None or ("RAY_AUTH_MODE=token" in said and listens in said)


def test_auto_is_where_ray_was_started_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ConfigError, match=r"no Ray answers there: RAY_ADDRESS is not set, and no .*/ray/ray_"):
        locate("auto")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("10.0.0.7:6379\n")
    assert (locate("auto"), locate("ray://head:10001")) == ("10.0.0.7:6379", "ray://head:10001")
    monkeypatch.setenv("RAY_ADDRESS", "ray://head")
    assert locate("auto") == "ray://head"


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "ray://user@127.0.0.1:{}/"])
def test_an_address_where_nobody_listens_is_refused_at_once(form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        address = form.format(somebody.getsockname()[1])
        reach("auto", address)
        assert listens(address)
    address = form.format(free_port())
    began = time.monotonic()
    with pytest.raises(WorkerLostError, match=f"--cluster auto: no Ray answers there: {address}: .*refused"):
        reach("auto", address)
    assert not listens(address)
    assert time.monotonic() - began < 5.0
    with pytest.raises(ConfigError, match="say auto"):
        reach("auto", "127.0.0.1:99999")


def test_knows_the_nodes_of_this_machine_by_the_file_that_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that it is put back
    assert known_address(tmp_path) is None
    (tmp_path / "cluster.json").write_text("half")
    assert known_address(tmp_path) is None
    before = os.environ["RAY_AUTH_TOKEN"]
    (tmp_path / "cluster.json").write_text(json.dumps({"address": "127.0.0.1:7", "token": before or "t" * 32}))
    assert known_address(tmp_path) == "127.0.0.1:7"
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_ray_is_imported_only_where_it_is_needed() -> None:
    """By nothing that one machine runs, and by no stage of a cluster."""
    modules = "pipeline, cli.app, cluster.host, cluster.site, cluster.link, cluster.census, cluster.engine"
    names = "".join(f"import streamwatch.{name.strip()}\n" for name in modules.split(","))
    program = f"import sys\n{names}assert not [name for name in sys.modules if name.split('.')[0] == 'ray']"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
