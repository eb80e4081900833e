"""What was found in recordings and score logs, as lines to read and values for JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from streamwatch.config import Config
from streamwatch.offline import Recording, Step
from streamwatch.rules.explain import Explanation
from streamwatch.rules.part import Part
from streamwatch.rules.rule import Rule

__all__ = [
    "backtest_lines",
    "detection_lines",
    "explanation_lines",
    "moment",
    "site_lines",
    "span",
    "step_summary",
]

MEDIA = 1e8  # below: seconds of a recording; above: UTC seconds
ENOUGH = 1 / 24  # camera-days: a rate from less than an hour says nothing
SHOWN = 50  # incidents told one by one; all are in the JSON


def moment(at: float) -> str:
    """A time of the log: UTC, or seconds of a recording."""
    if abs(at) < MEDIA:
        return f"{at:.1f} s"
    return datetime.fromtimestamp(round(at), UTC).isoformat().replace("+00:00", "Z")


def span(seconds: float) -> str:
    """A length of time as one or two units: ``83 s``, ``2 h 05 min``."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def site_lines(config: Config, rules: Iterable[Rule], model: str) -> Iterator[str]:
    """What would run, for a reader."""
    yield f"model    {model}, provider {config.provider}"
    for camera in config.cameras:
        zones = f", zones {', '.join(zone.name for zone in camera.zones)}" if camera.zones else ""
        yield f"camera   {camera.name}: {camera.url}{'' if camera.enabled else ' (disabled)'}{zones}"
    for rule in rules:
        yield f"rule     {rule.name} on {', '.join(rule.cameras)}, {rule.severity} ({rule.where})"
    mqtt = config.mqtt
    yield f"broker   {mqtt.host or 'embedded on 127.0.0.1'}:{mqtt.port}, topics {mqtt.topic_prefix}/…"
    yield f"http     http://{config.http.host}:{config.http.port}/metrics /healthz /readyz"


def step_summary(step: Step) -> dict[str, Any]:
    """One second of a recording as JSON has it, without its pictures."""
    return {
        "detections": [
            {
                "start": d.start, "end": d.end, "zone": d.zone, "scores": d.scores, "motion": round(d.motion, 2),
                "filled": d.filled,
            }
            for d in step.detections
        ],
        "alerts": [
            {
                "id": a.id, "type": a.type.value, "rule": a.rule, "event": a.event, "severity": a.severity,
                "time": a.time, "start_time": a.start_time, "end_time": a.end_time, "score": a.score,
                "peak_score": a.peak_score, "summary": a.summary,
            }
            for a in step.alerts
        ],
    }  # fmt: skip


def detection_lines(steps: Sequence[Mapping[str, Any]], recording: Recording, as_json: bool) -> Iterable[str]:
    """What ``detect`` found, from the summaries of its steps: for a reader, or one line of JSON."""
    detections = [detection for step in steps for detection in step["detections"]]
    alerts = [alert for step in steps for alert in step["alerts"]]
    if as_json:
        info = recording.model.info
        model = {"name": info.name, "version": info.version, "sha256": info.sha256}
        yield json.dumps({"video": str(recording.url), "model": model, "detections": detections, "alerts": alerts})
        return
    ends = [alert for alert in alerts if alert["type"] == "end"]
    yield f"{recording.camera}: {len(detections)} windows, {len(ends)} incidents"
    for event in recording.model.card.events:
        best = max(detections, key=lambda d: d["scores"][event])
        yield f"  {event:12s} highest score {best['scores'][event]:.2f} at {best['end']:.1f} s"
    for alert in ends:
        times = f"{alert['start_time']:8.1f} – {alert['end_time']:.1f} s"
        yield f"{times}  {alert['severity']:8s} {alert['rule']}: {alert['summary']} (peak {alert['peak_score']:.2f})"


def backtest_lines(report: Mapping[str, Any]) -> list[str]:
    """What ``backtest`` found, for a reader. Says "would fire" of what nobody has judged."""
    lines = list(_head(report))
    incidents = report["incidents"]
    for found in incidents[:SHOWN]:
        lines += [_incident(found), *(f"    {path}" for path in found.get("evidence", ()))]
    if len(incidents) > SHOWN:
        lines.append(f"… and {len(incidents) - SHOWN} more")
    lines += _against(report.get("against"))
    lines += [_judged(judgement) for judgement in report.get("truth", ())]
    return lines + _sweep(report.get("sweep", ()))


def explanation_lines(found: Explanation) -> list[str]:
    """Why a rule fired or did not, for a reader."""
    incident = found.incident
    state = found.state()
    if incident is not None:
        opened = f", firing since {moment(incident.opened)}" if incident.opened is not None else ""
        state += f": holds since {moment(incident.since)}{opened}, peak {incident.peak_score:.2f}"
    elif found.cooled is not None:
        state += f" until {moment(found.cooled)}"
    lines = [f"{found.rule.name} on {found.camera} at {moment(found.at)}: {state}"]
    if incident is None and found.ended is not None:
        lines.append(f"  its last incident ended: {found.ended}")
    if found.seen is None:
        lines.append("  nothing was scored in the day before")
    elif found.at - found.seen > 1.5:
        lines.append(f"  last scored {span(found.at - found.seen)} before")
    lines += _part(found.when, 1)
    lacks = found.lacks()
    return lines + ([f"missing: {lacks[0]}", *(f"         {lack}" for lack in lacks[1:])] if lacks else [])


