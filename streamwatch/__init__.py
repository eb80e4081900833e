"""streamwatch: real-time surveillance stream analyzer.

::

    with streamwatch.open("streamwatch.yml") as pipeline:  # threads live exactly as long as the block
        for alert in pipeline:
            print(alert.camera, alert.rule, alert.type, alert.score)
    for detection in streamwatch.detect("clip.mp4"):  # offline, no threads, same code
        print(detection.end, detection.scores)
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamwatch.models.detection import Detection
    from streamwatch.pipeline import Pipeline

__all__ = ["__version__", "detect", "open"]

__version__ = "0.1.0"


def open(path: str | Path) -> "Pipeline":  # noqa: A001  # read as streamwatch.open
    """The pipeline of the configuration in ``path``; its threads start and stop with its ``with`` block.

    Raises ConfigError, PackError, ProviderError, PortInUseError.
    """
    from streamwatch.config import load_config
    from streamwatch.pipeline import Pipeline

    return Pipeline(load_config(Path(path)))


def detect(video: str | Path, model: str = "bundled", provider: str = "auto") -> Iterator["Detection"]:
    """The detections of a file or URL, one a second; times are seconds from its first picture.

    Raises SourceError, PackError.
    """
    from streamwatch.models.onnx import OnnxModel
    from streamwatch.models.pack import load_pack
    from streamwatch.offline import Recording, camera_name, source_url
    from streamwatch.rules.book import RuleBook

    url = source_url(str(video))
    model_ = OnnxModel(load_pack(model), provider)
    recording = Recording(url, camera_name(str(video)), model_, RuleBook((), salt=""))
    for step in recording.steps():
        yield from step.detections
