"""What `make run` shows: a service of its own, instances sent to it in every way, and what became of them.

`tour` is where to begin reading: it sends what `daemon.synthetic` makes. `service` starts and stops the
service, `senders` has one sender for each way in.
"""
