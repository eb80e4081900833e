"""Addresses and passwords that must not be seen: their repr is redacted."""

from urllib.parse import SplitResult, urlsplit, urlunsplit

__all__ = ["SecretUrl"]


class SecretUrl:
    """A URL whose ``str`` and ``repr`` hide user, password and query; ``reveal()`` gives the whole.

    Parsed with urlsplit: credentials such as ``cam.user:``, ``us%40er:`` or ``:pw@`` defeat regular expressions.
    """

    __slots__ = ("_parts", "_url")

    def __init__(self, url: str) -> None:
        self._url = url
        self._parts: SplitResult = urlsplit(url)

    @property
    def scheme(self) -> str:
        """The scheme in lower case, '' where there is none."""
        return self._parts.scheme.lower()

    def reveal(self) -> str:
        """The whole URL, password included: for the library that connects, never for a message."""
        return self._url

    def redact(self, text: str) -> str:
        """``text`` (such as a library's error message) without this URL's secrets."""
        secrets = {self._url: str(self), self._parts.netloc.rpartition("@")[0]: "***"}
        secrets |= {part: "***" for part in (self._parts.password, self._parts.query) if part}
        for secret in sorted((s for s in secrets if s), key=len, reverse=True):
            text = text.replace(secret, secrets[secret])
        return text

    def __str__(self) -> str:
        host = self._parts.netloc.rpartition("@")[2]
        netloc = f"***@{host}" if "@" in self._parts.netloc else host
        query = self._parts.query if self.scheme == "synthetic" else "***" * bool(self._parts.query)
        return urlunsplit(self._parts._replace(netloc=netloc, query=query))

    def __repr__(self) -> str:
        return f"SecretUrl({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretUrl) and other._url == self._url

    def __hash__(self) -> int:
        return hash(self._url)
