"""pydicom without what it downloads examples with, where that is installed.

A process that draws would spend a fifth of its start on it.
"""

from __future__ import annotations

from daemon.importing import without

with without("requests", "tqdm"):
    import pydicom
    import pydicom.config
    from pydicom.datadict import tag_for_keyword
    from pydicom.multival import MultiValue
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.sequence import Sequence

__all__ = ["MultiValue", "Sequence", "apply_color_lut", "pydicom", "tag_for_keyword"]
