"""Certificates towards the broker: read before the first connect, and why a handshake failed in plain words."""

import ssl

from streamwatch.config import TlsConfig
from streamwatch.errors import ConfigError

__all__ = ["explain_tls", "read_certificates"]

_CHECK_CA = "check mqtt.tls.ca_file, or leave it out for the system's authorities"
_VERIFICATION = {  # OpenSSL's X509_V_ERR_…
    9: "the broker's certificate is not valid yet: are both clocks right?",
    10: "the broker's certificate has expired: renew it there (or set this machine's clock)",
    18: f"the broker shows a self-signed certificate that is not trusted here: {_CHECK_CA}",
    19: f"the broker's certificate comes from an authority that is not trusted here: {_CHECK_CA}",
    20: f"the broker's certificate comes from an authority that is not trusted here: {_CHECK_CA}",
    62: "the broker's certificate is for another name: mqtt.host must be one of those in it",
    64: "the broker's certificate is for another address: mqtt.host must be one of those in it",
}
_ALERTS = {  # what the broker's OpenSSL said of us; the prefix differs between versions
    "CERTIFICATE_REQUIRED": "the broker asks for a client certificate: set mqtt.tls.cert_file and key_file",
    "HANDSHAKE_FAILURE": "the broker refused the handshake; does it ask for a client certificate (mqtt.tls.cert_file)?",
    "UNKNOWN_CA": "the broker does not trust the authority of mqtt.tls.cert_file",
    "CERTIFICATE_EXPIRED": "the broker says that mqtt.tls.cert_file has expired",
    "CERTIFICATE_REVOKED": "the broker says that mqtt.tls.cert_file was revoked",
    "BAD_CERTIFICATE": "the broker does not accept mqtt.tls.cert_file",
    "WRONG_VERSION_NUMBER": "the port answers without TLS: check mqtt.port (8883 is usual), or leave out mqtt.tls",
    "RECORD_LAYER_FAILURE": "the port answers without TLS: check mqtt.port (8883 is usual), or leave out mqtt.tls",
}


def read_certificates(tls: TlsConfig) -> ssl.SSLContext:
    """A context that checks the broker's certificate and name, and shows ours if there is one.

    Raises ConfigError for files that are missing, unreadable, no certificates, or a key with a pass phrase.
    """
    named = {"ca_file": tls.ca_file, "cert_file": tls.cert_file, "key_file": tls.key_file}
    for key, path in named.items():
        if path is not None and not path.is_file():
            raise ConfigError(f"mqtt.tls.{key}: there is no file {path}")
    if tls.key_file is not None and tls.cert_file is None:
        raise ConfigError("mqtt.tls.key_file: is set, but mqtt.tls.cert_file is not")
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:  # an empty pass phrase, so that OpenSSL does not ask for one on the terminal
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(str(path) for path in named.values() if path is not None)
        raise ConfigError(f"mqtt.tls: cannot use {files}: {error}; keys must have no pass phrase") from error
    return context


def explain_tls(error: ssl.SSLError) -> str:
    """One line that says what is wrong and where to mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, f"the broker's certificate: {error.verify_message}")
    reason: str = getattr(error, "reason", None) or ""  # not all of them have one
    found = next((text for key, text in _ALERTS.items() if reason.endswith(key)), None)
    return found or f"TLS: {reason.replace('_', ' ').lower() or error}"
