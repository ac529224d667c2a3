"""Pages for people: what came in, what became of it, and both side by side.

`routes` is where to begin reading: it lists the pages and puts a fence around them. `view` is what each page is
made with, `ports` what is asked of the stores, `events` tells open pages what has changed.

What may leave stands at ``/studies``, ``/compare/...``; what names people below ``/source/`` alone.
"""
