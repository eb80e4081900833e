"""A configuration is checked against pack, rules and scenes before anything runs."""

from pathlib import Path

import pytest

from streamwatch.config import Config, load_config
from streamwatch.errors import ConfigError, RuleError
from streamwatch.plan import draw_plan, published, rules_of, shipped_rules

CAMERA = "{name: dock, url: 'rtsp://h', zones: [{name: left, polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}]}"


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "streamwatch.yml"
    path.write_text(text)
    return load_config(path)


def test_has_pack_rules_and_the_cells_of_zones(tmp_path: Path) -> None:
    plan = draw_plan(load(tmp_path, f"rules: [{shipped_rules()}]\ncameras: [{CAMERA}]"))
    assert {"fight", "fall", "shoplifting"} <= {rule.name for rule in plan.rules}
    ((name, cells),) = plan.zones["dock"]
    assert name == "left"
    assert cells.shape == (plan.pack.card.grid, plan.pack.card.grid)
    assert cells.mean() == pytest.approx(0.5)


def test_events_by_text_are_refused_by_a_pack_that_cannot(tmp_path: Path) -> None:
    text = f"rules: []\ncameras: [{CAMERA}]\nevents: [{{name: climbing, prompts: [a person climbs a fence]}}]"
    with pytest.raises(ConfigError, match="climbing"):
        draw_plan(load(tmp_path, text))


@pytest.mark.parametrize(("scene", "message"), [("fal", "did you mean 'fall'"), ("fall?sead=1", "did you mean 'seed'")])
def test_a_scene_that_does_not_exist_is_refused(tmp_path: Path, scene: str, message: str) -> None:
    text = f"rules: []\ncameras: [{{name: a, url: 'synthetic:{scene}'}}]"
    with pytest.raises(ConfigError, match=message) as caught:
        draw_plan(load(tmp_path, text))
    assert str(caught.value).startswith("camera a: ")


def test_the_shipped_rules_are_used_where_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    events = frozenset({"fight", "fall", "shoplifting"})
    found = rules_of(load(tmp_path, "cameras: [{name: a, url: 'rtsp://h'}]"), events)
    assert {Path(rule.where.split(":")[0]).parent for rule in found} == {shipped_rules()}
    with pytest.raises(RuleError, match="no such file"):
        rules_of(load(tmp_path, "rules: [rules/]\ncameras: [{name: a, url: 'rtsp://h'}]"), events)


def test_what_is_evaluated_in_the_shadow_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(
        "rules:\n"
        "  - {alert: all, when: {event: fall, on: 0.5}}\n"
        "  - {alert: tried, shadow: true, when: {event: fall, on: 0.3}}\n"
        "  - {alert: one, cameras: [dock], when: {event: fall, on: 0.7}}\n"
    )
    config = load(tmp_path, f"rules: [{tmp_path}/rules.yml]\ncameras: [{CAMERA}, {{name: gate, url: 'rtsp://h'}}]")
    found = published(rules_of(config, frozenset({"fall"})), ["dock", "gate"])
    assert found == {"dock": ["all", "one"], "gate": ["all"]}