def _head(report: Mapping[str, Any]) -> Iterator[str]:
    for camera in report["cameras"]:
        line = f"camera   {camera['camera']}: {camera['detections']} scores of {span(camera['seconds'])}"
        line += f", {moment(camera['first'])} to {moment(camera['last'])}"
        line += f", {camera['gaps']} gaps" if camera["gaps"] else ""
        if camera["blind_since"] is not None:
            line += f", longest without scores {span(camera['blind'])} from {moment(camera['blind_since'])}"
        yield line
    long = report["camera_days"] >= ENOUGH
    for rule in report["rules"]:
        rate = rule["incidents_per_camera_day"]
        line = f"rule     {rule['rule']} would fire {_times(rule['incidents'])}"
        line += f", {rate:.3g} a camera-day" if long else ""
        line += " (shadow)" if rule["shadow"] else ""
        yield line + (f"; {rule['errors']} evaluations FAILED" if rule["errors"] else "")
    rate, quiet = report["incidents_per_camera_day"], report["longest_quiet"]
    line = f"in all   {report['camera_days']:.3g} camera-days"
    line += f", {rate:.3g} incidents a camera-day" if long else " (too short for a rate)"
    if quiet is not None:
        line += f"; longest silence {span(quiet['seconds'])} from {moment(quiet['since'])}"
    yield line
    for entry in report.get("in_force", ())[-SHOWN:]:
        same = ", those tried here" if entry["hash"] == report["hash"] else ""
        yield f"in force since {moment(entry['since'])}: {entry['rules']} rules, hash {entry['hash']}{same}"


def _incident(found: Mapping[str, Any], mark: str = "") -> str:
    place = found["camera"] + (f"/{found['zone']}" if found["zone"] else "")
    line = f"{mark}{moment(found['start'])} – {moment(found['end'])}  {found['severity']:8s} {found['rule']} at {place}"
    line += f", told after {span(found['opened'] - found['start'])}, peak {found['peak']:.2f}"
    return line + ("" if found["reason"] == "ended" else f" ({found['reason']})")


def _against(diff: Mapping[str, Any] | None) -> list[str]:
    if diff is None:
        return []
    lines = [f"against  {', '.join(f'{len(diff[kind])} {kind}' for kind in ('added', 'gone', 'changed'))}"]
    lines += [_incident(found, "+ ") for found in diff["added"][:SHOWN]]
    lines += [_incident(found, "- ") for found in diff["gone"][:SHOWN]]
    for change in diff["changed"][:SHOWN]:
        old, new = change["old"], change["new"]
        what = [f"{key} {_value(key, old[key])} → {_value(key, new[key])}" for key in old if old[key] != new[key]]
        lines.append(f"~ {new['rule']} at {new['camera']}, {moment(new['start'])}: {', '.join(what)}")
    return lines


def _judged(judgement: Mapping[str, Any]) -> str:
    line = f"truth    {judgement['label']}: {judgement['found']} of {judgement['events']} found"
    line += f" (recall {judgement['recall']:.2f})" if judgement["recall"] is not None else ""
    line += f", {judgement['false_alarms']} false alarms"
    rate = judgement["false_alarms_per_hour"]
    line += f" ({rate:.3g} an hour)" if rate is not None else ""
    delay = judgement["median_delay"]
    line += f", median delay {span(delay)}" if delay is not None else ""
    return line + (f"; {judgement['unseen']} while nothing was scored" if judgement["unseen"] else "")


def _sweep(levels: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(level["rule"] for level in levels))
    thresholds = sorted({level["on"] for level in levels})
    count = {(level["rule"], level["on"]): level["firings"] for level in levels}
    lines = [f"sweep    on   {'  '.join(names)}"] if names else []
    for on in thresholds:
        cells = [f"{count[name, on]:>{len(name)}d}" for name in names]
        lines.append(f"         {on:.2f} {'  '.join(cells)}")
    return lines


def _part(part: Part, depth: int) -> list[str]:
    mark = {True: "✓", False: "✗", None: "?"}[part.holds]
    line = f"{'  ' * depth}{mark} {part.text}"
    if part.threshold is not None and part.score is not None:
        sign = "≥" if part.score >= part.threshold else "<"
        line += f": {part.score:.3f} {sign} {part.threshold:g}"
    line += f", since {moment(part.since)}" if part.since is not None else ", never scored"
    return [line, *(inner for child in part.parts for inner in _part(child, depth + 1))]


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def _value(key: str, value: Any) -> str:
    if key in ("start", "opened", "end"):
        return moment(value)
    return f"{value:.2f}" if isinstance(value, float) else str(value)
