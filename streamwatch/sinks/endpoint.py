"""Which broker, and what to show it: everything that can be wrong about it is found before the first connect."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from streamwatch.config import MqttConfig
from streamwatch.errors import ConfigError
from streamwatch.sinks.tls import read_certificates

__all__ = ["Endpoint"]

_PASSWORD_LIMIT = 4096  # bytes
_VERSIONS = {"auto": (5, 4), "5": (5,), "3.1.1": (4,)}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A broker's address, our name there, credentials and certificates. The password is in no repr."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    embedded: bool = False
    versions: tuple[int, ...] = (5, 4)  # of MQTT, in the order in which they are tried; 4 is 3.1.1

    @classmethod
    def read(cls, config: MqttConfig) -> "Endpoint":
        """The endpoint that ``config`` describes; without a host the embedded broker on this machine.

        Raises ConfigError for files that cannot be read and names that cannot be looked up.
        """
        host = config.host or "127.0.0.1"
        try:
            host.encode("idna")
        except UnicodeError:
            raise ConfigError(f"mqtt.host: {host!r} is not a host name or address") from None
        if config.password_file is not None and config.username is None:
            raise ConfigError("mqtt.password_file: is set, but mqtt.username is not; MQTT has no password without one")
        if config.host is None and config.protocol == "5":
            raise ConfigError("mqtt.protocol: the embedded broker speaks 3.1.1; set mqtt.host, or leave protocol out")
        if config.format == "cloudevents-binary" and (config.host is None or config.protocol == "3.1.1"):
            raise ConfigError("mqtt.format: cloudevents-binary needs a broker that speaks MQTT 5; use cloudevents")
        return cls(
            host=host,
            port=config.port,
            client_id=config.client_id,
            username=config.username,
            password=None if config.password_file is None else _password(config.password_file),
            tls=None if config.tls is None else read_certificates(config.tls),
            embedded=config.host is None,
            versions=(4,) if config.host is None else _VERSIONS[config.protocol],
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _password(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_PASSWORD_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"mqtt.password_file: cannot read {path}: {error.strerror}") from error
    if len(content) > _PASSWORD_LIMIT:
        raise ConfigError(f"mqtt.password_file: {path} holds more than {_PASSWORD_LIMIT} bytes; is it the right file?")
    try:
        password = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigError(f"mqtt.password_file: {path} is not UTF-8 text") from None  # its context would hold bytes
    if not password:
        raise ConfigError(f"mqtt.password_file: {path} is empty")
    return password
