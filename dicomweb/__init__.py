"""The standard's web services (PS3.18): STOW-RS, QIDO-RS, WADO-RS and WADO-URI over small ports (`ports.py`).

Start at `service.py`: the routes, and which module answers each.

::

    service                                                routes, errors, other origins
    stow described stow_answers  qido searching  wado bulk  rendered  uri            one a resource
    capabilities
    picture_parameters pixel_offers convert encode documents reports native_model    what is made
    answers archive bodies conditional media multipart patience address              HTTP
    stored describe identity intact attributes                                       what is stored
    elements encodings dictionary charsets                                           DICOM
    ports errors                                                                     asked of others
"""
