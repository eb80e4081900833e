"""The configuration: pydantic models, defaults, and errors that name file, path, value and the nearest right word."""

import socket
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from streamwatch.document import nearest, read_document
from streamwatch.errors import ConfigError
from streamwatch.secret import SecretUrl

__all__ = [
    "SCHEMES",
    "CameraConfig",
    "ClusterConfig",
    "Config",
    "EventConfig",
    "EvidenceConfig",
    "GpuConfig",
    "HealthConfig",
    "HttpConfig",
    "MqttConfig",
    "OutboxConfig",
    "Polygon",
    "ScoresConfig",
    "TlsConfig",
    "ZoneConfig",
    "explain",
    "load_config",
]

SCHEMES = ("rtsp", "rtsps", "http", "https", "file", "device", "synthetic")
NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME)]
Point = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]
Polygon = Annotated[list[Point], Field(min_length=3, max_length=64)]
Port = Annotated[int, Field(ge=1, le=65535)]


def _url(value: object) -> SecretUrl:
    if isinstance(value, SecretUrl):
        value = value.reveal()
    if not isinstance(value, str):
        raise ValueError("must be a string such as rtsp://host/stream")
    try:
        url = SecretUrl(value)
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if url.scheme not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise ValueError(f"scheme {url.scheme!r} is not one of {known}{nearest(url.scheme, SCHEMES)}")
    return url


def _store_url(value: object) -> SecretUrl | None:
    if value is None or isinstance(value, SecretUrl):
        return value
    url = SecretUrl(value) if isinstance(value, str) else None
    if url is None or url.scheme not in ("postgresql", "postgres"):
        raise ValueError("must be a string such as postgresql://user:${PASSWORD}@host/database")
    return SecretUrl(url.reveal().replace("postgres://", "postgresql://", 1))


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)


class ZoneConfig(_Model):
    """A named polygon in 0–1 coordinates of the picture, (x, y) from the upper left."""

    name: Name
    polygon: Polygon


class HealthConfig(_Model):
    """Which states of its picture a camera is watched for; `moved: false` for one that turns by itself (PTZ)."""

    frozen: bool = True
    covered: bool = True
    dark: bool = True
    moved: bool = True
    blurred: bool = True


class CameraConfig(_Model):
    """A configured place that yields frames."""

    name: Name
    url: Annotated[SecretUrl, BeforeValidator(_url, json_schema_input_type=str)]
    transport: Literal["tcp", "udp"] = "tcp"
    decode: Literal["all", "auto"] = "all"
    hwaccel: Literal["none", "cuda", "qsv", "vaapi", "videotoolbox", "d3d11va"] = "none"
    deblock: Annotated[bool, Field(description="false: H.264 without its loop filter, a little different")] = True
    enabled: bool = True
    open_timeout: Annotated[float, Field(gt=0, le=120, description="seconds")] = 5.0
    read_timeout: Annotated[float, Field(gt=0, le=120, description="seconds")] = 5.0
    zones: list[ZoneConfig] = []
    privacy_masks: list[Polygon] = []
    health: HealthConfig = HealthConfig()

    @model_validator(mode="after")
    def _distinct(self) -> "CameraConfig":
        _refuse_repeats("zone", [zone.name for zone in self.zones])
        return self


class EventConfig(_Model):
    """A further event, defined by text."""

    name: Name
    prompts: Annotated[list[str], Field(min_length=1, max_length=32)]
    against: Annotated[list[str], Field(max_length=32)] = []


