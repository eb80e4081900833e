import pytest

from streamwatch.errors import SinkError
from streamwatch.evidence.last_words import LastWords
from streamwatch.evidence.losses import Losses
from streamwatch.metrics import Metrics
from streamwatch.rules.alert import Alert
from tests.evidence.footage import make_alert


class Store:
    """Takes alerts while it is not full."""

    def __init__(self) -> None:
        self.full = False
        self.kept: list[Alert] = []
        self.metrics = Metrics()
        self.words = LastWords(self._take, self.metrics, Losses(self.metrics.evidence_dropped))

    def _take(self, alert: Alert) -> None:
        if self.full:
            raise SinkError("no room")
        self.kept.append(alert)

    def lost(self) -> float | None:
        return self.metrics.registry.get_sample_value("streamwatch_evidence_dropped_total", {"reason": "untold"})


def test_they_wait_for_the_store_in_order() -> None:
    store = Store()
    store.full = True
    for seq in (0, 1):
        store.words.add(make_alert(seq=seq))
        store.words.turn()
    assert (store.kept, len(store.words)) == ([], 2)
    store.full = False
    store.words.turn()
    assert ([alert.seq for alert in store.kept], len(store.words), store.lost()) == ([0, 1], 0, None)


def test_what_cannot_wait_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.evidence.last_words.LIMIT", 2)
    store = Store()
    store.full = True
    for seq in range(3):
        store.words.add(make_alert(seq=seq))
    assert store.lost() == 1
    store.words.end()
    assert store.lost() == 3
