"""Everything streamwatch raises on purpose.

::

    StreamwatchError
    ├── ConfigError          a configuration, rule file or command line that cannot be used (exit 78)
    │   └── RuleError        … inside a rule file
    ├── PackError            a model pack that is unreadable, incomplete or altered (exit 78)
    ├── ProviderError        the execution provider asked for is not the one that runs (exit 78)
    ├── PortInUseError       a listening address that another process holds (exit 78)
    ├── SourceError          a camera that cannot be opened or stopped delivering; retried by its thread
    │   ├── AuthenticationError    the camera refused the credentials
    │   └── EndOfStreamError       the stream ended: for a live camera a fault, for a file its end
    ├── InferenceError       a session that failed on a batch
    │   └── ScorerLostError        … or that another machine held and that does not answer
    ├── OrderError           an acknowledgement or snooze that cannot be carried out; nothing changed
    ├── WorkerLostError      a thread that ended or hangs, and only a new process helps
    ├── EvidenceError        a clip, snapshot or record that could not be made; the incident has none, the alert goes on
    ├── SinkError            an alert could not be handed on; retried from the outbox
    ├── ProbeError           a running streamwatch that does not answer
    ├── TrainingError        data, a checkpoint or a state that training cannot use
    └── MailboxClosedError   the other side of a mailbox is gone: stop, nothing more will come

A message says what, where, which value and what to do; it never holds a password.
"""

__all__ = [
    "AuthenticationError",
    "ConfigError",
    "EndOfStreamError",
    "EvidenceError",
    "InferenceError",
    "MailboxClosedError",
    "OrderError",
    "PackError",
    "PortInUseError",
    "ProbeError",
    "ProviderError",
    "RuleError",
    "ScorerLostError",
    "SinkError",
    "SourceError",
    "StreamwatchError",
    "TrainingError",
    "WorkerLostError",
]


class StreamwatchError(Exception):
    """Base of all errors that streamwatch raises on purpose."""


class ConfigError(StreamwatchError):
    """A configuration that cannot be used; the message names file, path, value and the nearest right word."""


class RuleError(ConfigError):
    """A rule that cannot be used; the message names file and path inside it."""


class PackError(StreamwatchError):
    """A model pack that is unreadable, incomplete or altered."""


class ProviderError(StreamwatchError):
    """The execution provider asked for is not the one that runs."""


class PortInUseError(StreamwatchError):
    """A listening address that another process holds."""


class SourceError(StreamwatchError):
    """A camera that cannot be opened or stopped delivering. ``reason`` is short, bounded and used as a label."""

    def __init__(self, message: str, reason: str = "error") -> None:
        super().__init__(message)
        self.reason = reason


class AuthenticationError(SourceError):
    """The camera refused the credentials."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="unauthorized")


class EndOfStreamError(SourceError):
    """The stream ended: for a live camera a fault, for a file its end."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="end_of_stream")


class InferenceError(StreamwatchError):
    """A session that failed on a batch."""


class ScorerLostError(InferenceError):
    """A scorer on another machine does not answer; another one may, or the own session does."""


class OrderError(StreamwatchError):
    """An acknowledgement or a snooze that cannot be carried out; nothing changed."""


class WorkerLostError(StreamwatchError):
    """A thread that ended or hangs; only a new process helps."""


class EvidenceError(StreamwatchError):
    """A clip, a snapshot or a record that could not be made or found; alerts do not depend on it."""


class SinkError(StreamwatchError):
    """An alert could not be handed on; it stays in the outbox and is tried again. ``busy``: somebody holds a lock."""

    def __init__(self, message: str, busy: bool = False) -> None:
        super().__init__(message)
        self.busy = busy


class ProbeError(StreamwatchError):
    """A running streamwatch that does not answer."""


class TrainingError(StreamwatchError):
    """Data, a checkpoint or a state that training cannot use."""


class MailboxClosedError(StreamwatchError):
    """The other side of a mailbox is gone: stop, nothing more will come."""
