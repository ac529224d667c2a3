"""What the service tells of itself, and never a value from outside.

`logs` is the allow-list of what a log line may hold, `traces` an exception without its words, `metrics` what
the parts count, `health` the probes, `systemd` what the service manager is told.
"""
