"""The running service. Start at `daemon.app`, which puts every part together.

``receive`` takes instances in, ``store`` makes them durable and keeps them, ``pipeline`` decides and has
worker processes de-identify, ``web`` serves; ``batch`` is the same without a service, ``cli`` the commands,
``demo`` what ``make run`` shows.
"""
