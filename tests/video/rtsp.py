"""A real RTSP server (GStreamer's) on loopback, and small films for it."""

import random
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

__all__ = ["RtspServer", "free_port", "gstreamer_missing", "make_film"]

PYTHON = "/usr/bin/python3"  # Debian's own: its GObject bindings are not on PyPI
IMPORTS = """
import json, sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
"""
SERVER = (
    IMPORTS
    + """
spec = json.loads(sys.argv[1])
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(str(spec["port"]))
if spec["user"]:
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(spec["user"], spec["password"]), token)
    server.set_auth(auth)

def resize(media, sizes):
    caps, turn = media.get_element().get_by_name("size"), [0]
    def change():
        turn[0] += 1
        width, height = sizes[turn[0] % len(sizes)]
        caps.set_property("caps", Gst.Caps.from_string(f"video/x-raw,width={width},height={height},framerate=15/1"))
        return True
    GLib.timeout_add(1000, change)

for name, mount in spec["mounts"].items():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(mount["shared"])
    factory.set_eos_shutdown(True)
    factory.set_launch(f"( {mount['launch']} )")
    if mount["sizes"]:
        factory.connect("media-configure", lambda _, media, sizes=mount["sizes"]: resize(media, sizes))
    if spec["user"]:
        rights = GstRtspServer.RTSPPermissions()
        for right in ("access", "construct"):
            rights.add_permission_for_role("user", f"media.factory.{right}", True)
        factory.set_permissions(rights)
    server.get_mount_points().add_factory(f"/{name}", factory)
if not server.attach(None):
    sys.exit("port is taken")
print("ready", flush=True)
GLib.MainLoop().run()
"""
)
PROBE = (
    IMPORTS
    + """
missing = [n for n in ("qtdemux", "h264parse", "rtph264pay", "x264enc") if not Gst.ElementFactory.find(n)]
sys.exit(f"no GStreamer element {', '.join(missing)}" if missing else 0)
"""
)


def gstreamer_missing() -> str:
    """Why the server cannot run here; '' where it can."""
    if not Path(PYTHON).exists():
        return f"no {PYTHON}"
    found = subprocess.run([PYTHON, "-c", PROBE], capture_output=True, text=True, timeout=30, check=False)
    said = found.stderr.strip().splitlines() or ["GStreamer's bindings do not load"]
    return said[-1] if found.returncode else ""


def free_port() -> int:
    """A TCP port that nobody listens on at this moment, below those that the kernel gives to outgoing connections: it
    can be closed and opened again without another process having it meanwhile."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class RtspServer:
    """Serves ``films`` (name → mp4) from the start for each client, and ``cam`` with changing ``sizes``."""

    films: dict[str, Path] = field(default_factory=dict)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    user: str = ""
    password: str = ""
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[str] | None" = None

    def start(self) -> "RtspServer":
        """Start, or start again on the same port; returns once clients can connect."""
        import json

        mounts: dict[str, dict[str, object]] = {}
        for name, path in self.films.items():
            launch = f'filesrc location="{path}" ! qtdemux ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96'
            mounts[name] = {"launch": launch, "shared": False, "sizes": []}
        if self.sizes:
            first = "width={},height={}".format(*self.sizes[0])
            launch = (
                f"videotestsrc is-live=true ! videoscale ! capsfilter name=size caps=video/x-raw,{first},framerate=15/1"
                " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15"
                " ! rtph264pay name=pay0 pt=96 config-interval=1"
            )
            mounts["cam"] = {"launch": launch, "shared": True, "sizes": self.sizes}
        spec = {"port": self.port, "user": self.user, "password": self.password, "mounts": mounts}
        self.process = subprocess.Popen(
            [PYTHON, "-c", SERVER, json.dumps(spec)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self

    def url(self, name: str, port: int = 0, login: str = "") -> str:
        """The camera's URL, perhaps through a proxy's ``port``, perhaps with ``login``."""
        return f"rtsp://{login and login + '@'}127.0.0.1:{port or self.port}/{name}"

    def kill(self) -> None:
        """Gone at once, as a camera that loses its power. Idempotent."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


def make_film(
    path: Path, seconds: float = 8.0, fps: int = 25, size: tuple[int, int] = (160, 120), noise: int = 0
) -> Path:
    """H.264 without B-frames, a keyframe each second; picture n is one grey that rises with n, with ``noise``."""
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, fps)
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(fps), "bf": "0"}
        for number in range(round(seconds * fps)):
            luma = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
            luma[: size[1]] = 30 + number % 190
            if noise:
                luma[: size[1]] += rng.integers(0, noise, (size[1], size[0]), np.uint8)
            frame = av.VideoFrame.from_ndarray(luma, format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
