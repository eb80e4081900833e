"""The main job on embedded defaults: RTSP cameras on loopback, a broker, the bundled pack, the shipped rules.

Everything is the real thing: scenes are encoded to H.264 and served over RTSP, and the alerts that are printed were
received from the broker by a subscriber of its own.
"""

import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from streamwatch.config import CameraConfig, Config, HttpConfig, MqttConfig
from streamwatch.errors import ConfigError
from streamwatch.offline import camera_name
from streamwatch.pipeline import Pipeline
from streamwatch.plan import shipped_rules
from streamwatch.rtsp_server import serve
from streamwatch.secret import SecretUrl
from streamwatch.video.h264 import film_scene, film_video
from streamwatch.video.synthetic import Scene

__all__ = ["SCENES", "Demo"]

SCENES = {
    "ward": Scene("fall", seed=7, duration=24),
    "street": Scene("fight", seed=2, duration=24),
    "lobby": Scene("talk", seed=2, duration=24),
}
PRINTED = {"new": "ALERT", "update": "  ...", "end": "  end"}
KEPT = {"clip": " clip", "snapshot": " shot"}


class Demo:
    """A running demonstration; its threads and processes end with the ``with`` block.

    ``cameras`` (URLs) and ``videos`` (files, served as cameras) replace the scenes. ``say`` takes each line of output.
    Raises ConfigError for a URL or file that cannot be used, PackError, PortInUseError.
    """

    def __init__(
        self, cameras: Sequence[str], videos: Sequence[Path], folder: Path, say: Callable[[str], None]
    ) -> None:
        self._cameras = cameras
        self._videos = videos
        self._folder = folder
        self._say = say
        self._stack = ExitStack()
        self._messages: queue.Queue[tuple[str, bytes]] = queue.Queue(maxsize=1000)
        self._began = time.monotonic()

    def __enter__(self) -> "Demo":
        with ExitStack() as building:
            building.callback(self._stack.close)
            urls = self._serve()
            config = self._config(urls)
            self._pipeline = Pipeline(config)
            self._stack.callback(self._pipeline.stop)
            self._describe(urls)
            self._stack.callback(self._subscribe(config.mqtt.port))
            self._pipeline.__enter__()
            building.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def wait(self, stop: threading.Event, seconds: float = 0.0) -> None:
        """Print what arrives until ``stop``, or for ``seconds`` if that is more than 0."""
        deadline = time.monotonic() + seconds if seconds > 0 else float("inf")
        while not stop.is_set() and time.monotonic() < deadline:
            self._pipeline.supervise()
            try:
                topic, payload = self._messages.get(timeout=0.2)
            except queue.Empty:
                continue
            self._print(topic, json.loads(payload))

    def _serve(self) -> dict[str, str]:
        """Name → URL of all cameras, with our own RTSP server running for those that need one."""
        urls = {_distinct(camera_name(url), i): url for i, url in enumerate(self._cameras)}
        if self._cameras and not self._videos:
            return urls
        folder = self._folder / "films"
        if self._videos:
            numbered = enumerate(self._videos, start=len(urls))
            films = {_distinct(camera_name(path.name), i): film_video(path, folder) for i, path in numbered}
        else:
            self._say("Rendering the scenes and encoding them to H.264 (once) …")
            with ThreadPoolExecutor(max_workers=2) as pool:
                made = pool.map(lambda scene: film_scene(scene, folder), SCENES.values())
                films = dict(zip(SCENES, made, strict=True))
        return urls | self._stack.enter_context(serve(films))

    def _config(self, urls: dict[str, str]) -> Config:
        try:
            cameras = [CameraConfig(name=name, url=SecretUrl(url)) for name, url in urls.items()]
        except ValueError as error:
            known = "rtsp://user:password@host/stream"
            raise ConfigError(f"--camera: not a URL that can be watched, such as {known}") from error
        mqtt = MqttConfig(port=_free_port(1883), client_id="streamwatch-demo")
        http = HttpConfig(port=_free_port(9108))
        return Config(cameras=cameras, rules=[shipped_rules()], mqtt=mqtt, http=http, data_dir=self._folder)

    def _describe(self, urls: dict[str, str]) -> None:
        config, model = self._pipeline.config, self._pipeline.model
        rules = ", ".join(rule.name for rule in self._pipeline.rules)
        self._say(f"model    {model.info.name} {model.info.version} on {model.provider}; rules: {rules}")
        for name, url in urls.items():
            shown = str(SecretUrl(url)).partition("?")[0]
            self._say(f"camera   {name:10s} {shown}")
        self._say(
            f"broker   mqtt://127.0.0.1:{config.mqtt.port}   mosquitto_sub -p {config.mqtt.port} -t 'streamwatch/#' -v"
        )
        self._say(
            f"metrics  http://127.0.0.1:{config.http.port}/metrics   health: /healthz /readyz   alerts: /api/alerts"
        )
        if not self._cameras and not self._videos:
            self._say("your own sh deploy/demo.sh --camera rtsp://user:password@host/stream   or   --video FILE")
        self._say("Alerts as they arrive over MQTT (Ctrl-C ends):")

    def _subscribe(self, port: int) -> Callable[[], Any]:
        """Subscribe to the alerts as any user would; the caller stops it with what is returned."""
        import paho.mqtt.client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        def on_connect(client: mqtt.Client, *_: Any) -> None:
            client.subscribe("streamwatch/alerts/#", qos=1)

        def on_message(client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
            if not self._messages.full():  # nobody reads: the terminal hangs
                self._messages.put_nowait((message.topic, bytes(message.payload)))

        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="streamwatch-demo-subscriber")
        client.on_connect = on_connect
        client.on_message = on_message
        client.connect("127.0.0.1", port)
        client.loop_start()
        return client.loop_stop

    def _print(self, topic: str, alert: dict[str, Any]) -> None:
        at = time.strftime("%H:%M:%S", time.localtime(alert["time"]))
        kept = alert["type"] == "update" and alert["end_time"] is not None  # said after the end: where to look
        found = next((kind for kind in ("clip", "snapshot") if alert[kind] is not None), None)
        label, where = (KEPT[found], alert[found]) if kept and found else (PRINTED[alert["type"]], topic)
        self._say(f"{time.monotonic() - self._began:6.1f} s  {label:5s} {at}  {alert['summary']}   [{where}]")


def _distinct(name: str, index: int) -> str:
    """Names must differ: the second and further get their number."""
    return name if index == 0 else f"{name[:60]}-{index + 1}"


def _free_port(wanted: int) -> int:
    """``wanted`` if nobody listens there, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ConfigError("no free port on 127.0.0.1")