class TlsConfig(_Model):
    """Certificates for the broker's connection; an empty mapping uses the system's authorities."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class MqttConfig(_Model):
    """The broker; without ``host`` an embedded one on 127.0.0.1."""

    host: str | None = None
    port: Port = 1883
    username: str | None = None
    password_file: Path | None = None
    tls: TlsConfig | None = None
    protocol: Annotated[Literal["auto", "3.1.1", "5"], Field(description="auto: 5, else 3.1.1")] = "auto"
    format: Annotated[Literal["json", "cloudevents", "cloudevents-binary"], Field(description="of alerts")] = "json"
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", max_length=128)] = "streamwatch"
    client_id: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        default_factory=lambda: f"streamwatch-{socket.gethostname()}"
    )
    commands: Annotated[bool, Field(description="accept commands: enabled/set, replay/request, rules/reload")] = False
    discovery: Literal["homeassistant", "off"] = "off"
    readings_every: Annotated[float, Field(ge=0, le=3600, description="s between scores and rates; 0: none")] = 5.0

    @field_validator("protocol", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return "5" if value == 5 and not isinstance(value, bool) else value

    @field_validator("discovery", mode="before")
    @classmethod
    def _boolean_off(cls, value: object) -> object:
        return "off" if value is False else value


class HttpConfig(_Model):
    """Where /metrics, /healthz and /readyz listen; beyond loopback the rest needs the token in ``token_file``."""

    host: str = "127.0.0.1"
    port: Port = 9108
    token_file: Path | None = None


class ScoresConfig(_Model):
    """The score log in ``data_dir``/scores; the oldest hours go when either limit is reached."""

    enabled: bool = True
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    max_bytes: Annotated[ByteSize, Field(ge=1_000_000, description="bytes, or with a unit: 5GB")] = ByteSize(5 * 10**9)


class OutboxConfig(_Model):
    """What may wait for the broker; beyond that the oldest of the least grave are given up.

    Without ``url`` it is a file in `data_dir`; with it, the rows of `instance` in PostgreSQL.
    """

    url: Annotated[SecretUrl | None, BeforeValidator(_store_url, json_schema_input_type=str | None)] = None
    instance: Annotated[
        str | None, Field(min_length=1, max_length=128, description="in PostgreSQL; left out: mqtt.client_id")
    ] = None
    max_rows: Annotated[int, Field(ge=1)] = 1_000_000
    max_bytes: Annotated[ByteSize, Field(ge=1_000_000, description="bytes, or with a unit: 1GB")] = ByteSize(10**9)
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 30.0


class EvidenceConfig(_Model):
    """Clips, snapshots and records in ``data_dir``/evidence; the oldest go when either limit is reached."""

    enabled: bool = True
    pre_s: Annotated[float, Field(ge=0, le=60, description="seconds before the incident")] = 5.0
    post_s: Annotated[float, Field(ge=0, le=60, description="seconds after it")] = 5.0
    max_s: Annotated[float, Field(gt=0, le=3600, description="seconds of a clip; a longer one is cut")] = 120.0
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 14.0
    max_bytes: Annotated[ByteSize, Field(ge=1_000_000, description="bytes, or with a unit: 20GB")] = ByteSize(
        20 * 10**9
    )
    min_free: Annotated[ByteSize, Field(ge=0, description="free on the disk, else none is written")] = ByteSize(10**9)


class GpuConfig(_Model):
    """What the providers ``cuda`` and ``tensorrt`` do; nothing on a CPU."""

    cuda_graph: Annotated[bool, Field(description="provider cuda: launch each batch as one recorded graph")] = False


class ClusterConfig(_Model):
    """Beyond one machine (`run --cluster`): where each host's /metrics listens, and how long leases last."""

    host: Annotated[str, Field(description="address that a host's /metrics binds to; node: the node's own")] = (
        "127.0.0.1"
    )
    lease: Annotated[float, Field(ge=2, le=60, description="s of silence until others read a host's cameras")] = 4.0
    scorers: Annotated[int, Field(ge=0, le=64, description="on each GPU, shared by all hosts; 0: none")] = 0
    hold: Annotated[float, Field(ge=10, le=86_400, description="s that a host reads on without a site")] = 600.0


class Config(_Model):
    """``streamwatch.yml``. Only ``cameras`` is required."""

    model: str = "bundled"
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    strict_provider: bool = False
    gpu: GpuConfig = GpuConfig()
    data_dir: Path = Path("./streamwatch-data")
    cameras: Annotated[list[CameraConfig], Field(min_length=1, max_length=1024)]
    events: list[EventConfig] = []
    rules: list[Path] = [Path("rules/")]
    mqtt: MqttConfig = MqttConfig()
    http: HttpConfig = HttpConfig()
    scores: ScoresConfig = ScoresConfig()
    outbox: OutboxConfig = OutboxConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    cluster: ClusterConfig = ClusterConfig()

    @model_validator(mode="after")
    def _distinct(self) -> "Config":
        _refuse_repeats("camera", [camera.name for camera in self.cameras])
        _refuse_repeats("event", [event.name for event in self.events])
        return self


def _refuse_repeats(kind: str, names: list[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ValueError(f"{kind} name {name!r} is used twice")


def load_config(path: Path) -> Config:
    """The configuration in ``path``. Relative paths in it stay relative to the working directory.

    Raises ConfigError with every fault found, one a line.
    """
    document = read_document(path)
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: must be a mapping with at least 'cameras:', not {_kind(document)}")
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError(explain(error, str(path), Config)) from None  # its context would hold the input


def explain(error: ValidationError, where: str, model: type[BaseModel]) -> str:
    """pydantic's findings as one line each: file, path, what is wrong, what was likely meant. Never the input."""
    lines = []
    for found in error.errors(include_url=False, include_input=False):
        keys = found["loc"]
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
        message = found["msg"].removeprefix("Value error, ")
        if found["type"] == "tuple_type":
            message = "must be a list, such as [a, b]"
        if found["type"] == "extra_forbidden":
            message = "unknown key" + nearest(str(keys[-1]), _keys(model, keys[:-1]))
        lines.append(f"{where}: {path}: {message}" if path else f"{where}: {message}")
    return "\n".join(lines)


def _keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that the model at ``path`` inside ``model`` accepts."""
    for key in path:
        field = model.model_fields.get(str(key))
        inner = _model_in(field.annotation) if field is not None else None
        model = inner or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _kind(value: object) -> str:
    return {dict: "a mapping", list: "a list", str: "a string", type(None): "empty"}.get(type(value), str(value))
