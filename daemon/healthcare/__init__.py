"""The Cloud Healthcare API's resources and operations, v1 and v1beta1, over the stores that everything uses.

Google's clients, ``gcloud healthcare`` among them, work here when they are told this address. Start reading
at `daemon.healthcare.service`.
"""
