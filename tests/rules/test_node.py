"""Reading one mapping: paths in messages."""

import re

import pytest
from pydantic import BaseModel, ConfigDict

from streamwatch.errors import RuleError
from streamwatch.rules.condition import Term
from streamwatch.rules.event import Event
from streamwatch.rules.node import Node
from tests.rules.play import SITE


class Keys(BaseModel):
    model_config = ConfigDict(extra="forbid")

    of: int
    sure: bool = False


def node(**mapping: object) -> Node:
    def parse(value: object, where: str, cameras: tuple[str, ...]) -> Term:
        return Event(str(value), 0.5, 0.4, where)

    return Node(mapping, "x.yml: rules[0].when", SITE, ("*",), parse)


def test_reads_parameters() -> None:
    assert node(of=3).read(Keys).of == 3


def test_names_every_fault() -> None:
    with pytest.raises(RuleError) as caught:
        node(of="many", off=1).read(Keys)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("x.yml: rules[0].when: of: Input should be a valid integer")
    assert lines[1] == "x.yml: rules[0].when: off: unknown key; did you mean 'of'?"


def test_parses_inside_with_its_path() -> None:
    assert node(part="fall").term("part") == Event("fall", 0.5, 0.4, "x.yml: rules[0].when.part")
    assert [term.zones for term in node(parts=["a", "b"]).terms("parts")] == [
        {"x.yml: rules[0].when.parts[0]"},
        {"x.yml: rules[0].when.parts[1]"},
    ]


def test_refuses_a_neighbour() -> None:
    node(all=1).only("all")
    with pytest.raises(RuleError, match=r"x\.yml: rules\[0\]\.when: unknown key 'al' beside 'all'; did you mean 'all'"):
        node(all=1, al=2).only("all")


def test_requires() -> None:
    node().require(None, "event")
    with pytest.raises(RuleError, match=r"x\.yml: rules\[0\]\.when\.event: is odd"):
        node().require("is odd", "event")


def test_requires_a_zone_that_is_there() -> None:
    node().require_zone(None)
    node().require_zone("gate")
    with pytest.raises(RuleError, match=r"x\.yml: rules\[0\]\.when\.zone: .*did you mean 'gate'"):
        node().require_zone("gat")


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_is_no_number(value: bool) -> None:
    said = f"x.yml: rules[0].when.of: must not be {str(value).lower()}"
    with pytest.raises(RuleError, match=re.escape(said)):
        node(of=value).read(Keys)
    assert node(of=1, sure=value).read(Keys).sure is value
