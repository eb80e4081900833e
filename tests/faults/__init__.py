"""The fault campaign: real processes, brokers and disks, harmed on purpose, and every committed alert accounted for.

``python -m tests.faults --minutes 60 --seed N`` prints the table; a short seeded run is among the tests.
"""
