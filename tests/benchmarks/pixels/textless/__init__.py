"""Frames without any text: what pixel cleaning must leave alone, from every modality.

====================  ==========================================================================
`kinds`               the table of kinds, and the frames of each half
`anatomy`             sections and projections of bodies: CT, MR, radiographs, mammograms, angiography
`objects`             what lies in or beside bodies: stents, clips, wires, phantoms, rulers, grids
`functional`          ultrasound, nuclear medicine, colour maps, traces, endoscopy, microscopy
`real`                frames that installed packages bundle
`drawing`             noise and shapes that the others share
====================  ==========================================================================
"""
