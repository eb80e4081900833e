import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from streamwatch.config import TlsConfig
from streamwatch.errors import ConfigError
from streamwatch.sinks.mqtt import LinkState, MqttSink
from streamwatch.sinks.tls import explain_tls, read_certificates
from streamwatch.worker import Worker
from tests.sinks.authority import DAY, Authority
from tests.sinks.stage import LIMIT, Mosquitto, make_alert, make_site, wait_for

Start = Callable[[MqttSink], Worker]

# paho leaves the socket of a failed handshake to its reference count
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def start_broker(authority: Authority, host: str, valid: timedelta = 30 * DAY, ask: bool = False) -> Mosquitto:
    cert, key = authority.sign("broker", host, valid)
    asked = [f"cafile {authority.ca_file}", "require_certificate true"] if ask else []
    broker = Mosquitto(authority.folder, "allow_anonymous true", f"certfile {cert}", f"keyfile {key}", *asked)
    broker.start()
    return broker


@pytest.fixture
def trusted(authority: Authority) -> Iterator[Mosquitto]:
    broker = start_broker(authority, "127.0.0.1")
    yield broker
    broker.kill()


@pytest.fixture
def asking(authority: Authority) -> Iterator[Mosquitto]:
    """Wants a client certificate of the same authority."""
    broker = start_broker(authority, "127.0.0.1", ask=True)
    yield broker
    broker.kill()


