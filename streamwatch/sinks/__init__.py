"""Where alerts go, and where they wait until they are there."""
