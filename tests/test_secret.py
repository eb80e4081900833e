"""Credentials never show."""

import pytest

from streamwatch.secret import SecretUrl

CANARY = "S3CR3T-CANARY"


@pytest.mark.parametrize(
    "url",
    [
        f"rtsp://viewer:{CANARY}@10.0.0.5/stream2",
        f"rtsp://ca.na%40ry:{CANARY}@10.0.0.5:554/x?y=1",
        f"rtsp://:{CANARY}@10.0.0.5/",
        f"rtsp://us@er:{CANARY}@10.0.0.5/",
        f"http://10.0.0.5/video?token={CANARY}",
        f"rtsp://{CANARY}@10.0.0.5/",
    ],
)
class TestSecretUrl:
    def test_hides(self, url: str) -> None:
        secret = SecretUrl(url)
        assert CANARY not in f"{secret} {secret!r} {[secret]}"
        assert "10.0.0.5" in str(secret)

    def test_reveals(self, url: str) -> None:
        assert SecretUrl(url).reveal() == url

    def test_redacts_foreign_messages(self, url: str) -> None:
        secret = SecretUrl(url)
        assert CANARY not in secret.redact(f"[Errno 5] Input/output error: '{url}'")
        assert "Input/output" in secret.redact(f"[Errno 5] Input/output error: '{url}'")


def test_keeps_what_is_no_secret() -> None:
    assert str(SecretUrl("synthetic:fall?seed=3")) == "synthetic:fall?seed=3"
    assert str(SecretUrl("rtsp://127.0.0.1:8554/cam")) == "rtsp://127.0.0.1:8554/cam"
    assert SecretUrl("RTSP://h/x").scheme == "rtsp"


def test_compares_by_the_whole_url() -> None:
    assert SecretUrl("rtsp://a:b@h") == SecretUrl("rtsp://a:b@h")
    assert SecretUrl("rtsp://a:b@h") != SecretUrl("rtsp://a:c@h")
    assert len({SecretUrl("rtsp://a:b@h"), SecretUrl("rtsp://a:b@h")}) == 1
