"""The HTTP server that the web services are mounted in.

`server` puts it together, with health, metrics and a page of addresses; `guard` limits connections and slow
headers, `callers` turns away names and origins that are not ours; `bodies` is how mounted services read
what is posted.
"""
