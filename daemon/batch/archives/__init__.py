"""Archives beside zip: what a file is, and where the members of a tar or an ISO 9660 image lie in it.

Names in an archive never become paths; they are kept for the report only. Members of tar archives and images
are stretches of the file, so that whoever reads one needs to understand nothing. What an archive claims about
sizes is checked against what is there, and the limits are those of zip archives (`daemon.receive.archive`).
"""