class TestOverMqtt:
    @pytest.mark.parametrize("protocol", ["5", "3.1.1"])
    def test_an_alert_travels_where_the_authority_is_trusted(
        self, trusted: Mosquitto, authority: Authority, running: Start, protocol: str
    ) -> None:
        site = make_site()
        running(MqttSink(site, trusted.config(tls={"ca_file": authority.ca_file}, protocol=protocol)))
        site.outbox.append(make_alert())
        wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "acknowledged over TLS")

    @pytest.mark.parametrize("protocol", ["5", "3.1.1"])
    def test_a_client_certificate_opens(
        self, asking: Mosquitto, authority: Authority, running: Start, protocol: str
    ) -> None:
        cert, key = authority.sign("streamwatch", "streamwatch.example")
        site = make_site()
        tls = {"ca_file": authority.ca_file, "cert_file": cert, "key_file": key}
        running(MqttSink(site, asking.config(tls=tls, protocol=protocol)))
        site.outbox.append(make_alert())
        wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "acknowledged over TLS")

    def test_without_a_client_certificate_it_is_told_what_is_missing(
        self, asking: Mosquitto, authority: Authority, running: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        self._refused(
            asking,
            {"ca_file": authority.ca_file},
            running,
            "asks for a client certificate: set mqtt.tls.cert_file",
            caplog,
        )

    def test_with_a_client_certificate_of_strangers(
        self,
        asking: Mosquitto,
        authority: Authority,
        running: Start,
        caplog: pytest.LogCaptureFixture,
        tmp_path: Path,
    ) -> None:
        cert, key = Authority(tmp_path, "Strangers").sign("stranger", "streamwatch.example")
        tls = {"ca_file": authority.ca_file, "cert_file": cert, "key_file": key}
        self._refused(asking, tls, running, "does not trust the authority of mqtt.tls.cert_file", caplog)

    def test_with_a_client_certificate_that_has_expired(
        self, asking: Mosquitto, authority: Authority, running: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        cert, key = authority.sign("late", "streamwatch.example", valid=-DAY)
        tls = {"ca_file": authority.ca_file, "cert_file": cert, "key_file": key}
        self._refused(asking, tls, running, "cert_file has expired", caplog)

    @pytest.mark.parametrize("system", [True, False])
    def test_a_broker_of_another_authority_is_refused(
        self, trusted: Mosquitto, running: Start, caplog: pytest.LogCaptureFixture, tmp_path: Path, system: bool
    ) -> None:
        tls = {} if system else {"ca_file": Authority(tmp_path, "Strangers").ca_file}
        self._refused(trusted, tls, running, "not trusted here: check mqtt.tls.ca_file", caplog)

    @pytest.mark.parametrize(
        ("host", "valid", "said"),
        [
            ("127.0.0.1", -DAY, "certificate has expired"),
            ("broker.example", DAY, "for another address: mqtt.host"),
            ("127.0.0.2", DAY, "for another address: mqtt.host"),
        ],
    )
    def test_a_broker_with_the_wrong_certificate_is_refused(
        self,
        authority: Authority,
        running: Start,
        caplog: pytest.LogCaptureFixture,
        host: str,
        valid: timedelta,
        said: str,
    ) -> None:
        broker = start_broker(authority, host, valid)
        self._refused(broker, {"ca_file": authority.ca_file}, running, said, caplog)
        broker.kill()

    def test_a_port_without_tls_is_called_one(
        self, mosquitto: Mosquitto, authority: Authority, running: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        self._refused(mosquitto, {"ca_file": authority.ca_file}, running, "", caplog)

    def test_a_port_with_tls_spoken_to_without_hints_at_it(
        self, trusted: Mosquitto, running: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        self._refused(trusted, None, running, "does that port want mqtt.tls?", caplog)

    def _refused(
        self,
        broker: Mosquitto,
        tls: dict[str, Path] | None,
        running: Start,
        said: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The alert stays, one line says why, and it is tried again later, not at once."""
        site = make_site()
        sink = MqttSink(site, broker.config() if tls is None else broker.config(tls=tls))
        running(sink)
        site.outbox.append(make_alert())
        wait_for(lambda: sink.state is LinkState.UNREACHABLE, "refused")
        wait_for(lambda: said in caplog.text, f"said: {said}")
        wait_for(lambda: sink._failures >= 2, "tried again, not at once")
        lines = [r.getMessage() for r in caplog.records if r.name.startswith("streamwatch")]
        # a broker that hangs up at once may do so before its reason is read
        assert len(lines) == len(set(lines)) <= 2, lines
        assert "alerts wait in the outbox" in lines[-1]
        assert len(site.outbox.pending(0, 1, 0.0)) == 1


class TestReadCertificates:
    def test_an_empty_mapping_trusts_the_systems_authorities(self) -> None:
        context = read_certificates(TlsConfig())
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED

    def test_a_key_with_a_pass_phrase_is_refused_instead_of_asking_the_terminal(self, authority: Authority) -> None:
        cert, key = authority.sign("client", "x.example", pass_phrase=b"secret")
        code = (
            "from streamwatch.config import TlsConfig; from streamwatch.sinks.tls import read_certificates as read; "
            f"read(TlsConfig(cert_file={str(cert)!r}, key_file={str(key)!r}))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=LIMIT, check=False, text=True)
        assert "must have no pass phrase" in done.stderr
        assert "Enter PEM" not in done.stdout + done.stderr

    def test_a_key_of_another_certificate_is_refused(self, authority: Authority) -> None:
        cert, _ = authority.sign("one", "x.example")
        _, key = authority.sign("two", "x.example")
        with pytest.raises(ConfigError, match=r"mqtt\.tls: cannot use .*one\.crt, .*two\.key"):
            read_certificates(TlsConfig(cert_file=cert, key_file=key))


class TestExplainTls:
    def test_an_unknown_reason_is_passed_on(self) -> None:
        error = ssl.SSLError(1, "[SSL: UNEXPECTED_MESSAGE] x")
        assert "TLS: " in explain_tls(error)

    def test_a_name_that_is_not_in_the_certificate(self, authority: Authority) -> None:
        cert, key = authority.sign("broker", "broker.example")
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(cert, key)
        client = read_certificates(TlsConfig(ca_file=authority.ca_file))
        ours, theirs = socket.socketpair()

        def serve() -> None:
            try:
                server.wrap_socket(theirs, server_side=True).close()
            except OSError:
                theirs.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            client.wrap_socket(ours, server_hostname="other.example")
        ours.close()
        thread.join(LIMIT)
        assert "for another name: mqtt.host" in explain_tls(caught.value)
