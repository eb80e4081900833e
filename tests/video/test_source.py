"""The table of schemes."""

from pathlib import Path

import pytest

from streamwatch.config import SCHEMES
from streamwatch.errors import ConfigError, SourceError
from streamwatch.secret import SecretUrl
from streamwatch.video.ffmpeg import PROTOCOLS
from streamwatch.video.picture import Opening, Source
from streamwatch.video.source import SOURCES, check_url, open_source
from tests.video.rtsp import free_port


def test_every_scheme_of_the_configuration_has_a_source() -> None:
    assert tuple(SOURCES) == SCHEMES


def test_every_scheme_of_ffmpeg_says_what_it_may_open() -> None:
    assert set(PROTOCOLS) == set(SCHEMES) - {"device", "synthetic"}
    for scheme, allowed in PROTOCOLS.items():
        assert scheme in allowed.split(",")
        if scheme != "file":
            assert not {"file", "concat", "subfile", "pipe", "data"} & set(allowed.split(","))


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s not in ("file", "device", "synthetic")])
def test_every_network_scheme_reports_a_refused_connection(scheme: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(Opening(SecretUrl(f"{scheme}://user:CANARY@127.0.0.1:{free_port()}/x")))
    assert caught.value.reason in ("refused", "error")
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:{film}", "synthetic:walk?duration=1&size=160x90"])
def test_a_source_iterates_pictures_and_closes_twice(url: str, film: Path) -> None:
    source: Source = open_source(Opening(SecretUrl(url.format(film=film))))
    picture = next(iter(source))
    assert picture.pts == 0.0
    assert picture.shape in ((160, 120), (160, 90))
    assert picture.scale(8).shape == (8, 8, 3)
    source.close()
    source.close()


@pytest.mark.parametrize("url", ["synthetic:fall?seed=1", "rtsp://h/x", "device:0", "file:x.mp4"])
def test_check_url_lets_pass_what_may_come_up_later(url: str) -> None:
    check_url(SecretUrl(url))


def test_check_url_refuses_what_no_retry_can_mend() -> None:
    with pytest.raises(ConfigError, match="did you mean 'fall'"):
        check_url(SecretUrl("synthetic:fal"))
