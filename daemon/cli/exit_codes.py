"""What the exit status of a command means."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
"""Something else went wrong; a line on standard error says what."""
USAGE: Final = 2
"""The command line cannot be understood; argparse uses the same."""
SOME_REFUSED: Final = 3
"""The work is done, and some instances were refused or something is damaged."""
NOTHING_DONE: Final = 4
"""No instance was found in what was named."""
CONFIGURATION: Final = 78
"""The configuration is wrong (EX_CONFIG of sysexits(3)); nothing was started."""
