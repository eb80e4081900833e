"""The end of incidents that an earlier run left open: it was killed, and what it knew is gone."""

from collections.abc import Iterable
from dataclasses import replace

from streamwatch.rules.alert import Alert, AlertType, IncidentState

__all__ = ["ends"]


def ends(left: Iterable[Alert], at: float) -> tuple[Alert, ...]:
    """An ``end`` for each of ``left``, the last alerts of incidents, decided at ``at`` (UTC s).

    When the condition last held is not known any more; ``end_time`` is the time of the last alert.
    """
    return tuple(
        replace(
            alert,
            seq=alert.seq + 1,
            type=AlertType.END,
            state=IncidentState.WITHDRAWN if alert.state is IncidentState.PENDING else IncidentState.CLOSED,
            time=max(at, alert.time),
            end_time=alert.time,
            annotations={**alert.annotations, "end_reason": "restart"},
            why=None,
        )
        for alert in left
    )
