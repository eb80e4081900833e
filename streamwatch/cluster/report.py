"""What a host and the site tell each other: one call, twice a second, from the host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.order import Order, Snoozed
from streamwatch.rules.rule import Rule
from streamwatch.sinks.outbox import Entry

__all__ = ["Answered", "Numbered", "Picture", "Reply", "Report", "Row", "Standing", "Welcome"]

Row = Detection | Gap | CameraState
Numbered = tuple[int, Order]
Answered = tuple[int, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How ``host`` is, at its time ``at`` (UTC s): what it reads, what that costs, where its /metrics are.

    ``boot`` tells one life of a host from the next, ``turn`` one report from the next; both rise. ``held`` maps camera
    → term of the lease, also of those whose thread has not ended yet. ``costs`` are cores by camera, ``load`` cores in
    all, ``capacity`` cores that there are; ``leaving``: it ends now.
    """

    host: str
    boot: int
    at: float
    held: Mapping[str, int] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    load: float = 0.0
    capacity: float = 1.0
    metrics: str = ""
    draining: bool = False
    leaving: bool = False
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """A snapshot, ``jpeg``, of the last incident of ``rule`` on ``camera``."""

    camera: str
    rule: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What a host tells: ``alerts`` that it has in its spool, ``rows`` for rules across cameras, new ``states``.

    ``rules`` is the hash of those in force there. ``answers`` are what became of acknowledgements, by the order's
    number, ``done`` the number of the last order that it has. ``going`` maps incident → camera of what is open there
    and all of it taken by the site; ``behind``: more waits in the spool than is told here. ``snoozes`` are those in
    force there.
    """

    standing: Standing
    rules: str = ""
    alerts: Sequence[Entry] = ()
    rows: Sequence[Row] = ()
    states: Mapping[str, str] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()
    answers: Sequence[Answered] = ()
    going: Mapping[str, str] = field(default_factory=dict)
    behind: bool = False
    done: int = 0
    snoozes: Sequence[Snoozed] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the site wants: the ``cameras`` that the host reads from now on, with the terms of their leases, and no
    other; of these those in ``disabled`` are switched off. ``rules`` to put in force, None: those it has. ``orders`` to
    carry out come until the host says that it has them. Of the alerts told the first ``kept`` need not be told again.
    """

    cameras: Mapping[str, int] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] | None = None
    orders: Sequence[Numbered] = ()
    draining: bool = False
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a host must know before it begins: whose incidents these are, and the rules in force."""

    instance: str
    rules: tuple[Rule, ...]
