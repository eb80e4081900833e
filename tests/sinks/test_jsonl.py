import io
import json
import threading

import pytest

from streamwatch.sinks.jsonl import JsonlSink
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, make_alert, make_site, wait_for


def test_writes_each_alert_as_a_line_and_acknowledges_it() -> None:
    site, stream = make_site(), io.StringIO()
    worker = Worker("sink:jsonl", JsonlSink(site, stream).run)
    worker.start()
    for number in range(250):
        site.outbox.append(make_alert(number))
    wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "all are written")
    worker.stop()
    assert worker.join(LIMIT)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, 251))
    assert lines[0]["schema"] == "streamwatch.alert/1"
    assert lines[0]["instance"] == "test"


def test_writes_what_is_left_when_stopped() -> None:
    site, stream = make_site(), io.StringIO()
    for number in range(250):
        site.outbox.append(make_alert(number))
    stop = threading.Event()
    stop.set()
    JsonlSink(site, stream).run(stop)
    assert len(stream.getvalue().splitlines()) == 250


def test_what_could_not_be_written_stays() -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError("no space left")

    site = make_site()
    site.outbox.append(make_alert())
    stop = threading.Event()
    with pytest.raises(OSError, match="no space"):
        JsonlSink(site, Full()).run(stop)
    assert len(site.outbox.pending(0, 1, 0.0)) == 1
