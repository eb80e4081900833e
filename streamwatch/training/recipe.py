"""A recipe: one YAML file that says how a published figure was made. Shipped ones lie in ``recipes/``.

What the library itself does not know stands here: which sources mark what, how much each counts, how clips are
disturbed. Any key may be left out; what it then means is said by the defaults below, or by the recipe that ``extends``
names, a shipped one or a file beside this one: mappings are merged key by key, all else is replaced.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from streamwatch.config import explain
from streamwatch.document import nearest, read_document
from streamwatch.errors import ConfigError
from streamwatch.training.settings import Settings

__all__ = [
    "RECIPES",
    "Augment",
    "CardRecipe",
    "Disturb",
    "EncoderRecipe",
    "FeatureRecipe",
    "LabelRecipe",
    "PretrainRecipe",
    "PruneRecipe",
    "Recipe",
    "ShareRecipe",
    "ShiftRecipe",
    "load_recipe",
    "recipe_names",
]

RECIPES = Path(__file__).parent / "recipes"
Share = Annotated[float, Field(ge=0, le=1)]
Event = Literal["fight", "fall", "shoplifting"]
Weight = Annotated[float, Field(ge=0, le=100)]
Threshold = Annotated[float, Field(gt=0, lt=1)]
Range = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Augment(_Strict):
    """How clips are disturbed before they are seen: drawn anew for each copy, mild enough to stay the same event."""

    offset: Annotated[float, Field(ge=0, le=1, description="seconds by which the cuts move, at most")] = 0.5
    speed: Range = (0.8, 1.35)
    flip: Annotated[Share, Field(description="share that is mirrored")] = 0.5
    crop: Annotated[float, Field(gt=0, le=1, description="smallest side that is left")] = 0.8
    rotation: Annotated[float, Field(ge=0, le=45, description="degrees, either way")] = 7.0
    gain: Range = (0.75, 1.3)
    bias: Annotated[float, Field(ge=0, le=128, description="grey levels, either way")] = 20.0
    recompress: Annotated[Share, Field(description="share that goes through JPEG once more")] = 0.4
    quality: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(le=100)]] = (25, 85)

    @field_validator("speed", "gain", "quality")
    @classmethod
    def _rises(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError(f"must be [lowest, highest], not {list(value)}")
        return value


class Disturb(_Strict):
    """How clips are disturbed while the eyes are trained; shares of the clips unless said otherwise."""

    crop: Annotated[float, Field(gt=0, le=1, description="smallest side that is left")] = 0.75
    rotation: Annotated[float, Field(ge=0, le=45, description="degrees, either way")] = 7.0
    shake: Share = 0.08
    small: Annotated[Share, Field(description="set into a still picture at a half to a quarter of its size")] = 0.25
    gain: Range = (0.7, 1.35)
    bias: Annotated[float, Field(ge=0, le=128, description="grey levels, either way")] = 22.0
    flicker: Share = 0.08
    grey: Share = 0.15
    noise: Annotated[float, Field(ge=0, description="grey levels, of half of the clips, at most")] = 7.0
    recompress: Share = 0.4
    coarseness: Range = (0.3, 2.0)


class ShiftRecipe(_Strict):
    """Which ``share`` of the channels that come into each of ``blocks`` is the frame's before, and as large a one the
    frame's after (TSM). Only blocks that keep what comes in beside what they make of it can be chosen."""

    share: Annotated[float, Field(ge=0.05, le=0.5)] = 0.125  # of 24 channels at least one
    blocks: Annotated[list[Literal[2, 4, 6, 7, 9, 10]], Field(min_length=1)] = [6, 7, 9, 10]


