"""Every Prometheus metric of streamwatch, in one table."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

__all__ = ["Metrics"]

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_AGE = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_LATENCY = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)  # beyond 10 s: broker outages
_BATCH = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The metrics of one pipeline in a registry of its own, so that two pipelines (or tests) never share a count."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series per label, for a time nobody asks for
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"streamwatch_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"streamwatch_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"streamwatch_{name}", text, labels, registry=registry, buckets=buckets)

        # fmt: off
        self.build_info = gauge("build_info", "Version of streamwatch and of the model; always 1.", "version", "model")
        self.provider_info = gauge("provider_info", "Execution provider that runs the model; always 1.", "provider")
        self.provider_fallback = gauge("provider_fallback", "1 if another execution provider runs the model than was asked for.")
        self.worker_lost = gauge("worker_lost", "1 while a worker has ended or does not move.", "worker")
        self.disk_free = gauge("disk_free_bytes", "Free bytes on the disk of data_dir.")
        self.camera_up = gauge("camera_up", "1 while frames arrive from the camera.", "camera")
        self.camera_state = gauge("camera_state", "1 for the state that the camera is in, 0 for the others.", "camera", "state")
        self.camera_reconnects = counter("camera_reconnects_total", "Connections lost or refused.", "camera", "reason")
        self.camera_gaps = counter("camera_gaps_total", "Breaks in the stream's time or format that reset the window.", "camera", "reason")
        self.decode_errors = counter("decode_errors_total", "Packets that the decoder refused or found damaged.", "camera")
        self.packets_received = counter("packets_received_total", "Video packets read from the camera.", "camera")
        self.packets_skipped = counter("packets_skipped_total", "Packets left out because the machine is too slow for its cameras.", "camera")
        self.frames_decoded = counter("frames_decoded_total", "Frames decoded.", "camera")
        self.hardware_decoding = gauge("hardware_decoding", "1 while the device of the camera's hwaccel decodes it.", "camera")
        self.decode_state = gauge("decode_state", "1 for what decoding on demand makes of the camera now: learning, active, still, uninformative.", "camera", "state")
        self.clips = counter("clips_total", "Clips cut from the stream.", "camera")
        self.clips_dropped = counter("clips_dropped_total", "Clips given up on purpose.", "camera", "reason")
        self.tokens = counter("tokens_total", "Visual tokens made.", "camera", "source")
        self.windows = counter("windows_total", "Windows scored.", "camera")
        self.stage_seconds = histogram("stage_seconds", "CPU time spent in a stage, per call; on a GPU encode and score are elapsed, and publish is until the PUBACK.", _FAST, "stage")
        self.batch_size = histogram("batch_size", "Clips encoded together.", _BATCH)
        self.frame_age = histogram("frame_age_seconds", "Age of a window's last frame when it was scored.", _AGE, "camera")
        self.event_score = gauge("event_score", "Latest calibrated probability of an event, whole picture.", "camera", "event")
        self.incidents_active = gauge("incidents_active", "Incidents that fire now.", "camera", "rule")
        self.alerts = counter("alerts_total", "Alerts decided.", "camera", "rule", "type")
        self.alerts_dropped = counter("alerts_dropped_total", "Alerts given up because neither store nor memory could hold them.", "reason")
        self.alerts_withheld = counter("alerts_withheld_total", "Alerts decided and not published: snoozed, or of a shadow rule.", "reason")
        self.scores_dropped = counter("scores_dropped_total", "What was evaluated and the score log could not keep.", "reason")
        self.evidence_files = counter("evidence_files_total", "Clips and snapshots written.", "camera", "kind")
        self.evidence_dropped = counter("evidence_dropped_total", "Evidence that an incident has not got.", "reason")
        self.evidence_packets_dropped = counter("evidence_packets_dropped_total", "Packets that the ring before an incident could not keep.", "camera", "reason")
        self.evidence_delay = histogram("evidence_delay_seconds", "From the end of an incident's footage to its finished clip.", _LATENCY)
        self.evidence_bytes = gauge("evidence_bytes", "Size of the evidence kept.")
        self.evidence_writing = gauge("evidence_writing", "1 while evidence can be written, NaN if it is off.")
        self.evidence_ring_bytes = gauge("evidence_ring_bytes", "Compressed video in memory, the seconds before an incident.", "camera")
        self.alert_latency = histogram("alert_latency_seconds", "From the last frame of the deciding window to the broker's PUBACK.", _LATENCY, "rule")
        self.rule_errors = counter("rule_errors_total", "Evaluations in which a rule raised.", "rule")
        self.rules_loaded = gauge("rules_loaded_timestamp_seconds", "When the rules in force were loaded (UTC).")
        self.rules_snoozed = gauge("rules_snoozed", "Snoozes in force.")
        self.rules_reloads = counter("rules_reloads_total", "Times that the rule files were read again.", "result")
        self.outbox_pending = gauge("outbox_pending", "Alerts not yet acknowledged by the broker.")
        self.outbox_pruned = counter("outbox_pruned_total", "Alerts given up because the outbox was beyond a bound.", "reason")
        self.outbox_oldest = gauge("outbox_oldest_seconds", "Age of the oldest alert not yet acknowledged.")
        # fmt: on
        self._add_outward(counter, gauge)

    def _add_outward(self, counter: Callable[..., Counter], gauge: Callable[..., Gauge]) -> None:
        """Of the broker, and of other machines."""
        # fmt: off
        self.mqtt_connected = gauge("mqtt_connected", "1 while the broker is connected.")
        self.mqtt_published = counter("mqtt_published_total", "Messages handed to the broker.", "result")
        self.mqtt_commands = counter("mqtt_commands_total", "Messages that asked for something.", "result")
        self.cluster_hosts = gauge("cluster_hosts", "Hosts that report to this site.")
        self.cluster_cameras_unplaced = gauge("cluster_cameras_unplaced", "Cameras that no host reads.")
        self.cluster_leases = counter("cluster_leases_total", "Leases of cameras given: lost, after their host was; else given.", "reason")
        self.cluster_alerts_refused = counter("cluster_alerts_refused_total", "Alerts of a host about a camera that was another's by then, or an incident that was over.")
        self.cluster_rows_dropped = counter("cluster_rows_dropped_total", "Detections for rules across cameras given up because the site was away.")
        # fmt: on

    def forget(self, camera: str) -> None:
        """No series about ``camera`` any more: it is watched elsewhere."""
        for metric in vars(self).values():
            if isinstance(metric, Counter | Gauge | Histogram) and "camera" in metric._labelnames:
                metric.remove_by_labels({"camera": camera})
