"""The C-STORE SCP: associations negotiated by pynetdicom's classes, instances read by ourselves.

Read in this order: `server` (listening, stopping), `association` (one connection, the standard's
state table in `states`), `admission` (who has a place), `pace` (who stands still), `pdu` (bytes to
fragments), `negotiation` (A-ASSOCIATE), `messages` (command sets), `operation` (one request), `file_meta`
(what precedes the data set in the spool file).
"""
