"""Burned-in text: found by a detector and by rules, filled in the frames that hold it.

Begin with `PixelCleaning`::

    cleaner = PixelCleaning("REDACT_ALL_TEXT", PPOCR(detection_model, recognition_model))
    cleaned = cleaner.clean(instance)      # deid.ports.PixelInstance -> CleanedPixels

====================  ==========================================================================
`cleaning`            the way of one instance: look at each frame, decide, fill, prove
`ppocr`               the default text detector
`cine`                text in multi-frame instances for the price of a few frames
`judgement`           which texts identify (the sensitive modes)
`rules`, `templates`  ultrasound regions, and regions recorded for known machines
`trust`               objects that are refused whatever was found in them
`frames`, `codecs`    decoding, and filling in the same transfer syntax
`video`               MPEG, H.264 and HEVC where a decoder is installed
====================  ==========================================================================
"""

from __future__ import annotations

from deid.image_policy import CustomRegex
from deid.pixels.cleaning import PixelCleaning, TextRedactionMode
from deid.pixels.geometry import Box
from deid.pixels.judgement import DEFAULT_INFO_TYPES
from deid.pixels.ports import Picture, TextDetector, TextJudge, TextRegion
from deid.pixels.ppocr import PPOCR, Tuning
from deid.pixels.templates import RegionTemplate, read_templates, template_document
from deid.pixels.trust import UNTRUSTED, Untrusted, trust_table

__all__ = [
    "DEFAULT_INFO_TYPES",
    "PPOCR",
    "UNTRUSTED",
    "Box",
    "CustomRegex",
    "Picture",
    "PixelCleaning",
    "RegionTemplate",
    "TextDetector",
    "TextJudge",
    "TextRedactionMode",
    "TextRegion",
    "Tuning",
    "Untrusted",
    "read_templates",
    "template_document",
    "trust_table",
]
