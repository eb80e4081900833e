"""What people and CI read."""

from xml.etree.ElementTree import fromstring

from streamwatch.rules.junit import report, to_junit
from streamwatch.rules.verdict import Verdict

GOOD = Verdict("a fall", ("  fall on dock: at 5s",))
BAD = Verdict("a <fight>", ("- fight on dock: at 5s", "+ fight on dock: at 6s"))


def test_tells_what_differs() -> None:
    assert report({"a.test.yml": [GOOD, BAD], "b.test.yml": [GOOD]}) == [
        "a.test.yml: 1 of 2 tests passed",
        "  FAILED a <fight>    (- expected, + came)",
        "    - fight on dock: at 5s",
        "    + fight on dock: at 6s",
        "b.test.yml: 1 of 1 tests passed",
    ]


def test_is_junit() -> None:
    text = to_junit({"a.test.yml": [GOOD, BAD]})
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>')
    root = fromstring(text.partition("\n")[2])
    (suite,) = root
    assert suite.attrib == {"name": "a.test.yml", "tests": "2", "failures": "1"}
    assert [case.get("name") for case in suite] == ["a fall", "a <fight>"]
    assert [case.findtext("failure") for case in suite] == [None, "\n".join(BAD.diff)]
