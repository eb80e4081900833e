"""streamwatch: real-time surveillance stream analyzer."""

__version__ = "0.1.0"
