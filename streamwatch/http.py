"""What streamwatch tells over HTTP: /metrics, /healthz, /readyz, the alerts and the evidence kept.

The event loop lives and ends inside :meth:`HttpServer.run`; endpoints run in its thread pool, so that a slow disk
holds up nobody else. Starlette and uvicorn are imported when a server is made.
"""

import asyncio
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streamwatch.config import HttpConfig
from streamwatch.errors import ConfigError, SinkError
from streamwatch.listening import CONNECTIONS, is_loopback, listen
from streamwatch.metrics import Metrics
from streamwatch.rules.alert import to_json
from streamwatch.sinks.outbox import Entry

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from uvicorn import Server

__all__ = ["AlertLog", "Health", "HttpServer", "Readiness", "read_token"]

SHORTEST_TOKEN = 16  # characters
_TICK = 0.1  # s
_GRACE = 1  # s for requests under way when we stop
_MEDIA = {"clip": "video/mp4", "snapshot": "image/jpeg", "json": "application/json"}
_PAGE = 100
_PAGE_LIMIT = 1000
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Readiness:
    """What works: ready if new alerts would be decided and kept; ``degraded`` says what is missing all the same.

    ``model`` names the pack that runs (None: not loaded), ``provider`` what runs it, ``store`` whether alerts can be
    written, ``cameras`` maps camera → its state, ``broker`` is the sink's state.
    """

    model: str | None
    provider: str
    store: bool
    cameras: Mapping[str, str]
    broker: str
    degraded: Sequence[str] = ()

    @property
    def ready(self) -> bool:
        """Whether new alerts would be decided and kept."""
        return self.model is not None and self.store


class Health(Protocol):
    """Who knows how the process is. Called from the server's threads; must not block."""

    def lost(self) -> Sequence[str]:
        """Names of the workers that died or hang; never a matter of cameras or the broker."""
        ...

    def readiness(self) -> Readiness:
        """The state of everything."""
        ...


class AlertLog(Protocol):
    """Alerts kept, acknowledged or not, under one instance's name."""

    @property
    def instance(self) -> str:
        """Whose sequence it is."""
        ...

    def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
        """Up to ``limit`` alerts above ``sequence``, oldest first. Raises SinkError."""
        ...


