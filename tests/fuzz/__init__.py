"""Coverage-guided fuzzing of what comes from outside: ``python -m tests.fuzz TARGET --seconds 60`` (extra ``fuzz``).

Each target takes any bytes and raises for a finding only: a crash, a second of work, a leaked secret, or something
accepted that cannot run. Among the tests each is run on its seeds and on some hundred mutations of them.
"""
