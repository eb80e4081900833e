"""Outcomes of rule tests as JUnit XML, which every CI reads, and as lines for people."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from streamwatch.rules.verdict import Verdict

__all__ = ["Verdicts", "passed", "report", "to_junit"]

Verdicts = Mapping[str, Sequence[Verdict]]
"""By test file."""


def passed(verdicts: Verdicts) -> bool:
    """Whether all tests did."""
    return all(verdict.passed for found in verdicts.values() for verdict in found)


def report(verdicts: Verdicts) -> list[str]:
    """A line for each file, and for each test that failed what differs."""
    lines = []
    for path, found in verdicts.items():
        failed = [verdict for verdict in found if not verdict.passed]
        lines.append(f"{path}: {len(found) - len(failed)} of {len(found)} tests passed")
        for verdict in failed:
            lines.append(f"  FAILED {verdict.name}    (- expected, + came)")
            lines += [f"    {line}" for line in verdict.diff]
    return lines


def to_junit(verdicts: Verdicts) -> str:
    """The XML document."""
    root = Element("testsuites")
    for path, found in verdicts.items():
        failures = sum(not verdict.passed for verdict in found)
        suite = SubElement(root, "testsuite", name=path, tests=str(len(found)), failures=str(failures))
        for verdict in found:
            case = SubElement(suite, "testcase", classname=path, name=verdict.name)
            if not verdict.passed:
                SubElement(case, "failure", message="other incidents than expected").text = "\n".join(verdict.diff)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
