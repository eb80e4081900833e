"""One mapping of a condition while it is read: where it stands, what may be said in it, how to refuse it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from streamwatch.config import explain
from streamwatch.document import nearest
from streamwatch.errors import RuleError
from streamwatch.rules.condition import Term
from streamwatch.rules.vocabulary import Vocabulary

__all__ = ["MAX_PARTS", "Node"]

MAX_PARTS = 64
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Node:
    """``where`` is file and path (``fall.yml: rules[0].when.all[1]``); ``cameras`` are the rule's globs;
    ``parse(value, where, cameras)`` reads a condition inside this one.
    """

    mapping: Mapping[str, object]
    where: str
    vocabulary: Vocabulary
    cameras: tuple[str, ...]
    parse: Callable[[object, str, tuple[str, ...]], Term]

    def read(self, model: type[M]) -> M:
        """The mapping as ``model``. Raises RuleError with every fault found.

        A truth value is no number: ``on: true`` is a slip, not 1.
        """
        for name, field in model.model_fields.items():
            key = field.alias or name
            value = self.mapping.get(key)
            if isinstance(value, bool) and field.annotation is not bool:
                raise RuleError(f"{self.where}.{key}: must not be {str(value).lower()}")
        try:
            return model.model_validate(self.mapping)
        except ValidationError as error:
            raise RuleError(explain(error, self.where, model)) from None

    def only(self, key: str) -> None:
        """Refuse whatever stands beside ``key``."""
        for other in self.mapping:
            if other != key:
                raise RuleError(
                    f"{self.where}: unknown key {str(other)[:64]!r} beside {key!r}{nearest(str(other), [key])}"
                )

    def term(self, key: str) -> Term:
        """The condition under ``key``."""
        return self.parse(self.mapping[key], f"{self.where}.{key}", self.cameras)

    def terms(self, key: str) -> tuple[Term, ...]:
        """The list of conditions under ``key``."""
        values = self.mapping[key]
        if not isinstance(values, list) or not 1 <= len(values) <= MAX_PARTS:
            raise RuleError(f"{self.where}.{key}: must be a list of 1 to {MAX_PARTS} conditions")
        return tuple(self.parse(value, f"{self.where}.{key}[{i}]", self.cameras) for i, value in enumerate(values))

    def require_zone(self, zone: str | None) -> None:
        """Refuse a ``zone`` that no camera of the rule has."""
        if zone is not None:
            self.require(self.vocabulary.fault_of_zone(zone, self.cameras), "zone")

    def require(self, fault: str | None, key: str) -> None:
        """Refuse what stands under ``key`` if there is a ``fault``."""
        if fault is not None:
            raise RuleError(f"{self.where}.{key}: {fault}")
