"""Which broker, and what to show it: everything that can be wrong about it is found before the first connect."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from streamwatch.config import MqttConfig, TlsConfig
from streamwatch.errors import ConfigError

__all__ = ["Endpoint"]

_PASSWORD_LIMIT = 4096  # bytes


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
        return cls(
            host=host,
            port=config.port,
            client_id=config.client_id,
            username=config.username,
            password=None if config.password_file is None else _password(config.password_file),
            tls=None if config.tls is None else _context(config.tls),
            embedded=config.host is None,
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


def _context(tls: TlsConfig) -> ssl.SSLContext:
    named = {"ca_file": tls.ca_file, "cert_file": tls.cert_file, "key_file": tls.key_file}
    for key, path in named.items():
        if path is not None and not path.is_file():
            raise ConfigError(f"mqtt.tls.{key}: there is no file {path}")
    if tls.key_file is not None and tls.cert_file is None:
        raise ConfigError("mqtt.tls.key_file: is set, but mqtt.tls.cert_file is not")
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(str(path) for path in named.values() if path is not None)
        raise ConfigError(f"mqtt.tls: cannot use {files}: {error}") from error
    return context
