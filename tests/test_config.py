"""Configurations: defaults, and one clear line for each fault."""

from pathlib import Path

import pytest

from streamwatch.config import Config, load_config
from streamwatch.errors import ConfigError

CAMERA = "cameras: [{name: dock, url: 'rtsp://viewer:S3CR3T@10.0.0.5/stream2'}]\n"


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "streamwatch.yml"
    path.write_text(text)
    return load_config(path)


def test_needs_cameras_only(tmp_path: Path) -> None:
    config = load(tmp_path, CAMERA)
    camera = config.cameras[0]
    assert (camera.name, camera.transport, camera.enabled, camera.zones) == ("dock", "tcp", True, [])
    assert (config.model, config.provider, config.strict_provider) == ("bundled", "auto", False)
    assert config.rules == [Path("rules/")]
    assert (config.mqtt.host, config.mqtt.topic_prefix, config.http.port) == (None, "streamwatch", 9108)
    assert config.mqtt.client_id.startswith("streamwatch-")


def test_the_score_log_has_sizes_with_units(tmp_path: Path) -> None:
    scores = load(tmp_path, CAMERA + "scores: {keep_days: 7, max_bytes: 1.5GB}").scores
    assert (scores.enabled, scores.keep_days, scores.max_bytes) == (True, 7, 1_500_000_000)
    assert not load(tmp_path, CAMERA + "scores: {enabled: false}").scores.enabled


def test_never_shows_a_password(tmp_path: Path) -> None:
    config = load(tmp_path, CAMERA)
    assert "S3CR3T" not in repr(config)
    assert config.cameras[0].url.reveal() == "rtsp://viewer:S3CR3T@10.0.0.5/stream2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camras: []", "camras: unknown key; did you mean 'cameras'?"),
        ("{}", "cameras: Field required"),
        ("[]", "must be a mapping"),
        ("", "must be a mapping"),
        ("cameras: []", "cameras: List should have at least 1 item"),
        ("cameras: [{name: Dock, url: 'rtsp://h'}]", "cameras[0].name: String should match"),
        ("cameras: [{name: a, ulr: 'rtsp://h'}]", "cameras[0].ulr: unknown key; did you mean 'url'?"),
        ("cameras: [{name: a, url: 'rtps://u:S3CR3T@h'}]", "did you mean 'rtsps'?"),
        ("cameras: [{name: a, url: 'exec:rm'}]", "scheme 'exec' is not one of rtsp"),
        ("cameras: [{name: a, url: 'concat:a|b'}]", "scheme 'concat'"),
        ("cameras: [{name: a, url: 7}]", "cameras[0].url: must be a string"),
        ("cameras: [{name: a, url: 'rtsp://[h'}]", "cameras[0].url: is not a URL"),
        (CAMERA + "mqtt: {port: 99999}", "mqtt.port: Input should be less than or equal to 65535"),
        (CAMERA + "scores: {max_bytes: 5 fish}", "scores.max_bytes: could not interpret byte unit"),
        (CAMERA + "scores: {max_bytes: 1kB}", "scores.max_bytes: Input should be greater than or equal to 1000000"),
        (CAMERA + "scores: {keep_days: 0}", "scores.keep_days: Input should be greater than 0"),
        (CAMERA + "scores: {keep: 3}", "scores.keep: unknown key"),
        (CAMERA + "provider: gpu", "provider: Input should be 'auto', 'cpu', 'cuda' or 'tensorrt'"),
        ("cameras: [{name: a, url: 'rtsp://h'}, {name: a, url: 'rtsp://i'}]", "camera name 'a' is used twice"),
        (
            "cameras: [{name: a, url: 'rtsp://h', zones: [{name: z, polygon: [[0, 0], [1, 0]]}]}]",
            "cameras[0].zones[0].polygon: List should have at least 3 items",
        ),
        (
            "cameras: [{name: a, url: 'rtsp://h', zones: [{name: z, polygon: [[0, 0], [1, 0], [9, 9]]}]}]",
            "cameras[0].zones[0].polygon[2][0]: Input should be less than or equal to 1",
        ),
    ],
)
def test_refuses(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert str(tmp_path / "streamwatch.yml") in str(caught.value)
    assert "S3CR3T" not in str(caught.value)


def test_tells_every_fault_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "cameras: [{name: A, url: 'x://h', zonnes: []}]\nmqtt: {hots: x}")
    assert len(str(caught.value).splitlines()) == 4


def test_zones_are_polygons_of_points(tmp_path: Path) -> None:
    text = "cameras: [{name: a, url: 'rtsp://h', zones: [{name: gate, polygon: [[0, 0], [1, 0], [0.5, 1]]}]}]"
    zone = load(tmp_path, text).cameras[0].zones[0]
    assert (zone.name, zone.polygon) == ("gate", [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)])


def test_schema_describes_the_file() -> None:
    schema = Config.model_json_schema()
    assert schema["required"] == ["cameras"]
    assert {"cameras", "rules", "mqtt", "http"} <= set(schema["properties"])
