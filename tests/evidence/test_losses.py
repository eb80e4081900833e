import pytest

from streamwatch.evidence.losses import Losses
from streamwatch.metrics import Metrics


def test_each_is_counted_and_the_first_of_a_reason_said(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    losses = Losses(metrics.evidence_dropped)
    losses.complain("no clip of one", "write")
    losses.complain("no clip of two", "write")
    losses.complain("no picture of two", "snapshot")
    losses.say("no record yet", "record")
    found = {
        reason: metrics.registry.get_sample_value("streamwatch_evidence_dropped_total", {"reason": reason})
        for reason in ("write", "snapshot", "record")
    }
    assert found == {"write": 2, "snapshot": 1, "record": None}
    assert [text in caplog.text for text in ("of one", "clip of two", "picture of two", "yet")] == [
        True, False, True, True,
    ]  # fmt: skip
