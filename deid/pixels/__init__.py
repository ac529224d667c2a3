"""Burned-in text: found by a detector and by rules, filled in the frames that hold it.

Begin with `cleaning.PixelCleaning`::

    cleaner = PixelCleaning("REDACT_ALL_TEXT", PPOCR(detection_model, recognition_model))
    cleaned = cleaner.clean(instance)      # deid.ports.PixelInstance -> CleanedPixels

====================  ==========================================================================
`of_instance`         what the engine asks: cleaned, refused, or left because nobody need look
`cleaning`            the way of one instance: look at each frame, decide, fill, prove
`passes`, `fillings`  frames looked at and then filled; the boxes that are, around text that goes
`find`                the detectors, the views they are shown, and cines for the price of a few frames
`judgement`           which texts identify (the sensitive modes)
`rules`, `templates`  ultrasound regions, and regions recorded for known machines
`trust`               objects that are refused whatever was found in them
`frames`, `codecs`    decoding, and filling in the same transfer syntax
`beside`              what hides beside samples, where nobody looks at the pixels
====================  ==========================================================================
"""
