"""One small camera for all measurements."""

from collections.abc import Iterator

import pytest

from streamwatch.bench.film import Film, bench_film
from streamwatch.rtsp_server import serve
from streamwatch.video.synthetic import Scene


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return bench_film(tmp_path_factory.mktemp("bench"), scene=Scene("walk", 0, (320, 180), 10.0, 4))


@pytest.fixture(scope="session")
def url(film: Film) -> Iterator[str]:
    with serve({"cam": film.path}) as urls:
        yield urls["cam"]
