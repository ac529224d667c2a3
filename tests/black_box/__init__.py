"""What PS3.18 asks of a DICOMweb server, tried from outside on whatever server there is.

``python -m tests.black_box URL`` knows nothing of ours: it looks round in what the server holds, asks by
HTTP, and prints each check by its section and name. A server should hold what
`daemon.synthetic.collection` makes, or as much of it as it wants to be judged by.
"""
