"""Real footage through the bundled pack and the shipped rules, as `streamwatch detect` does it."""

import os
from pathlib import Path

import pytest

from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.offline import Recording, source_url
from streamwatch.plan import shipped_rules
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.rules.book import RuleBook
from streamwatch.rules.loading import load_rules
from streamwatch.rules.vocabulary import Vocabulary

DATA = Path(os.environ.get("STREAMWATCH_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
FEEDS = DATA / "feeds"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not FEEDS.is_dir(), reason=f"no real feeds at {FEEDS}; set STREAMWATCH_DATA"),
]


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    return OnnxModel(load_pack("bundled"), "cpu")


def alerts(feed: str, model: OnnxModel) -> list[Alert]:
    """The alerts that open incidents of the model's events."""
    vocabulary = Vocabulary(frozenset(model.card.events), ("feed",), {})
    book = RuleBook(load_rules([shipped_rules()], vocabulary), salt="")
    recording = Recording(source_url(str(FEEDS / feed)), "feed", model, book)
    found = [alert for step in recording.steps() for alert in step.alerts]
    return [alert for alert in found if alert.type is AlertType.NEW and alert.event in model.card.events]


def test_the_fight_in_the_stairwell_is_found_and_the_walk_before_it_is_not(model: OnnxModel) -> None:
    found = alerts("stairwell_fight.mp4", model)
    assert [alert.event for alert in found] == ["fight"]
    assert 9.0 <= found[0].time <= 13.6 + 5


@pytest.mark.parametrize("feed", ["pedestrians.mp4", "corridor_one_by_one.mp4"])
@pytest.mark.timeout(240)
def test_people_who_walk_and_stand_raise_no_alert(model: OnnxModel, feed: str) -> None:
    assert [alert.summary for alert in alerts(feed, model)] == []


def test_falls_at_home_are_found(model: OnnxModel) -> None:
    found = alerts("falls_dev.mp4", model)
    assert "fall" in [alert.event for alert in found]
