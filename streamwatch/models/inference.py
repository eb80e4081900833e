"""The inference thread's work: clips in, detections out; tokens once, windows over the ring, batched over cameras."""

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamwatch.activity import activity
from streamwatch.errors import InferenceError, MailboxClosedError
from streamwatch.mailbox import Mailbox
from streamwatch.metrics import Metrics
from streamwatch.models.bucket import max_batch
from streamwatch.models.detection import Detection, ModelInfo, Token, Vector
from streamwatch.models.pack import Card
from streamwatch.models.still import Stills
from streamwatch.models.window import TokenWindow, Window
from streamwatch.video.frame import Clip

__all__ = ["MAX_BATCH", "Inference", "Model", "Zones"]

MAX_BATCH = max_batch("cpu")
MAX_FAILURES = 5  # failed batches in a row before the session is given up

Zones = Mapping[str, Sequence[tuple[str, NDArray[np.float32]]]]
"""camera → its zones as (name, share of each grid cell [g, g])."""


class Model(Protocol):
    """What inference needs of a model; ``OnnxModel`` is one."""

    card: Card
    info: ModelInfo

    def encode(self, frames: NDArray[np.uint8]) -> tuple[Vector, Vector, Vector]:
        """token [B, D], grid [B, D, g, g], motion [B, g, g] of ``frames`` uint8 [B, T, S, S, 3]."""
        ...

    def score(self, visual: Vector, age: Vector, mask: Vector) -> NDArray[np.float64]:
        """Probabilities [B, E] of windows ``visual`` [B, N, D], ``age`` [B, N], ``mask`` [B, N]."""
        ...


