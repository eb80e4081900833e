"""Whether two configurations are the same: of one file, whichever process read it."""

import hashlib
import json

from streamwatch.config import Config
from streamwatch.secret import SecretUrl

__all__ = ["digest_of"]


def digest_of(config: Config) -> str:
    """SHA-256, in hexadecimal, of all that ``config`` says, passwords included."""
    said = json.dumps(config.model_dump(), sort_keys=True, default=_plain)
    return hashlib.sha256(said.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, SecretUrl):
        return value.reveal()
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)
