"""Beyond one machine: the same stages, placed by Ray.

A *host* runs on each node: the cameras given to it, its own model session, and the rules about one camera at a time.
One *site* runs somewhere: rules across cameras, the outbox, MQTT, and the roster that says who reads which camera. A
host asks the site twice a second, telling what it has; whatever the site wants of it stands in the answer. So no host
need be reachable, and a site that was away learns from the next reports how things are.

Only this package imports ray, and in it only ``actors``, ``engine`` and ``fleet``; the rest runs, and is tested,
without it.
"""
