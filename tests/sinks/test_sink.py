import json
import subprocess
import sys
import threading

import pytest

from streamwatch.config import MqttConfig
from streamwatch.sinks.sink import SINKS, Sink
from tests.sinks.stage import free_port, make_alert, make_site


@pytest.mark.parametrize("name", SINKS)
def test_each_sink_in_the_table_runs_and_stops(name: str) -> None:
    sink: Sink = SINKS[name](make_site(), MqttConfig(port=free_port()))
    stop = threading.Event()
    stop.set()
    sink.run(stop)


def test_the_jsonl_sink_writes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    site = make_site()
    site.outbox.append(make_alert())
    stop = threading.Event()
    stop.set()
    SINKS["jsonl"](site, MqttConfig()).run(stop)
    assert json.loads(capsys.readouterr().out)["camera"] == "dock"


def test_the_table_imports_no_client() -> None:
    code = "import sys, streamwatch.sinks.sink; print('paho' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "False"
