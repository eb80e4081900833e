"""One town for all tests that need Ray: it takes ten seconds to build."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.town import Town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Town"]:
    if find_spec("ray") is None:  # not imported before the town has prepared for it
        pytest.skip("ray is not installed")
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    from tests.cluster.town import Town

    with Town(tmp_path_factory.mktemp("town")) as made:
        yield made
