"""``python -m daemon`` is the same as ``dicomveil``."""

from daemon.cli.main import main

if __name__ == "__main__":
    main()
