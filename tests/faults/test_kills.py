"""The whole service killed, and asked to stop while sixteen cameras run."""

from pathlib import Path

import pytest

from tests.faults.kills import KillReport, Service, play, rows

STOP = 8.0  # seconds that an ordered stop may take


@pytest.mark.timeout(600)
def test_what_a_killed_service_had_decided_arrives_and_what_it_left_on_goes_off(tmp_path: Path) -> None:
    report = play(tmp_path, kills=4, seed=5)
    assert report.wrong == [], "\n".join(rows(report))
    assert report.stored >= 6
    assert report.open_at_kill >= 1


@pytest.mark.timeout(400)
def test_sigterm_ends_sixteen_cameras_in_time(tmp_path: Path) -> None:
    service = Service(tmp_path, scenes=tuple(f"walk?seed={seed}&duration=300" for seed in range(16)))
    try:
        service.start()
        status = [f"streamwatch/{camera}/status" for camera in service.cameras]
        assert service.until(lambda: all(service.listener.shows(topic, "online") for topic in status), "online")
        assert service.until(service.listener.alerts, "an alert")
        code, seconds = service.terminate()
        assert (code, seconds < STOP) == (0, True), f"exit {code} after {seconds:.1f} s: {service.said()}"
        assert service.listener.shows("streamwatch/available", "stopped")
        ended = {alert["id"] for alert in service.listener.alerts() if alert["type"] == "end"}
        assert {alert["id"] for alert in service.listener.alerts()} == ended
    finally:
        service.close()


def test_the_report_names_what_broke() -> None:
    report = KillReport(kills=3, stored=40, missing=1, left_on=2, code=1)
    assert report.wrong == ["missing: 1", "left_on: 2", "code: 1"]
    assert "kills of `streamwatch run`     3" in list(rows(report))
