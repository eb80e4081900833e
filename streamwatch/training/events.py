"""What the pack scores, in the order of its outputs."""

__all__ = ["EVENTS"]

EVENTS = ("fight", "fall", "shoplifting")
