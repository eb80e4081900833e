"""Pictures that the broker should retain: newest per topic, said only while nothing more urgent waits."""

import logging
import threading

__all__ = ["SIZE_LIMIT", "Pictures"]

log = logging.getLogger(__name__)

SIZE_LIMIT = 256 << 10  # bytes: small enough for any broker, and no alert behind it waits long
_LOSSES = 3  # connections running that ended with a picture under way: this broker takes none


class Pictures:
    """Newest picture per topic, one at a time on its way. Bounded by the number of topics; any thread may ``set``.

    A broker that hangs up on pictures must not lose us alerts: after three times in a row it gets none any more.
    """

    def __init__(self) -> None:
        self._wanted: dict[str, bytes] = {}
        self._unsaid: dict[str, None] = {}
        self._current: str | None = None  # on its way
        self._losses = 0
        self._lock = threading.Lock()

    def set(self, topic: str, picture: bytes) -> None:
        """Have ``picture`` retained under ``topic``. Raises ValueError beyond SIZE_LIMIT."""
        if len(picture) > SIZE_LIMIT:
            raise ValueError(f"{topic}: {len(picture)} bytes are more than {SIZE_LIMIT}")
        with self._lock:
            if self._losses < _LOSSES:
                self._wanted[topic] = picture
                self._unsaid[topic] = None

    def say_all_again(self) -> None:
        """A new connection: the broker may have forgotten them."""
        with self._lock:
            self._unsaid = dict.fromkeys(self._wanted)

    def take(self) -> tuple[str, bytes] | None:
        """The one that has waited longest; None while one is on its way or none waits."""
        with self._lock:
            topic = None if self._current is not None else next(iter(self._unsaid), None)
            if topic is None:
                return None
            del self._unsaid[topic]
            self._current = topic
            return topic, self._wanted[topic]

    def put_back(self) -> None:
        """The one that was taken was not handed over."""
        with self._lock:
            if self._current is not None:
                self._unsaid[self._current] = None
                self._current = None

    def answered(self, topic: str) -> None:
        """The broker has answered, yes or no, what was under ``topic``; other topics are ignored."""
        with self._lock:
            if topic == self._current:
                self._current = None
                self._losses = 0

    def lost(self) -> None:
        """The connection ended; what was on its way is said again on the next, unless it keeps ending so."""
        with self._lock:
            topic, self._current = self._current, None
            if topic is None:
                return
            self._losses += 1
            self._unsaid[topic] = None
            if self._losses < _LOSSES:
                return
            self._wanted.clear()
            self._unsaid.clear()
        log.error("the broker hangs up when it is sent pictures; it gets no more of them. Raise its limit of payloads")
