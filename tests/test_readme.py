"""What the README promises is there."""

import re
from pathlib import Path

import pytest

from streamwatch.config import Config
from streamwatch.document import parse_document
from streamwatch.metrics import Metrics
from streamwatch.models.pack import load_pack
from streamwatch.rules.operators import OPERATORS
from streamwatch.rules.rule import parse_rules
from streamwatch.rules.vocabulary import Vocabulary

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return found


def test_the_table_of_metrics_is_the_registry() -> None:
    exported = {metric.name + ("_total" if metric.type == "counter" else "") for metric in Metrics().registry.collect()}
    listed = set(re.findall(r"^\| `(streamwatch_\w+)` \|", README, re.MULTILINE))
    assert listed == exported


def test_the_configuration_is_valid() -> None:
    text = next(block for block in blocks("yaml") if "cameras:" in block and "rules:" not in block)
    config = Config.model_validate(parse_document(text, "README.md", {"DOCK_PASSWORD": "x"}))
    assert config.cameras[0].zones[0].name == "gate"


def test_the_rule_is_valid() -> None:
    text = next(block for block in blocks("yaml") if block.startswith("rules:"))
    vocabulary = Vocabulary(frozenset(load_pack("bundled").card.events), ("dock-1",), {"dock-1": frozenset({"gate"})})
    (rule,) = parse_rules(parse_document(text, "README.md", {}), "README.md", vocabulary)
    assert rule.watches("dock-1")


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_is_explained(operator: str) -> None:
    section = README.partition("## Rules")[2].partition("## MQTT")[0]
    assert f"`{operator}`" in section


def test_nothing_is_left_to_fill_in() -> None:
    assert "@@" not in README


def test_the_figures_are_the_cards() -> None:
    """The README must not claim another pack than the one that ships."""
    card = load_pack("bundled").card
    assert f"`{card.name}` {card.version}" in README
