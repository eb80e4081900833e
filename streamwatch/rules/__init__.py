"""Temporal rules: detections and time go in, alerts come out. Pure: no clock, no thread, no file."""
