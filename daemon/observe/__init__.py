"""What the service tells of itself: logs, traces, metrics, health, systemd. Never a value from outside."""
