"""Finding text in pictures: detectors, the views they are shown, and what a cine's frames share."""
