"""What a configuration amounts to, with everything checked that can be checked before anything runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from streamwatch.config import Config
from streamwatch.errors import ConfigError
from streamwatch.models.inference import Zones
from streamwatch.models.pack import Pack, load_pack
from streamwatch.models.zone import zone_cells
from streamwatch.rules.loading import load_rules
from streamwatch.rules.rule import Rule
from streamwatch.rules.vocabulary import Vocabulary
from streamwatch.video.source import check_url

__all__ = ["Plan", "draw_plan", "published", "rules_of", "shipped_rules", "zones_of"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The pack, the rules and each camera's zones as shares of the encoder's grid cells."""

    pack: Pack
    rules: tuple[Rule, ...]
    zones: Zones


def draw_plan(config: Config) -> Plan:
    """Check ``config`` against the pack and the rule files it names. Raises ConfigError, PackError."""
    for camera in config.cameras:
        try:
            check_url(camera.url)
        except ConfigError as error:
            raise ConfigError(f"camera {camera.name}: {error}") from error
    pack = load_pack(config.model)
    card = pack.card
    if config.events:
        names = ", ".join(event.name for event in config.events)
        raise ConfigError(f"events: {names}: pack {card.name} {card.version} scores no events defined by text")
    return Plan(pack, rules_of(config, frozenset(card.events)), zones_of(config, card.grid))


def zones_of(config: Config, grid: int) -> Zones:
    """Each camera's zones as shares of the cells of the encoder's grid, which has ``grid`` by ``grid``."""
    return {
        camera.name: [(zone.name, zone_cells(zone.polygon, grid)) for zone in camera.zones] for camera in config.cameras
    }


def published(rules: Iterable[Rule], cameras: Iterable[str]) -> dict[str, list[str]]:
    """Camera → names of the rules that watch it and publish."""
    shown = [rule for rule in rules if not rule.shadow]
    return {name: [rule.name for rule in shown if rule.watches(name)] for name in cameras}


def rules_of(config: Config, events: frozenset[str]) -> tuple[Rule, ...]:
    """The rules of ``config`` for a model that scores ``events``. Raises RuleError.

    Where ``rules`` was left out and there is no folder ``rules/``, the shipped ones are used.
    """
    paths = config.rules
    if "rules" not in config.model_fields_set and not all(path.exists() for path in paths):
        paths = [shipped_rules()]
    zones = {camera.name: frozenset(zone.name for zone in camera.zones) for camera in config.cameras}
    return load_rules(paths, Vocabulary(events, tuple(camera.name for camera in config.cameras), zones))


def shipped_rules() -> Path:
    """The folder of rule files that come with streamwatch: in a wheel inside the package, else beside it."""
    inside = Path(__file__).parent / "shipped_rules"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "rules"
