"""A recording through the same stages as a live camera, without threads."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamwatch.config import SCHEMES, ZoneConfig
from streamwatch.errors import ConfigError, SourceError
from streamwatch.metrics import Metrics
from streamwatch.models.detection import Detection
from streamwatch.models.inference import Inference, Model
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.models.zone import zone_cells
from streamwatch.plan import shipped_rules
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.loading import load_rules
from streamwatch.rules.vocabulary import Vocabulary
from streamwatch.secret import SecretUrl
from streamwatch.sinks.score_files import file_name
from streamwatch.sinks.scores import ScoreLog
from streamwatch.video.camera import read_clips
from streamwatch.video.frame import Clip
from streamwatch.video.window import ClipTiming

__all__ = ["Recording", "Step", "camera_name", "open_recording", "score_log", "source_url"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What one second of a recording gave: the clip, its detections (one a zone, and the whole picture), alerts."""

    clip: Clip
    detections: tuple[Detection, ...]
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A video with the model and the rules that watch it. Times are seconds of media time from its first picture."""

    url: SecretUrl
    camera: str
    model: Model
    book: RuleBook
    zones: tuple[ZoneConfig, ...] = ()

    def steps(self, progress: Callable[[float], None] = lambda seconds: None) -> Iterator[Step]:
        """Each second of it in order, and a last step that ends what still fires. Raises SourceError."""
        card = self.model.card
        zones = {self.camera: [(zone.name, zone_cells(zone.polygon, card.grid)) for zone in self.zones]}
        inference = Inference(self.model, zones, Metrics())
        timing = ClipTiming(card.size, card.frames, card.clip_seconds, card.stride_seconds)
        last: Clip | None = None
        for clip in read_clips(self.url, timing, self.camera):
            detections = tuple(inference.process([clip]))
            yield Step(clip, detections, tuple(alert for d in detections for alert in self.book.observe(d)))
            progress(clip.end)
            last = clip
        if last is None:
            raise SourceError(f"{self.url}: shorter than one clip of {card.clip_seconds:g} s", reason="invalid")
        yield Step(last, (), self.book.close(last.end, "end_of_stream"))


def source_url(video: str) -> SecretUrl:
    """The URL of ``video``: a URL of a known scheme, else a path. Raises SourceError if there is no such file."""
    url = SecretUrl(video)
    if url.scheme in SCHEMES:
        return url
    if not Path(video).is_file():
        raise SourceError(f"{url}: no such file, and no URL that starts with {', '.join(SCHEMES)}", reason="not_found")
    return SecretUrl(Path(video).resolve().as_uri())


def open_recording(video: str, model: str, rules: Sequence[Path] | None) -> Recording:
    """``video`` with the pack in ``model`` and the rules in ``rules``, or the shipped ones.

    Raises SourceError, PackError, RuleError.
    """
    url, camera = source_url(video), camera_name(video)
    pack = load_pack(model)
    vocabulary = Vocabulary(frozenset(pack.card.events), (camera,), {})
    book = RuleBook(load_rules(rules or [shipped_rules()], vocabulary), salt=video)
    return Recording(url, camera, OnnxModel(pack), book)


def score_log(folder: Path, camera: str) -> ScoreLog:
    """A new score log of a recording; its times are media seconds. Raises ConfigError if there is one already."""
    path = (folder / file_name(camera, 0.0)).parent
    if path.exists():
        raise ConfigError(f"{path}: scores of this recording are already there; move them, or name another folder")
    return ScoreLog(folder, on_drop=lambda rows, reason: log.error("%d scores are not in %s", rows, folder))


def camera_name(video: str) -> str:
    """A camera's name for ``video``: the last part of its path in the letters that names may have."""
    stem = Path(video.split("?", maxsplit=1)[0].rstrip("/")).stem
    return re.sub(r"[^a-z0-9_-]+", "_", stem.lower()).strip("_-")[:64] or "video"
