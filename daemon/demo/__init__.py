"""What `make run` shows: synthetic patients, drawn pictures, and a first tour of the service."""
