"""Bad input ends with one clear message and an exit code."""

import socket
from pathlib import Path

import pytest

from tests.cli.command import CAMERA, CANARY, configuration, free_port, streamwatch


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"cameras: [{CAMERA}]\nrulez: []", "rulez: unknown key; did you mean 'rules'?"),
        (f"cameras: [{CAMERA}]\nmqtt: {{port: many}}", "mqtt.port: Input should be a valid integer"),
        ("cameras: [{name: a, url: 'rstp://h/x'}]", "did you mean 'rtsp'?"),
        ("cameras: [{name: a, url: 'rtsp://${NO_SUCH_VARIABLE}@h'}]", "NO_SUCH_VARIABLE is not set"),
        (f"cameras: [{CAMERA}]\nmodel: ./no-such-pack", "no-such-pack"),
        (f"cameras: [{CAMERA}]\nrules: [no-such-folder]", "no-such-folder: no such file or folder"),
        (f"cameras: [{CAMERA}]\nevents: [{{name: climbing, prompts: [a person climbs]}}]", "climbing"),
        (f"cameras: [{CAMERA}]\nmqtt: {{host: h, username: u, password_file: /no/such}}", "/no/such"),
        (f"cameras: [{CAMERA}]\nprovider: cuda\nstrict_provider: true", "cuda was asked for"),
    ],
)
def test_bad_configurations_end_with_78_and_say_why(tmp_path: Path, text: str, message: str) -> None:
    if "cuda" in text and Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has the GPU that the test says is missing")
    found = streamwatch("run", "-c", configuration(tmp_path, f"data_dir: {tmp_path}/data\n{text}"))
    assert found.returncode == 78, found.stderr
    assert message in found.stderr
    assert "Traceback" not in found.stderr
    assert CANARY not in found.stderr + found.stdout


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("rules: [{alert: a, when: {event: fihgt, on: 0.5}}]", "did you mean 'fight'?"),
        ("rules: [{alert: a, when: {evnt: fight, on: 0.5}}]", "did you mean 'event'?"),
        ("rules: [{alert: a, when: {event: fight, on: 0.5, zone: gat}}]", "zone 'gat'"),
        ("rules: [{alert: a, wen: {event: fight, on: 0.5}}]", "did you mean 'when'?"),
    ],
)
def test_bad_rules_end_with_78_and_name_file_and_word(tmp_path: Path, rules: str, message: str) -> None:
    (tmp_path / "r.yml").write_text(rules)
    text = f"data_dir: {tmp_path}/data\nrules: [{tmp_path}/r.yml]\ncameras: [{CAMERA}]"
    found = streamwatch("check", "-c", configuration(tmp_path, text))
    assert found.returncode == 78, found.stderr
    assert message in found.stderr
    assert str(tmp_path / "r.yml") in found.stderr


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    found = streamwatch("run", cwd=tmp_path)
    assert found.returncode == 78
    assert "streamwatch.yml: cannot be read: No such file" in found.stderr


def test_a_port_in_use_is_told_before_anything_runs(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for section in (f"http: {{port: {port}}}\nmqtt: {{port: {free_port()}}}", f"mqtt: {{port: {port}}}"):
            text = f"data_dir: {tmp_path}/data\ncameras: [{CAMERA}]\n{section}"
            found = streamwatch("run", "-c", configuration(tmp_path, text))
            assert found.returncode == 78, found.stderr
            assert str(port) in found.stderr
