"""Values at simulated times in a few signs, as in promtool's unit tests of rules.

``0.05 0.9``: two values. ``0.9x4``: that value and 4 further ones, five in all. ``0.1+0.2x3``: 0.1, 0.3, 0.5, 0.7;
``0.9-0.2x3`` likewise downwards. ``_``: no value; ``_x3``: three times none.
"""

import re

__all__ = ["MAX_VALUES", "parse_series"]

MAX_VALUES = 100_000
_NUMBER = r"[0-9]{1,3}(?:\.[0-9]{1,9})?"
_TERM = re.compile(rf"(?:(?P<none>_)|(?P<first>{_NUMBER})(?P<step>[+-]{_NUMBER})?)(?:x(?P<more>[0-9]{{1,6}}))?")


def parse_series(text: str) -> tuple[float | None, ...]:
    """The values, None where there is none. Raises ValueError, also for more than MAX_VALUES."""
    values: list[float | None] = []
    for word in text.split():
        found = _TERM.fullmatch(word)
        if found is None or (found["step"] and not found["more"]):
            raise ValueError(f"{word[:40]!r} is no value; write 0.9, 0.9x4, 0.1+0.2x3, _ or _x3")
        more = int(found["more"] or 0)
        if len(values) + more >= MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
        if found["none"]:
            values += [None] * (more or (0 if found["more"] else 1))
        else:
            first, step = float(found["first"]), float(found["step"] or 0.0)
            values += [round(first + step * i, 9) for i in range(more + 1)]
    if not values:
        raise ValueError("must be values such as '0.05x4 0.9x3'")
    return tuple(values)
