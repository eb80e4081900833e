import dataclasses

import pytest

from streamwatch.rules.part import Part, part_of

LEAF = Part("when.all[0]", "event fall, on 0.8", True, 10.0, 0.9123456789, 0.8)
TREE = Part("when", "all", None, parts=(LEAF, Part("when.all[1]", "count in 60", True, times=(1.0, 2.0))))


def test_as_json_leaves_out_what_there_is_not() -> None:
    assert TREE.to_payload() == {
        "path": "when", "text": "all", "holds": None,
        "parts": [
            {"path": "when.all[0]", "text": "event fall, on 0.8", "holds": True, "since": 10.0, "score": 0.912346,
             "threshold": 0.8},
            {"path": "when.all[1]", "text": "count in 60", "holds": True, "times": [1.0, 2.0]},
        ],
    }  # fmt: skip


def test_comes_back_from_its_fields() -> None:
    assert part_of(dataclasses.asdict(TREE)) == TREE


def test_refuses_others() -> None:
    with pytest.raises(TypeError):
        part_of({"path": "when"})


def test_knows_its_operator() -> None:
    assert [TREE.operator, LEAF.operator] == ["all", "event"]
