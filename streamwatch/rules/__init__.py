"""Temporal rules: detections and time go in, alerts come out. Pure: no clock, no thread; only ``loading`` reads files.

::

    vocabulary = Vocabulary(events=frozenset({"fall"}), cameras=("ward-1",), zones={})
    book = RuleBook(load_rules([Path("rules/fall.yml")], vocabulary), salt="site-7")
    alerts = book.observe(detection)        # for each detection, in the order in which they come
    alerts = book.tick(now)                 # about once a second, whether or not detections come
    alerts = book.gap("ward-1", now)        # when the camera's stream broke
    alerts = book.camera("ward-1", "offline", now)    # when its state changed
    alerts = book.replace(rules, now)       # when the rule files changed
    alerts = book.acknowledge(order, now)   # when somebody took note of an incident
    alerts = book.snooze(order, now)        # when somebody wants to hear nothing of a rule for a while
    alerts = book.close(now, "shutdown")    # at the end

**Event time.** A rule's time is ``Detection.end``, per camera; nothing here reads a clock. The same detections give
the same alerts, ids included, byte for byte: live, replayed, tested or backtested, and however often ``tick`` is
called. What happens without a detection happens at a *deadline*, and its alert bears the deadline's time.

**Life of an incident** (per rule and camera; the words are Prometheus')::

    inactive ──condition holds──▶ pending ──for `for`──▶ firing ──not for max(gap, keep_firing_for)──▶ inactive
        ▲                            │                      │ new, update …                            │ end
        └────not for `gap`, silence──┘                      └── no new incident for `cooldown` ◀───────┘

A condition holds from the detection that says so until the one that says otherwise; ``gap`` and ``keep_firing_for``
count from the latter. An interruption shorter than ``gap`` does not end a pending incident, nor does its time count
less. Firing begins with a detection (or a state, see below), never by the mere passing of time. With one score a
second, ``for: 1.5s`` means three scores in a row, and ``gap`` must be above 1 s to bridge a single low one.
``cooldown`` counts from the end; if the condition still holds when it is over, a new incident starts then.

**Alerts.** One ``new`` when it begins to fire; an ``update`` on a detection that matches, if the severity rose, if the
peak score rose by 0.1 since the last message and that was at least 1 s ago, or if 30 s passed without a message; one
``end``, whose ``annotations["end_reason"]`` is ``ended``, ``no_data``, ``gap``, ``error``, ``changed``, ``removed``,
``disabled`` (see below), ``restart`` (said by the next run of one that was killed) or what was given to ``close``.
``seq`` counts them without holes. ``start_time`` is when the condition began to hold (before ``for``), ``end_time``
when it last held, ``time`` when the message was decided. Alerts of ``shadow: true`` rules come out too, marked
``shadow``: whoever publishes must leave them out.

``state`` is that of the incident after the message: ``pending``, ``firing``, ``acknowledged``, ``closed`` or
``withdrawn``. ``why`` holds each condition of the rule as it was when the message was decided – whether it held, since
when, its score and threshold, the times that count for a sequence or count – for a ``new`` and the updates that a
detection caused: at most 32 conditions with texts of 160 characters and 16 times. It is computed for alerts only.

**Early warning.** With ``early`` an incident is told of while it is pending: ``new`` with the state ``pending`` on the
first detection at which the condition has held for ``after`` (0 s), but not yet for ``for``, or only on a window of
which less than ``filled`` (half) holds pictures. An ``update`` with the state ``firing`` confirms it once both are so;
an ``end`` with the state ``withdrawn`` takes it back: after an interruption of ``gap``, after 10 s of silence, at a
gap. The id is the same throughout. Without ``early`` a window that is not full counts like any other. A warning takes
no part in escalation, inhibits nothing, cannot be acknowledged, and is OFF where a state is ON or OFF. After one
withdrawn ``cooldown`` holds back further warnings, but never what is certain.

**Acknowledgement.** Of a firing incident that was told of, somebody may take note, once: an ``update`` with the state
``acknowledged`` and who it was, whose time is that of the order. Then nothing is told but the end, whose time is no
earlier; severity stays as it was. It is in memory: a reload keeps it, with the end of the incident it is forgotten.

**Snooze.** A rule, a camera or a rule on a camera can be snoozed for up to 7 days; of several the longest counts, and
256 can be in force. All goes on as without, but messages decided before its end, in event time, are marked ``snoozed``:
whoever publishes must leave them out, and they count no ``seq``. At its end an incident that still fires (or warns) is
announced by its ``new``, at that time; one that had been announced before is told again by one ``update`` if there was
anything to tell. The end of what was announced is always told, the end of what was not never. What nobody was told of
inhibits nothing and starts no ``cooldown``: after a snooze nothing is held back for what it withheld. A rule with
``on_cameras`` is snoozed as a whole only. A snooze outlives a reload, not a restart, and ends early if the clock given
to ``tick`` was set back: then alerts come again.

**Severity.** ``escalate: [{after: 30s, severity: critical}]`` raises it on the first detection that matches so long
after firing began; ``{count: 3, in: 1h, severity: critical}`` for the third incident of the rule on the camera to begin
to fire within less than an hour. It never falls within an incident; ``labels["severity"]`` follows it.

**Inhibition.** While a rule named in ``inhibited_by`` fires on the same camera, no incident begins to fire: it stays
pending, and fires with the first detection that matches after that. One that fires already goes on. On each
detection inhibiting rules are evaluated first, wherever they stand; a rule on trial inhibits only rules on trial.

**Which score.** ``event`` gives its own; ``all`` that of its weakest part, ``any`` that of its strongest that holds,
``k_of_n`` the strongest it counted, ``count`` that of the last beginning, ``sequence`` that of the last step that has
one; ``on_cameras`` the strongest that counts, in order that of its last step that has one; ``not``, ``absent``,
``motion``, ``anomaly``, ``camera``, ``schedule`` none. Until an event was scored it is unknown, and so is its ``not``.

**Conditions over time.** ``absent … for`` needs to have *known* for so long that its condition does not hold; anything
unknown starts it again. ``sequence … within`` holds at a detection at which the last step holds, if the others held at
earlier detections, in order, the first no longer than ``within`` ago; what is between does not matter, a step that
lasts may match at any moment, and two steps never match at one time. Of two partial matches equally far only the one
that began later is kept: whatever completes the other completes it too, so none is lost and there is at most one a
step. ``count … in … at_least`` counts beginnings, and keeps the last ``at_least`` of them. So the memory of a rule on a
camera is fixed by its text.

**Unusual.** ``anomaly`` ranks motion among what the camera itself showed at this hour of the day. Unknown until it
has seen enough, it keeps what it learnt over gaps, and over restarts as long as the rule's text is the same, if
somebody carries it over (``book.learnt``, ``book.remember``; ``streamwatch run`` does).

**Gaps, reconnects, restarts.** A gap or a silence of 10 s makes what *holds* unknown: hysteresis, ``k_of_n`` and
``absent`` start again. What has *happened* stays so: the steps matched and the beginnings counted survive both, until a
clock set back. All but what ``anomaly`` has learnt is in memory: a restart forgets, acknowledgements and snoozes too.

**Reload.** ``book.replace(rules, now)`` puts other rules in force between two detections. A rule with the same name and
``rule_hash`` goes on as if nothing had happened: conditions, partial matches, pending and firing incidents, cooldown,
repetitions. One whose text changed at all ends what fires with ``changed``, one that is gone with ``removed``; what was
pending lapses. A rule changed or new knows nothing yet: a sequence half matched starts again, there is no cooldown.
The state of a camera is known to it, and its ids are others than before. ``inhibited_by`` means the rules now in force.

**Several cameras.** A rule with ``on_cameras`` has one state and one incident for the site; one with
``group_by: [rule]`` is evaluated on each camera by itself, and its incidents are told as one (``group.py``). Both hear
the cameras in order of event time: what one says waits until another is 2 s ahead, or until ``tick`` says that nothing
older is waited for, so their alerts come that much later, and do not depend on which camera answers first. What comes
later still is not heard by them, and counted as ``late``. A gap of a camera makes unknown what held there; the
incident goes on if what other cameras say suffices. ``inhibited_by`` looks at every camera of an ``on_cameras`` rule.
Such a rule can inhibit only rules that wait as it does. The alert's ``camera`` is that which completed it, and stays so
for the incident; the label ``cameras`` names all that took part, and an ``update`` tells of each that joins.

**Zones.** ``event`` listens to detections of its ``zone``, without one to those of the whole picture. A rule over
several zones is evaluated with each detection; give it a ``for`` above 0, since zones are scored one after another.

**Late and missing detections.** Within one zone of one camera a detection older than the newest is ignored and counted
(``RuleBook.late``); one older by more than 10 s says that the clock was set back and counts as a gap. No detection for
max(``gap``, 10 s) ends what is pending, for max(``gap``, ``keep_firing_for``, 10 s) what fires, as of then.
``tick(at)`` allows detections ``lateness`` seconds to arrive: give it the time now, not the last detection's. With a
``gap`` pending ends and firing is interrupted. With ``no_data: hold`` neither silence nor gap touches what fires: it
ends when a detection says so. With ``no_data: alert`` it ends as with ``close``, and an incident of its own (``cause``
``no_data``, with the rule's name, severity and labels) begins when no detection of the rule's zones came for 10 s,
after the last one or after the camera's first state, and ends with the next detection. It is told by ``new`` and
``end`` only, neither inhibited nor escalated, may be acknowledged and snoozed; when the camera is disabled on purpose
it ends with ``disabled``, and none begins. A reconnect within 10 s is no silence.

**States.** ``book.camera`` tells the state of a camera, which is heard like a detection of a zone of its own: when it
changes, and again at each whole second of time, as ``tick`` tells it. So ``camera`` rules fire while nothing is
detected, and need a tick at least each 10 s: after a longer pause what was open ends with ``no_data`` and begins anew.
A rule that joins ``camera`` with detections hears both in the order in which they are given to the book.

**Sleep.** A rule of one zone that does not hold is not evaluated while no level can change that (``rest.py``). It
makes no difference but speed.

**Faults.** A rule that raises is counted (``RuleBook.errors``, ``last_errors``), treated as after a gap, and
evaluated again with the next detection; the others go on.
"""
