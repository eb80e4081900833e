"""What an incident looked like: a clip, a snapshot and a record of it, kept for a while and proof against change.

::

    <data_dir>/evidence/<camera>/<day>/<incident>.mp4     the camera's own packets, before, during and after
    <data_dir>/evidence/<camera>/<day>/<incident>.jpg     the picture of its highest score, as large as it came
    <data_dir>/evidence/<camera>/<day>/<incident>.json    the alert, the scores, the hashes
    <data_dir>/evidence/ledger.jsonl                      a line an incident, each with the hash of the one before

One thread owns all of it. It never delays an alert: what it cannot do in time it leaves out, and counts.
"""
