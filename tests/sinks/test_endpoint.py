import subprocess
from pathlib import Path

import pytest

from streamwatch.config import MqttConfig, TlsConfig
from streamwatch.errors import ConfigError
from streamwatch.sinks.endpoint import Endpoint

PASSWORD = "S3CR3T-CANARY"


def read(**values: object) -> Endpoint:
    return Endpoint.read(MqttConfig.model_validate({"client_id": "x", **values}))


def test_without_a_host_it_is_the_embedded_broker_on_this_machine() -> None:
    endpoint = read(port=1884)
    assert (str(endpoint), endpoint.embedded) == ("127.0.0.1:1884", True)
    assert not read(host="broker.example").embedded


def test_the_password_comes_from_its_file_and_is_in_no_text(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(PASSWORD + "\r\n")
    endpoint = read(host="broker.example", username="viewer", password_file=file)
    assert endpoint.password == PASSWORD
    assert PASSWORD not in repr(endpoint) + str(endpoint)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"x" * 5000, "4096 bytes"), (b"\xff\xfeS3CR3T-CANARY", "UTF-8")],
)
def test_a_password_file_that_makes_no_sense_is_refused_without_showing_it(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=reason) as caught:
        read(username="viewer", password_file=file)
    assert str(file) in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_password_file_or_user_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.password_file: cannot read .*missing: No such file"):
        read(username="viewer", password_file=tmp_path / "missing")
    with pytest.raises(ConfigError, match=r"mqtt\.username is not"):
        read(password_file=tmp_path / "missing")


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example"])
def test_a_host_that_no_look_up_takes_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.host"):
        read(host=host)


@pytest.mark.parametrize(("protocol", "versions"), [("auto", (5, 4)), ("5", (5,)), (5, (5,)), ("3.1.1", (4,))], ids=str)
def test_the_version_can_be_chosen(protocol: object, versions: tuple[int, ...]) -> None:
    assert read(host="b", protocol=protocol).versions == versions


def test_the_embedded_broker_speaks_one() -> None:
    assert read().versions == (4,)
    with pytest.raises(ConfigError, match=r"mqtt\.protocol: the embedded broker speaks 3\.1\.1"):
        read(protocol="5")


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> tuple[Path, Path]:
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try:
            subprocess.run(
                [*command, "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True, capture_output=True
            )
        except FileNotFoundError:
            pytest.skip("openssl is not installed")
        return cert, key

    def test_an_empty_mapping_trusts_the_systems_authorities(self) -> None:
        endpoint = read(host="broker.example", tls=TlsConfig())
        assert endpoint.tls is not None
        assert endpoint.tls.check_hostname

    def test_files_are_loaded(self, certificate: tuple[Path, Path]) -> None:
        cert, key = certificate
        assert read(host="b", tls={"ca_file": cert, "cert_file": cert, "key_file": key}).tls is not None

    def test_files_that_cannot_be_used_are_refused(self, certificate: tuple[Path, Path], tmp_path: Path) -> None:
        _, key = certificate
        with pytest.raises(ConfigError, match=r"mqtt\.tls\.ca_file: there is no file"):
            read(host="b", tls={"ca_file": tmp_path / "missing"})
        with pytest.raises(ConfigError, match=r"mqtt\.tls: cannot use .*key\.pem"):
            read(host="b", tls={"ca_file": key})
        with pytest.raises(ConfigError, match=r"cert_file is not"):
            read(host="b", tls={"key_file": key})
