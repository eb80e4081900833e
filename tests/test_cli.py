"""The command line as a user runs it: exit codes and one clear message."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

STREAMWATCH = str(Path(sys.executable).with_name("streamwatch"))
CANARY = "S3CR3T-CANARY"
CAMERA = f"{{name: dock, url: 'rtsp://ca.na%40ry:{CANARY}@127.0.0.1:9/x'}}"


def streamwatch(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([STREAMWATCH, *arguments], capture_output=True, text=True, timeout=60, cwd=cwd, check=False)


def configuration(tmp_path: Path, text: str) -> str:
    path = tmp_path / "streamwatch.yml"
    path.write_text(text)
    return str(path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_help_is_quick_and_names_the_commands() -> None:
    assert streamwatch("--help").returncode == 0
    began = time.monotonic()
    found = streamwatch("--help")
    assert time.monotonic() - began < 3  # 0.3 s on an idle machine
    assert all(command in found.stdout for command in ("run", "check", "demo", "detect"))


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from streamwatch.cli import app;"
        "CliRunner().invoke(app, ['--help']);"
        "print([m for m in ('numpy', 'cv2', 'av', 'onnxruntime', 'paho', 'pydantic', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


def test_version() -> None:
    import streamwatch as package

    assert streamwatch("--version").stdout.strip() == package.__version__


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


def test_check_prints_what_would_run(tmp_path: Path) -> None:
    found = streamwatch("check", "-c", configuration(tmp_path, f"cameras: [{CAMERA}]"), cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "camera   dock: rtsp://***@127.0.0.1:9/x" in found.stdout
    assert "fight" in found.stdout
    assert CANARY not in found.stdout


def test_check_prints_the_schema() -> None:
    schema = json.loads(streamwatch("check", "--schema").stdout)
    assert "cameras" in schema["properties"]


def test_an_unreachable_camera_is_offline_and_sigterm_ends_with_0(tmp_path: Path) -> None:
    http, broker = free_port(), free_port()
    text = f"data_dir: {tmp_path}/data\ncameras: [{CAMERA}]\nhttp: {{port: {http}}}\nmqtt: {{port: {broker}}}"
    path = configuration(tmp_path, text)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([STREAMWATCH, "run", "-c", path], stdout=log, stderr=log, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while "camera is offline" not in (tmp_path / "log").read_text():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
    assert code == 0
    assert CANARY not in (tmp_path / "log").read_text() + arguments


def test_sighup_has_the_rules_read_again(tmp_path: Path) -> None:
    """A rule that comes new fires; a broken file is refused and says why; what ran goes on."""
    http, broker = free_port(), free_port()
    rule = "rules:\n- {alert: never, when: {event: fight, on: 1.0}}\n"
    (tmp_path / "rules.yml").write_text(rule)
    text = "cameras: [{name: dock, url: 'synthetic:walk?seed=2&duration=6&size=320x180'}]\nrules: [rules.yml]"
    path = configuration(tmp_path, f"{text}\ndata_dir: data\nhttp: {{port: {http}}}\nmqtt: {{port: {broker}}}")
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen([STREAMWATCH, "run", "-c", path], stdout=stream, stderr=stream, cwd=tmp_path)

    def wait_for(line: str) -> None:
        deadline = time.monotonic() + 60
        while line not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)

    try:
        wait_for("camera is online")
        (tmp_path / "rules.yml").write_text(rule + "- {alert: fresh, when: {event: fight, on: 0.0001}}\n")
        process.send_signal(signal.SIGHUP)
        wait_for("rules reloaded: 2 in force, hash ")
        wait_for("alert new: fresh at dock")
        (tmp_path / "rules.yml").write_text(rule + "- {alert: fresh, when: {event: fihgt, on: 0.5}}\n")
        process.send_signal(signal.SIGHUP)
        wait_for("rules not reloaded, the 2 in force stay: ")
        (tmp_path / "rules.yml").write_text(rule)
        process.send_signal(signal.SIGHUP)
        wait_for("rules reloaded: 1 in force")
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics", timeout=20) as answer:
            metrics = answer.read().decode()
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
    assert code == 0
    said = log.read_text()
    assert "did you mean 'fight'" in said
    assert "; added fresh" in said
    assert said.index("rules not reloaded") < said.index("alert end: fresh at dock")
    assert 'streamwatch_rules_reloads_total{result="applied"} 2.0' in metrics
    assert 'streamwatch_rules_reloads_total{result="refused"} 1.0' in metrics


def test_detect_says_what_it_cannot_read(tmp_path: Path) -> None:
    assert "no such file" in streamwatch("detect", "nothing.mp4", cwd=tmp_path).stderr
    (tmp_path / "text.mp4").write_text("no video")
    found = streamwatch("detect", "text.mp4", cwd=tmp_path)
    assert found.returncode == 1
    assert "text.mp4" in found.stderr
    assert "Traceback" not in found.stderr


def test_detect_prints_json_and_draws(tmp_path: Path) -> None:
    scene = "synthetic:walk?seed=2&duration=6&size=320x180"
    found = streamwatch("detect", scene, "--json", "--plot", "out.png", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    document = json.loads(found.stdout)
    assert len(document["detections"]) == 6
    assert set(document["detections"][0]["scores"]) == {"fight", "fall", "shoplifting"}
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_the_data_folder_has_one_owner(tmp_path: Path) -> None:
    from streamwatch.folder import FolderLock

    lock = FolderLock(tmp_path / "data")
    try:
        text = f"data_dir: {tmp_path}/data\ncameras: [{CAMERA}]\nhttp: {{port: {free_port()}}}"
        found = streamwatch("run", "-c", configuration(tmp_path, text))
    finally:
        lock.close()
    assert found.returncode == 78
    assert f"in use by process {os.getpid()}" in found.stderr


def test_rules_are_tested(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("rules: [{alert: a, when: {event: fall, on: 0.8}}]")
    test = tmp_path / "a.test.yml"
    test.write_text("tests: [{name: one, series: [{event: fall, values: '0.9'}], alerts: [{alert: a, at: 0s}]}]")
    found = streamwatch("rules", "test", str(test), "--junit", str(tmp_path / "out.xml"))
    assert (found.returncode, found.stdout) == (0, f"{test}: 1 of 1 tests passed\n"), found.stderr
    assert 'failures="0"' in (tmp_path / "out.xml").read_text()
    test.write_text(test.read_text().replace("at: 0s", "at: 1s"))
    found = streamwatch("rules", "test", str(tmp_path))
    assert found.returncode == 1
    assert "    - a on camera: at 1s\n    + a on camera: at 0s\n" in found.stdout
    found = streamwatch("rules", "test", str(tmp_path / "a.yml"))
    assert found.returncode == 78
    assert "a.yml: rules: unknown key" in found.stderr


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The score log of a scene, written as a user would."""
    folder = tmp_path_factory.mktemp("detected")
    found = streamwatch("detect", "synthetic:fight?seed=5&duration=8&size=320x180", "--scores", "scores", cwd=folder)
    assert found.returncode == 0, found.stderr
    (folder / "low.yml").write_text("rules: [{alert: any, when: {event: fight, on: 0.001}}]")
    (folder / "high.yml").write_text("rules: [{alert: any, when: {event: fight, on: 0.9999}}]")
    (folder / "truth.csv").write_text("camera,start_s,end_s,label\nsynthetic_fight,1,8,fight\n")
    return folder


