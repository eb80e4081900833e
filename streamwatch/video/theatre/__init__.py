"""A small theatre that draws surveillance scenes: rooms, people, what they do, and the camera's own faults."""
