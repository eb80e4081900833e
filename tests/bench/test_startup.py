"""Times from the start of the process."""

import pytest

from streamwatch.bench.site import Setup
from streamwatch.bench.startup import measure_startup


@pytest.mark.timeout(240)
def test_times_are_in_order(url: str) -> None:
    found = measure_startup(url, Setup(provider="cpu"), rounds=1)
    assert found.bare > 0
    assert found.imported < 20
    assert found.help < 20
    assert 0 < found.answering <= found.online <= found.window
    assert found.window > 1.0  # a clip is a second of pictures
