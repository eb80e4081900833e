"""Temporal rules: detections and time go in, alerts come out. Pure: no clock, no thread; only ``loading`` reads files.

::

    vocabulary = Vocabulary(events=frozenset({"fall"}), cameras=("ward-1",), zones={})
    book = RuleBook(load_rules([Path("rules/fall.yml")], vocabulary), salt="site-7")
    alerts = book.observe(detection)        # for each detection, in the order in which they come
    alerts = book.tick(now)                 # about once a second, whether or not detections come
    alerts = book.gap("ward-1", now)        # when the camera's stream broke
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
less. Firing begins with a detection, never by the mere passing of time. With one score a second, ``for: 1.5s`` means
three scores in a row, and ``gap`` must be above 1 s to bridge a single low one. ``cooldown`` counts from the end; if
the condition still holds when it is over, a new incident starts then.

**Alerts.** One ``new`` when it begins to fire; an ``update`` on a detection that matches, if the peak score rose by
0.1 since the last message and that was at least 1 s ago, or if 30 s passed without a message; one ``end``, whose
``annotations["end_reason"]`` is ``ended``, ``no_data``, ``gap``, ``error`` or what was given to ``close``. ``seq``
counts them without holes. ``start_time`` is when the condition began to hold (before ``for``), ``end_time`` when it
last held, ``time`` when the message was decided. Alerts of ``shadow: true`` rules come out too, marked ``shadow``:
whoever publishes must leave them out.

**Which score.** ``event`` gives its own; ``all`` that of its weakest part, ``any`` that of its strongest that holds,
``k_of_n`` the strongest it counted, ``not`` none. Until an event was scored it is unknown, and so is its ``not``.

**Zones.** ``event`` listens to detections of its ``zone``, without one to those of the whole picture. A rule over
several zones is evaluated with each detection; give it a ``for`` above 0, since zones are scored one after another.

**Late and missing detections.** Within one zone of one camera a detection older than the newest is ignored and counted
(``RuleBook.late``); one older by more than 10 s says that the clock was set back and counts as a gap. No detection
for max(``gap``, 10 s) ends what is pending, for max(``gap``, ``keep_firing_for``, 10 s) what fires, as of then.
``tick(at)`` allows detections ``lateness`` seconds to arrive: give it the time now, not the last detection's.
``gap`` voids all that was known of a camera: pending ends, firing is interrupted.

**Faults.** A rule that raises is counted (``RuleBook.errors``, ``last_errors``), treated as after a gap, and
evaluated again with the next detection; the others go on.
"""