class HttpServer:
    """Listens from the moment it is made; ``run`` is a worker's body.

    Bound to loopback, all is open to this machine. Bound elsewhere, ``/api`` and the details of ``/readyz`` need
    ``token`` as bearer; without one they are refused. ``evidence(incident, kind)`` finds a file of an incident.
    Raises PortInUseError, or ConfigError for an address that is not ours.
    """

    def __init__(
        self,
        config: HttpConfig,
        metrics: Metrics,
        health: Health,
        alerts: AlertLog | None = None,
        *,
        token: str | None = None,
        evidence: Callable[[str, str], Path | None] = lambda incident, kind: None,
    ) -> None:
        self._host = config.host
        self._metrics = metrics
        self._health = health
        self._alerts = alerts
        self._token = token
        self._evidence = evidence
        self._local = is_loopback(config.host)
        self._socket = listen(config.host, config.port)
        self.address = self._socket.getsockname()[:2]
        self.pages: dict[str, Callable[[], object]] = {}  # further ones, as open as /metrics: path → what JSON holds

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop``; ends within about a second."""
        server = _server(self._app())
        try:
            asyncio.run(_serve(server, self._socket, stop))
        finally:
            self.close()

    def close(self) -> None:
        """Give the port back if ``run`` never did. Idempotent."""
        self._socket.close()

    def _app(self) -> "Starlette":
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(
            routes=[
                Route("/metrics", self._get_metrics),
                Route("/healthz", self._get_health),
                Route("/readyz", self._get_readiness),
                Route("/api/alerts", self._get_alerts),
                Route("/api/evidence/{incident}/{kind}", self._get_evidence),
                *(Route(path, self._page(content)) for path, content in self.pages.items()),
            ]
        )

    def _page(self, content: Callable[[], object]) -> "Callable[[Request], Response]":
        def get(request: "Request") -> "Response":
            return _json(content())

        return get

    def _get_metrics(self, request: "Request") -> "Response":
        from prometheus_client.exposition import choose_encoder
        from starlette.responses import Response

        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._metrics.registry), headers=_HEADERS | {"Content-Type": content_type})

    def _get_health(self, request: "Request") -> "Response":
        lost = list(self._health.lost())
        return _json({"status": "lost" if lost else "ok", "lost": lost}, 503 if lost else 200)

    def _get_readiness(self, request: "Request") -> "Response":
        readiness = self._health.readiness()
        status = 200 if readiness.ready else 503
        if self._refusal(request) is not None:
            return _json({"ready": readiness.ready}, status)
        return _json({"ready": readiness.ready, **asdict(readiness)}, status)

    def _get_alerts(self, request: "Request") -> "Response":
        refusal = self._refusal(request)
        if refusal is not None:
            return _json({"error": refusal}, 403)
        if self._alerts is None:
            return _json({"error": "alerts are not kept here"}, 404)
        try:
            after = _number(request, "after", 0, (1 << 63) - 1)
            limit = _number(request, "limit", _PAGE, _PAGE_LIMIT)
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        try:
            entries = self._alerts.alerts_after(after, limit)
        except SinkError:  # its text names a path
            return _json({"error": "the store cannot be read just now"}, 503)
        instance = self._alerts.instance
        alerts = list(_payloads(entries, instance))
        return _json({"instance": instance, "alerts": alerts, "next": entries[-1].sequence if entries else after})

    def _get_evidence(self, request: "Request") -> "Response":
        """A clip, snapshot or record; byte ranges are FileResponse's."""
        from starlette.responses import FileResponse

        refusal = self._refusal(request)
        if refusal is not None:
            return _json({"error": refusal}, 403)
        incident, kind = str(request.path_params["incident"]), str(request.path_params["kind"])
        path = self._evidence(incident, kind) if kind in _MEDIA else None
        if path is None:
            return _json({"error": "there is no such evidence"}, 404)
        return FileResponse(path, media_type=_MEDIA[kind], headers=_HEADERS)

    def _refusal(self, request: "Request") -> str | None:
        """Why ``request`` may not see details; None if it may."""
        if self._token is not None:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            return None if hmac.compare_digest(given.encode(), self._token.encode()) else "needs the bearer token"
        if not self._local:
            return "http.host is not a loopback address: a token is needed and none is configured"
        if not is_loopback(request.url.hostname or ""):  # a page whose name was made to point here
            return "the Host header does not name this machine"
        return None


def read_token(config: HttpConfig) -> str | None:
    """The bearer token in ``config.token_file``; None where none is configured. Raises ConfigError."""
    path = config.token_file
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"http.token_file: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"http.token_file: {path} is not UTF-8 text") from None  # its context would hold bytes
    if len(token) < SHORTEST_TOKEN:
        raise ConfigError(
            f"http.token_file: {path} holds {len(token)} characters; take {SHORTEST_TOKEN} or more, "
            "such as `openssl rand -hex 32` gives"
        )
    return token


async def _serve(server: "Server", listening: socket.socket, stop: threading.Event) -> None:
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    while not stop.is_set() and not serving.done():
        await asyncio.wait([serving], timeout=_TICK)
    server.should_exit = True
    await serving


def _server(app: "Starlette") -> "Server":
    from uvicorn import Config, Server

    return Server(
        Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=_GRACE,
        )
    )


def _json(content: object, status: int = 200) -> "Response":
    from starlette.responses import JSONResponse

    return JSONResponse(content, status_code=status, headers=_HEADERS)


def _payloads(entries: list[Entry], instance: str) -> Iterator[object]:
    for entry in entries:
        with suppress(ValueError):  # one alert that JSON cannot hold must not hide the others
            yield json.loads(to_json(entry.alert, instance, entry.sequence))


def _number(request: "Request", name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise ValueError(f"{name}: must be a whole number from 0 to {most}")
    return int(text)
