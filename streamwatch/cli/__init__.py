"""The command line: parse, call the library, exit code. Heavy imports are late: ``--help`` answers at once."""
