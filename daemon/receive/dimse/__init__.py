"""The C-STORE SCP: associations negotiated by pynetdicom's classes, instances read by ourselves.

Read in this order: `server` (listening, stopping), `association` (one connection, the standard's
state table in `states`), `pdu` (bytes to fragments), `negotiation` (A-ASSOCIATE), `messages`
(command sets), `file_meta` (what precedes the data set in the spool file).
"""
