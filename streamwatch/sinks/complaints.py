"""What went wrong, said once: a broker that is away for a night, or a stranger's flood, must not fill the log."""

import logging
from collections import deque

__all__ = ["Complaints"]

log = logging.getLogger(__name__)

_REMEMBERED = 8  # texts
_BURST = 5.0  # lines at once, then
_PER_SECOND = 0.1


class Complaints:
    """Warnings about one ``subject``: none that was said lately, and few of those that differ. Time is an argument."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._said: deque[str] = deque(maxlen=_REMEMBERED)
        self._allowance = _BURST
        self._when = 0.0
        self._unsaid = 0

    def say(self, text: str, at: float) -> None:
        """Log ``text`` unless it is among the last that were; ``at``: monotonic seconds."""
        if text in self._said:
            return
        self._allowance = min(_BURST, self._allowance + max(0.0, at - self._when) * _PER_SECOND)
        self._when = at
        if self._allowance < 1.0:
            self._unsaid += 1
            return
        self._allowance -= 1.0
        self._said.append(text)
        log.warning("%s: %s%s", self._subject, text, f" ({self._unsaid} more not shown)" if self._unsaid else "")
        self._unsaid = 0

    def forget(self) -> None:
        """All is well: if it goes wrong again that is news."""
        self._said.clear()
