"""The browser that tests and measurements of pages use: Chromium, or Debian's package of it without windows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.conftest import program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

SHELL, WHOLE = "chromium-headless-shell", "chromium"
# What Playwright turns off, of which the last list that is given is all that counts; and the two pages by which
# Chromium would suggest addresses: it prepares them with each window, which takes longer than most pages here.
_TURNED_OFF = (
    "AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay",
    "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",
)  # fmt: skip
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--disable-features={','.join(_TURNED_OFF)}",
)  # fmt: skip


def browser_of(*names: str) -> str:
    """Return the first of these programs that is installed; where none is, skip, or fail under CI."""
    found = next(filter(None, map(program, names)), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{names[-1]} is required here and is not installed", pytrace=False)
        pytest.skip(f"{names[-1]} is not installed")
    return found


def launched(playwright: Playwright, path: str | None = None) -> Browser:
    """Start a browser, without a window that anybody sees: all of Chromium, unless another is given."""
    return playwright.chromium.launch(executable_path=path or program(WHOLE), args=list(_FLAGS))
