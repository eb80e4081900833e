"""Placeholders, and nothing but placeholders."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.rules.template import PLACEHOLDERS, Template

VALUES = {name: f"<{name}>" for name in PLACEHOLDERS}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("nothing", "nothing"),
        ("{camera}", "<camera>"),
        ("Fall in {camera}: {score} ({severity})", "Fall in <camera>: <score> (<severity>)"),
        ("{rule}{event}{zone}", "<rule><event><zone>"),
        ("{{camera}} {{}} }}", "{camera} {} }"),
        ("{{{camera}}}", "{<camera>}"),
    ],
)
def test_renders(text: str, expected: str) -> None:
    assert Template(text).render(VALUES) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{camra}", "did you mean 'camera'"),
        ("{camera.__class__}", "unknown placeholder"),
        ("{camera!r}", "unknown placeholder"),
        ("{score:.3f}", "unknown placeholder"),
        ("{0}", "unknown placeholder"),
        ("{}", "unknown placeholder"),
        ("{camera", "single '{'"),
        ("camera}", "single '}'"),
    ],
)
def test_refuses(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Template(text)


def test_does_not_read_a_value_as_template() -> None:
    assert Template("{camera}").render({"camera": "{rule}"}) == "{rule}"


@settings(deadline=None)
@given(st.text(alphabet="{}ab", max_size=20))
def test_doubled_braces_give_any_text(text: str) -> None:
    assert Template(text.replace("{", "{{").replace("}", "}}")).render({}) == text
