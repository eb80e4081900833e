import dataclasses
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from streamwatch.config import HttpConfig
from streamwatch.errors import ConfigError, PortInUseError, SinkError
from streamwatch.http import AlertLog, HttpServer, Readiness, read_token
from streamwatch.metrics import Metrics
from streamwatch.sinks.outbox import Entry
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, free_port, make_alert


class Well:
    """A pipeline that is well, or says what is lost."""

    def __init__(self, lost: Sequence[str] = (), model: str | None = "bundled 1", store: bool = True) -> None:
        self._lost = lost
        self._readiness = Readiness(model, "cpu", store, {"dock": "online"}, "connected", ["alerts are only buffered"])

    def lost(self) -> Sequence[str]:
        return self._lost

    def readiness(self) -> Readiness:
        return self._readiness


class Log:
    """Ten alerts, or a store that cannot be read."""

    instance = "test"

    def __init__(self, broken: bool = False) -> None:
        self._broken = broken

    def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
        if self._broken:
            raise SinkError("/secret/path: disk I/O error")
        return [Entry(n, make_alert(n), 1.0) for n in range(1, 11)][sequence : sequence + limit]


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)


Get = Callable[..., Answer]
Serve = Callable[..., Get]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers; each gives a function that gets a path from it."""
    workers: list[Worker] = []

    def start(
        health: Well | None = None, alerts: AlertLog | None = None, host: str = "127.0.0.1", token: str | None = None
    ) -> Get:
        config = HttpConfig(host=host, port=free_port())
        server = HttpServer(config, Metrics(), health or Well(), alerts, token=token)
        worker = Worker("http", server.run)
        workers.append(worker)
        worker.start()

        def get(path: str, method: str = "GET", **headers: str) -> Answer:
            connection = HTTPConnection("127.0.0.1", config.port, timeout=LIMIT)
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            body = response.read()
            connection.close()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)

        return get

    yield start
    for worker in workers:
        worker.stop()
        assert worker.join(LIMIT)
        assert worker.error is None, worker.trace


class TestMetricsPage:
    def test_is_prometheus_text(self, serve: Serve) -> None:
        answer = serve()("/metrics")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert b"# TYPE streamwatch_mqtt_connected gauge" in answer.body

    def test_is_openmetrics_for_who_asks(self, serve: Serve) -> None:
        answer = serve()("/metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.body.endswith(b"# EOF\n")


class TestHealth:
    def test_is_well_while_no_worker_is_lost(self, serve: Serve) -> None:
        answer = serve(Well(model=None, store=False))("/healthz")
        assert (answer.status, answer.json()) == (200, {"status": "ok", "lost": []})

    def test_names_the_workers_that_are_lost(self, serve: Serve) -> None:
        answer = serve(Well(lost=["inference"]))("/healthz")
        assert (answer.status, answer.json()) == (503, {"status": "lost", "lost": ["inference"]})


class TestReadiness:
    def test_says_all(self, serve: Serve) -> None:
        answer = serve()("/readyz")
        assert answer.status == 200
        assert answer.json() == {
            "ready": True, "model": "bundled 1", "provider": "cpu", "store": True, "cameras": {"dock": "online"},
            "broker": "connected", "degraded": ["alerts are only buffered"],
        }  # fmt: skip

    @pytest.mark.parametrize("health", [Well(model=None), Well(store=False)])
    def test_is_not_ready_without_a_model_or_a_store(self, serve: Serve, health: Well) -> None:
        answer = serve(health)("/readyz")
        assert (answer.status, answer.json()["ready"]) == (503, False)


class TestAlerts:
    def test_come_in_pages(self, serve: Serve) -> None:
        get = serve(alerts=Log())
        first = get("/api/alerts?limit=4").json()
        assert [alert["sequence"] for alert in first["alerts"]] == [1, 2, 3, 4]
        assert (first["instance"], first["next"]) == ("test", 4)
        assert first["alerts"][0]["schema"] == "streamwatch.alert/1"
        assert len(get("/api/alerts?after=4").json()["alerts"]) == 6
        assert get("/api/alerts?after=10").json() == {"instance": "test", "alerts": [], "next": 10}

    @pytest.mark.parametrize(
        "query", ["after=-1", "after=x", "after=1e3", "limit=1001", f"after={'9' * 30}", "after=%D9%A1"]
    )
    def test_refuses_numbers_that_are_none(self, serve: Serve, query: str) -> None:
        answer = serve(alerts=Log())(f"/api/alerts?{query}")
        assert answer.status == 400
        assert "must be a whole number" in answer.json()["error"]

    def test_a_broken_store_is_said_without_its_path(self, serve: Serve) -> None:
        answer = serve(alerts=Log(broken=True))("/api/alerts")
        assert answer.status == 503
        assert b"secret" not in answer.body

    def test_an_alert_that_no_json_can_hold_hides_no_other(self, serve: Serve) -> None:
        class Spoilt(Log):
            def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
                first, *others = super().alerts_after(sequence, limit)
                return [dataclasses.replace(first, alert=dataclasses.replace(first.alert, score=float("nan"))), *others]

        answer = serve(alerts=Spoilt())("/api/alerts?limit=3").json()
        assert [alert["sequence"] for alert in answer["alerts"]] == [2, 3]
        assert answer["next"] == 3

    def test_where_none_are_kept_there_are_none(self, serve: Serve) -> None:
        assert serve()("/api/alerts").status == 404


class TestAccess:
    def test_bound_elsewhere_without_a_token_only_health_and_metrics_are_told(self, serve: Serve) -> None:
        get = serve(alerts=Log(), host="0.0.0.0")
        assert get("/healthz").status == get("/metrics").status == 200
        assert get("/api/alerts").status == 403
        ready = get("/readyz")
        assert (ready.status, ready.json()) == (200, {"ready": True}), "enough for an orchestrator, no details"

    def test_bound_elsewhere_the_token_opens(self, serve: Serve) -> None:
        get = serve(alerts=Log(), host="0.0.0.0", token="S3CR3T")
        assert get("/api/alerts", Authorization="Bearer S3CR3T").status == 200
        assert get("/readyz", Authorization="Bearer S3CR3T").json()["provider"] == "cpu"
        for wrong in ("Bearer other", "Bearer ", "", "Basic S3CR3", "Bearer \xff"):
            assert get("/api/alerts", Authorization=wrong).status == 403

    def test_a_page_whose_name_was_made_to_point_here_gets_nothing(self, serve: Serve) -> None:
        get = serve(alerts=Log())
        assert get("/api/alerts", Host="evil.example").status == 403
        assert get("/readyz", Host="evil.example").json() == {"ready": True}
        assert get("/api/alerts", Host="localhost:9108").status == 200

    def test_headers_are_small_and_strict(self, serve: Serve) -> None:
        get = serve()
        for path in ("/metrics", "/healthz", "/readyz", "/api/alerts"):
            headers = get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "server" not in headers

    @pytest.mark.parametrize(
        ("method", "path", "status"), [("POST", "/metrics", 405), ("GET", "/", 404), ("GET", "/docs", 404)]
    )
    def test_nothing_else_is_there(self, serve: Serve, method: str, path: str, status: int) -> None:
        assert serve()(path, method).status == status


class TestLife:
    def test_a_port_in_use_is_refused_before_anything_runs(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{port}.*http\.port"):
                HttpServer(HttpConfig(port=port), Metrics(), Well())

    @pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
    def test_an_address_that_is_not_ours_is_refused(self, host: str) -> None:
        with pytest.raises(ConfigError, match=r"http"):
            HttpServer(HttpConfig(host=host, port=free_port()), Metrics(), Well())

    def test_gives_the_port_back(self) -> None:
        config = HttpConfig(port=free_port())
        for _ in range(2):
            server = HttpServer(config, Metrics(), Well())
            server.close()
            server.close()
        server = HttpServer(config, Metrics(), Well())
        stop = threading.Event()
        stop.set()
        server.run(stop)
        HttpServer(config, Metrics(), Well()).close()

    def test_stops_soon_though_a_client_says_nothing(self) -> None:
        config = HttpConfig(port=free_port())
        server = HttpServer(config, Metrics(), Well())
        worker = Worker("http", server.run)
        worker.start()
        with socket.create_connection(("127.0.0.1", config.port), timeout=LIMIT) as silent:
            silent.sendall(b"GET /healthz HTTP/1.1\r\n")
            time.sleep(0.3)
            begun = time.monotonic()
            worker.stop()
            assert worker.join(LIMIT)
            assert time.monotonic() - begun < 4.0
        assert worker.error is None

    def test_a_slow_answer_holds_up_nobody(self, serve: Serve) -> None:
        release = threading.Event()

        class Slow(Log):
            def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
                assert release.wait(LIMIT)
                return []

        get = serve(alerts=Slow())
        waiting = threading.Thread(target=get, args=["/api/alerts"])
        waiting.start()
        assert get("/healthz").status == 200
        assert waiting.is_alive()
        release.set()
        waiting.join(LIMIT)


class TestToken:
    def test_is_read_without_its_line_end(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        path.write_text("0123456789abcdef\n")
        assert read_token(HttpConfig(token_file=path)) == "0123456789abcdef"
        assert read_token(HttpConfig()) is None

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "cannot read"),
            (b"", "holds 0 characters"),
            (b"short", "holds 5 characters"),
            (b"\xff" * 20, "not UTF-8"),
        ],
    )
    def test_a_bad_file_is_refused(self, tmp_path: Path, content: bytes | None, message: str) -> None:
        path = tmp_path / "token"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match=message):
            read_token(HttpConfig(token_file=path))
