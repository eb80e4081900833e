"""``early``: an incident is told of before it is certain: ``early: true`` or ``early: {after: 2s, filled: 0.5}``.

Its first alert then has the state ``pending``: the condition has held for ``after`` (0 s), but not yet for the rule's
``for``, or only on windows of which less than ``filled`` (half) holds pictures, as in the first seconds after a
reconnect. It is confirmed by an update with the state ``firing``, or withdrawn by its end.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from streamwatch.rules.duration import Duration

__all__ = ["Early", "EarlyChoice", "EarlyKeys"]


@dataclass(frozen=True, slots=True)
class Early:
    """Told of after so many seconds; certain only on a window whose share ``filled`` is no less (0–1)."""

    after: float
    filled: float


class EarlyKeys(BaseModel):
    """``early`` as written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    after: Duration = 0.0
    filled: Annotated[float, Field(gt=0, le=1)] = 0.5


def _switched(value: object) -> object:
    return {True: {}, False: None}.get(value, value) if isinstance(value, bool) else value


EarlyChoice = Annotated[EarlyKeys | None, BeforeValidator(_switched)]
"""``true``, ``false`` or the keys."""
