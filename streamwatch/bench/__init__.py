"""How fast streamwatch is on this machine, and how far from what its parts cost alone."""