class Inference:
    """Encodes clips and scores the windows that end with them. Owned by one thread; offline use calls ``process``.

    ``now`` gives UTC seconds by the cameras' clock. ``spent`` is the clock of the stages: the model's
    (``OnnxModel.spent``) where it has threads of its own or is waited for, else CPU seconds of the thread.
    """

    def __init__(
        self,
        model: Model,
        zones: Zones,
        metrics: Metrics,
        now: Callable[[], float] = time.time,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._now = now
        self._spent = spent
        self._model = model
        self._zones = zones
        self._metrics = metrics
        self._windows: dict[str, TokenWindow] = {}
        self._suspects: set[str] = set()  # cameras whose last clip was damaged
        self._stills = Stills()
        self._failures = 0

    def run(
        self,
        mailbox: Mailbox[str, Clip],
        emit: Callable[[Detection], None],
        stop: Event,
        beat: Callable[[], None] = lambda: None,
        most: int = MAX_BATCH,
    ) -> None:
        """Take clips, ``most`` at once, until the mailbox closes or ``stop`` is set; ``emit`` may block. ``beat`` shows
        that it lives.

        Raises InferenceError after MAX_FAILURES failed batches in a row.
        """
        while not stop.is_set():
            beat()
            try:
                clips = mailbox.take(most, timeout=1.0)
            except MailboxClosedError:
                return
            for detection in self.process(clips):
                emit(detection)

    def process(self, clips: Sequence[Clip]) -> list[Detection]:
        """The detections of ``clips`` (of different cameras), in their order; clips that fail twice are dropped."""
        clips = [clip for clip in clips if self._admits(clip)]
        if not clips:
            return []
        self._metrics.batch_size.observe(len(clips))
        try:
            detections = self._detect_batch(clips)
        except InferenceError as error:
            return self._retry(clips, error)
        self._failures = 0
        return detections

    def _admits(self, clip: Clip) -> bool:
        """Whether to look at ``clip``: a single damaged one leaves a hole, so that it never raises an alert alone.

        Damage that lasts is looked at all the same: a lossy network must not blind a camera.
        """
        if not clip.damaged:
            self._suspects.discard(clip.camera)
            return True
        if clip.camera in self._suspects:
            return True
        self._suspects.add(clip.camera)
        self._metrics.clips_dropped.labels(clip.camera, "damaged").inc()
        return False

    def _retry(self, clips: Sequence[Clip], error: InferenceError) -> list[Detection]:
        """Once more, one by one: a clip that spoils its batch must not take the others with it."""
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            raise InferenceError(f"{self._failures} batches failed in a row; the last: {error}") from error
        detections: list[Detection] = []
        for clip in clips:
            try:
                detections += self._detect_batch([clip])
            except InferenceError:
                self._metrics.clips_dropped.labels(clip.camera, "inference").inc()
        return detections

    def _detect_batch(self, clips: Sequence[Clip]) -> list[Detection]:
        began = self._spent()
        tokens = self._encode(clips)
        encoded = self._spent()
        detections = self._score(tokens)
        stage = self._metrics.stage_seconds
        stage.labels("encode").observe(encoded - began)
        stage.labels("score").observe(self._spent() - encoded)
        return detections

    def _encode(self, clips: Sequence[Clip]) -> list[Token]:
        known = [self._stills.token(clip) for clip in clips]
        new = [clip for clip, token in zip(clips, known, strict=True) if token is None]
        fresh = iter(self._encode_batch(new) if new else ())
        for clip, token in zip(clips, known, strict=True):
            self._metrics.tokens.labels(clip.camera, "encoded" if token is None else "still").inc()
        return [next(fresh) if token is None else token for token in known]

    def _encode_batch(self, clips: Sequence[Clip]) -> list[Token]:
        embedding, grid, motion = self._model.encode(np.stack([clip.frames for clip in clips]))
        tokens = [
            Token(
                clip.camera, clip.start, clip.end, embedding[i], grid[i], motion[i], self._activity(clip),
                clip.epoch, clip.index,
            )
            for i, clip in enumerate(clips)
        ]  # fmt: skip
        for clip, token in zip(clips, tokens, strict=True):
            self._stills.keep(clip, token)
        return tokens

    def _activity(self, clip: Clip) -> Vector:
        cells = self._model.card.grid
        known = clip.activity
        return known if known is not None and known.shape == (cells, cells) else activity(clip.frames, cells)

    def _score(self, tokens: Sequence[Token]) -> list[Detection]:
        windows = [window for token in tokens for window in self._slide(token)]
        known = [self._stills.scores(window) for window in windows]
        new = [window for window, row in zip(windows, known, strict=True) if row is None]
        fresh = iter(self._score_batch(new) if new else ())
        now = self._now()
        return [
            self._detect(window, next(fresh) if row is None else row, now)
            for window, row in zip(windows, known, strict=True)
        ]

    def _score_batch(self, windows: Sequence[Window]) -> NDArray[np.float64]:
        probabilities = self._model.score(
            np.stack([window.visual for window in windows]),
            np.stack([window.age for window in windows]),
            np.stack([window.mask for window in windows]),
        )
        for window, row in zip(windows, probabilities, strict=True):
            self._stills.keep_scores(window, row)
        return probabilities

    def _slide(self, token: Token) -> list[Window]:
        ring = self._windows.get(token.camera)
        if ring is None:
            ring = TokenWindow(self._model.card.window, self._zones.get(token.camera, ()))
            self._windows[token.camera] = ring
        ring.add(token)
        return ring.windows()

    def _detect(self, window: Window, row: NDArray[np.float64], now: float) -> Detection:
        scores = {event: float(p) for event, p in zip(self._model.card.events, row, strict=True)}
        if window.zone is None:
            self._metrics.windows.labels(window.camera).inc()
            self._metrics.frame_age.labels(window.camera).observe(max(0.0, now - window.end))
            for event, score in scores.items():
                self._metrics.event_score.labels(window.camera, event).set(score)
        filled = float(window.mask.mean())
        return Detection(
            window.camera, window.start, window.end, window.zone, scores, window.motion, filled, self._model.info
        )
