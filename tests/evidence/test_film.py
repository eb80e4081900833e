import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamwatch.errors import EvidenceError
from streamwatch.evidence.film import EncodedFilm, open_film
from streamwatch.evidence.still import take_still
from streamwatch.video.packets import Packet, PacketRing
from tests.evidence.footage import EPOCH, fill, make_ring, make_video, pictures, probe

MASK = [[(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)]]  # the upper left quarter


def record(target: Path, packets: list[Packet], masks: list[list[tuple[float, float]]] | None = None) -> None:
    film = open_film(target, packets[0], masks or [])
    for packet in packets:
        film.write(packet)
    assert not target.exists(), "a partial clip has a clip's name"
    film.finish()


@pytest.mark.usefixtures("ffmpeg")
@pytest.mark.parametrize(
    ("encoder", "bf", "tag"), [("libx264", 0, "avc1"), ("libx264", 3, "avc1"), ("libx265", 0, "hev1")]
)
def test_the_cameras_packets_become_an_mp4(tmp_path: Path, encoder: str, bf: int, tag: str) -> None:
    source = make_video(tmp_path / "source.mp4", encoder, 4, bf=bf)
    record(tmp_path / "day" / "clip.mp4", make_ring(source).since(0))
    assert probe(tmp_path / "day" / "clip.mp4", "codec_tag_string", "nb_read_frames") == [tag, "40"]
    for ours, theirs in zip(pictures(tmp_path / "day" / "clip.mp4"), pictures(source), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.usefixtures("ffmpeg")
def test_it_may_begin_at_any_keyframe(tmp_path: Path, video: Path) -> None:
    record(tmp_path / "clip.mp4", make_ring(video).since(EPOCH + 4.5))
    assert probe(tmp_path / "clip.mp4", "nb_read_frames") == ["60"]


@pytest.mark.usefixtures("ffmpeg")
def test_a_reconnect_leaves_its_time_in_the_clip(tmp_path: Path, video: Path) -> None:
    ring = PacketRing(1000, lambda: EPOCH)
    fill(ring, video, start=EPOCH)
    fill(ring, video, start=EPOCH + 30)
    record(tmp_path / "clip.mp4", ring.since(0))
    assert probe(tmp_path / "clip.mp4", "nb_read_frames", "duration")[0] == "40.000000"


@pytest.mark.usefixtures("ffmpeg")
def test_masked_pixels_never_reach_the_disk(tmp_path: Path, bright: Path) -> None:
    packets = make_ring(bright).since(0)
    record(tmp_path / "open.mp4", packets)
    record(tmp_path / "clip.mp4", packets, MASK)
    assert np.max([image[:60, :80] for image in pictures(tmp_path / "open.mp4")]) > 240  # it is there to be seen
    shown = pictures(tmp_path / "clip.mp4")
    assert probe(tmp_path / "clip.mp4", "codec_name", "nb_read_frames") == ["h264", "100"]
    assert np.max([image[:58, :78] for image in shown]) < 30
    assert np.min([image[64:, 84:] for image in shown]) > 40  # and nothing else is hidden
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "open.mp4"]


def test_other_codecs_are_encoded_again(tmp_path: Path) -> None:
    source = make_video(tmp_path / "source.avi", "mpeg4", 2)
    packets = make_ring(source).since(0)
    film = open_film(tmp_path / "clip.mp4", packets[0], [])
    assert isinstance(film, EncodedFilm)
    for packet in packets:
        film.write(packet)
    film.finish()
    assert len(pictures(tmp_path / "clip.mp4")) == 20


def test_an_abandoned_film_leaves_nothing(tmp_path: Path, video: Path) -> None:
    packets = make_ring(video).since(0)
    for masks in ([], MASK):
        film = open_film(tmp_path / "clip.mp4", packets[0], masks)
        for packet in packets:
            film.write(packet)
        film.abandon()
        film.abandon()
        assert list(tmp_path.iterdir()) == []


def test_a_damaged_packet_does_not_end_a_masked_film(tmp_path: Path, video: Path) -> None:
    packets = make_ring(video).since(0)
    film = open_film(tmp_path / "clip.mp4", packets[0], MASK)
    for packet in packets:
        film.write(packet if packet.number != 15 else Packet(15, packet.run, packet.pts, False, b"\xff" * 40, 0.0))
    film.finish()
    assert len(pictures(tmp_path / "clip.mp4")) >= 90


def test_what_cannot_be_written_is_said(tmp_path: Path, video: Path) -> None:
    (tmp_path / "file").write_text("")
    packets = make_ring(video).since(0)
    with pytest.raises(EvidenceError, match="clip"):
        open_film(tmp_path / "file" / "clip.mp4", packets[0], [])
    garbage = Packet(1, packets[0].run, 0, True, b"not a picture", 0.0)
    film = EncodedFilm(tmp_path / "clip.mp4", garbage, [])
    film.write(garbage)
    with pytest.raises(EvidenceError, match="not one picture"):
        film.finish()
    film.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


FULL = """
import resource, signal, sys
from pathlib import Path
from streamwatch.errors import EvidenceError
from streamwatch.evidence.film import open_film
from tests.evidence.footage import make_ring
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
packets = make_ring(Path(sys.argv[1])).since(0)
try:
    film = open_film(Path(sys.argv[2]), packets[0], [])
    for _ in range(20):
        for packet in packets:
            film.write(packet)
    film.finish()
except EvidenceError as error:
    film.abandon()
    print("refused:", error)
"""


def test_a_disk_that_takes_no_more_is_an_error_and_leaves_no_clip(tmp_path: Path, video: Path) -> None:
    """The kernel's own refusal: a limit on the size of files."""
    target = tmp_path / "clip.mp4"
    found = subprocess.run(
        [sys.executable, "-c", FULL, str(video), str(target)], capture_output=True, text=True, timeout=60, check=False,
        cwd=Path(__file__).parent.parent.parent,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(f"refused: {target}: ")
    assert list(tmp_path.iterdir()) == []


def test_a_packet_that_claims_a_giant_picture_is_not_decoded(
    tmp_path: Path, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The camera's own decoder refuses it; so must the one that makes clips and snapshots of the same packets."""
    monkeypatch.setattr("streamwatch.evidence.film.MAX_PIXELS", 160 * 120 - 1)
    with pytest.raises(EvidenceError, match="not one picture"):
        record(tmp_path / "clip.mp4", make_ring(bright).since(0), MASK)
    assert not list(tmp_path.glob("clip*"))


def test_a_camera_that_changes_its_resolution_stays_masked(tmp_path: Path, bright: Path) -> None:
    ring = PacketRing(1000, lambda: EPOCH)
    fill(ring, bright)
    fill(ring, make_video(tmp_path / "large.mp4", seconds=3, bright=True, size=(320, 240)), start=EPOCH + 10)
    record(tmp_path / "clip.mp4", ring.since(0), MASK)
    images = pictures(tmp_path / "clip.mp4")
    assert len(images) == 130
    assert max(int(image[:56, :76].max()) for image in images) < 30
    assert min(int(image[64:, 84:].min()) for image in images) > 40
    for at, size in ((EPOCH + 5, (160, 120)), (EPOCH + 11, (320, 240))):
        still = take_still(ring.around(at), at, MASK)
        image = cv2.imdecode(np.frombuffer(still.full, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape[1::-1] == size
        assert image[: size[1] // 2 - 8, : size[0] // 2 - 8].max() < 30
