"""Frames: where they come from, when they are, and how they are cut into clips."""