def test_detect_writes_scores_once(scores: Path) -> None:
    assert [path.name for path in scores.rglob("*.scores")] == ["1970-01-01T00.scores"]
    found = streamwatch("detect", "synthetic:fight?seed=5&duration=8&size=320x180", "--scores", "scores", cwd=scores)
    assert found.returncode == 78
    assert "are already there" in found.stderr


def test_rules_are_tried_on_the_log(scores: Path) -> None:
    files = ["--against", "high.yml", "--truth", "truth.csv", "--json", "r.json", "--plot", "r.png", "--since", "1h"]
    found = streamwatch("rules", "backtest", "--scores", "scores", "--rules", "low.yml", *files, cwd=scores)
    assert found.returncode == 0, found.stderr
    assert "any would fire once" in found.stdout
    assert "against  1 added, 0 gone, 0 changed" in found.stdout
    assert "truth    fight: 1 of 1 found" in found.stdout
    assert json.loads((scores / "r.json").read_text())["rules"][0]["incidents"] == 1
    assert (scores / "r.png").read_bytes().startswith(b"\x89PNG")


def test_one_moment_is_explained(scores: Path) -> None:
    arguments = ["--scores", "scores", "--rules", "low.yml", "--rule", "any", "--at", "5"]
    found = streamwatch("rules", "explain", *arguments, cwd=scores)
    assert found.returncode == 0, found.stderr
    assert "any on synthetic_fight at 5.0 s: firing" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["backtest", "--scores", "none"], "none: no such folder"),
        (["backtest", "--scores", "scores", "--since", "soon"], "--since must be a duration"),
        (["backtest", "--scores", "scores", "--truth", "none.csv"], "none.csv: cannot be read"),
        (["explain", "--scores", "scores", "--rule", "fihgt", "--at", "5"], "no rule is named 'fihgt'"),
        (["explain", "--scores", "scores", "--rule", "fight", "--at", "noon"], "neither seconds nor a time"),
    ],
)
def test_a_backtest_says_what_is_wrong(scores: Path, arguments: list[str], message: str) -> None:
    found = streamwatch("rules", *arguments, cwd=scores)
    assert found.returncode in (1, 78)
    assert message in found.stderr
    assert "Traceback" not in found.stderr