class EncoderRecipe(_Strict):
    """How the eyes are tuned on events: ``runs`` times from ImageNet's weights, and the mean of the weights kept; once
    more for each of ``folds`` without its groups. Blocks below ``first`` stay as they are. ``steps`` 0: not at all."""

    steps: Annotated[int, Field(ge=0)] = 400
    runs: Annotated[int, Field(ge=1, le=16)] = 2
    folds: Annotated[int, Field(ge=2, le=16)] = 3
    blend: Annotated[bool, Field(description="the weights kept are the mean of the folds' runs too")] = False
    batch: Annotated[int, Field(ge=2)] = 48
    first: Annotated[int, Field(ge=0, le=10)] = 3
    rate: Annotated[float, Field(gt=0, le=1)] = 1.5e-4
    fresh: Annotated[float, Field(gt=0, description="the heads learn so many times as fast")] = 2.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.995
    dropout: Share = 0.2
    smoothing: Share = 0.05
    start: Annotated[int, Field(ge=2, description="clips on which the first heads are fitted")] = 7680
    rendered: Annotated[int, Field(ge=0, le=64, description="rounds of rendered scenes beside the clips")] = 6
    heads: Annotated[list[Event], Field(description="keep the heads they were tuned with; others are fitted")] = [
        "fight"
    ]
    disturb: Disturb = Disturb()
    shift: Annotated[ShiftRecipe | None, Field(description="channels of other frames; none unless said")] = None

    @model_serializer(mode="wrap")
    def _unsaid_is_left_out(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """So that runs and caches of before there was a shift go on."""
        found: dict[str, Any] = write(self)
        return {name: value for name, value in found.items() if name != "shift" or value is not None}


class FeatureRecipe(_Strict):
    """What is seen of each clip. ``of_source``: copies of the clips of a source in place of ``variants``."""

    variants: Annotated[int, Field(ge=1, le=64, description="copies of a clip: one clean, one half a second on")] = 8
    of_source: dict[str, Annotated[int, Field(ge=1, le=64)]] = {}
    rendered: Annotated[int, Field(ge=0, le=64, description="rounds of rendered scenes beside the clips")] = 16
    backbone: Annotated[str | None, Field(description="folder or name of a Hugging Face model; else Lite0")] = None
    augment: Augment = Augment()


class LabelRecipe(_Strict):
    """``unsaid``: in clips that show the one event, the others may happen too and nobody marked them, except in
    sources that are ``complete``."""

    unsaid: dict[str, list[str]] = {"fight": ["fall"]}
    complete: list[str] = ["synthetic"]


class ShareRecipe(_Strict):
    """How much a clip counts. For events that its source shows anywhere: 1, or what ``sources`` says of the event; for
    others, as a negative of another place, ``away``, times what the source says of ``away``: more makes the net learn
    places."""

    away: Share = 0.1
    sources: dict[str, dict[str, Weight]] = {}

    def of(self, source: str, event: str, at_home: bool) -> float:
        own = self.sources.get(source, {})
        return own.get(event, 1.0) if at_home else self.away * own.get("away", 1.0)


class PretrainRecipe(_Strict):
    """Two stages: ``align_steps`` of captions that fit, then ``hidden_steps`` of hidden seconds and words. ``text``,
    ``video``, ``both`` and ``keep`` weigh the losses; ``info`` the contrastive one beside the visual words."""

    align_steps: Annotated[int, Field(ge=0)] = 200
    hidden_steps: Annotated[int, Field(ge=0)] = 500
    batch: Annotated[int, Field(ge=2)] = 24
    window: Annotated[int, Field(ge=2, le=32)] = 16
    rate: Annotated[float, Field(gt=0, le=1)] = 5e-5
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 0.8
    joined: Share = 0.3
    subsample: Annotated[int, Field(ge=1, le=5, description="windows keep every 1st … nth second")] = 1
    hidden_seconds: tuple[Share, Share] = (0.25, 0.4)
    hidden_words: Share = 0.15
    text: Weight = 0.3
    video: Weight = 1.0
    both: Weight = 1.0
    keep: Weight = 1.0
    info: Weight = 0.5


class PruneRecipe(_Strict):
    """How eyes are made narrower: about ``share`` of the channels inside each block goes, and ``steps`` of distillation
    by what they were before make up for it; 0: not at all."""

    share: Annotated[float, Field(ge=0.01, le=0.9)] = 0.3
    steps: Annotated[int, Field(ge=0)] = 400
    batch: Annotated[int, Field(ge=2)] = 8
    rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.98


class CardRecipe(_Strict):
    """What a pack says of itself and no command measures. ``thresholds`` are [on, off]; what is left out is fitted.
    ``clips`` is the digest of the one manifest for which all this holds; left out: for any."""

    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]{1,32}$")] = "0.1.0"
    clips: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    thresholds: dict[Event, tuple[Threshold, Threshold]] = {}
    descriptions: dict[Event, str] = {}
    limits: list[str] = []

    @field_validator("thresholds")
    @classmethod
    def _ends_below(cls, value: dict[Event, tuple[float, float]]) -> dict[Event, tuple[float, float]]:
        for event, (on, off) in value.items():
            if off >= on:
                raise ValueError(f"{event}: must be [on, off] with off below on, not {[on, off]}")
        return value


class Recipe(_Strict):
    """``name``, ``about`` and ``card`` are what a pack says of itself. ``memory``: seconds that count as now before
    training refines it. ``held``: share of the training groups on which early stopping looks; they are not trained
    on."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = "own"
    about: str = ""
    card: CardRecipe | None = None
    encoder: EncoderRecipe = EncoderRecipe()
    features: FeatureRecipe = FeatureRecipe()
    labels: LabelRecipe = LabelRecipe()
    shares: ShareRecipe = ShareRecipe()
    memory: dict[str, Annotated[int, Field(ge=1, le=32)]] = {"fight": 2, "fall": 3, "shoplifting": 10}
    held: Annotated[float, Field(ge=0, lt=1)] = 0.0
    pretrain: PretrainRecipe = PretrainRecipe()
    prune: PruneRecipe = PruneRecipe()
    train: Settings = Settings()

    @model_validator(mode="after")
    def _stops_on_something(self) -> Self:
        if self.train.patience and not self.held:
            raise ValueError("train.patience needs held: the share of the training groups to look at, e.g. 0.2")
        return self


def recipe_names() -> list[str]:
    """What ships."""
    return sorted(path.stem for path in RECIPES.glob("*.yml"))


def load_recipe(name: str) -> Recipe:
    """A shipped recipe by its name, or a file. Raises ConfigError with every fault, one a line."""
    path = _path_of(name, Path())
    try:
        return Recipe.model_validate(_document(path, ()))
    except ValidationError as error:
        raise ConfigError(explain(error, str(path), Recipe)) from None


def _path_of(name: str, beside: Path) -> Path:
    for path in (RECIPES / f"{name}.yml", beside / name):
        if path.is_file():
            return path
    known = recipe_names()
    raise ConfigError(f"recipe {name!r}: no such file, nor one of {', '.join(known)}{nearest(name, known)}")


def _document(path: Path, below: tuple[Path, ...]) -> Any:
    """What ``path`` says, laid over what it extends; ``below`` are those that extend it."""
    if path.resolve() in below:
        raise ConfigError(f"{path}: extends itself, by way of {', '.join(str(each) for each in below)}")
    document = read_document(path)
    if document is None:
        return {}
    if not isinstance(document, dict) or "extends" not in document:
        return document
    name = document.pop("extends")
    if not isinstance(name, str):
        raise ConfigError(f"{path}: extends: must be the name of one recipe, or a file")
    return _laid_over(_document(_path_of(name, path.parent), (*below, path.resolve())), document)


def _laid_over(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {**under, **{key: _laid_over(under.get(key), value) for key, value in over.items()}}
