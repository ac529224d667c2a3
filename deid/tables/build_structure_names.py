"""Build `structure_names.csv`: names of structures in radiotherapy and of segments, from two packages.

A development script: ``python -m deid.tables.build_structure_names TG263 TOTALSEGMENTATOR``, with the unpacked
folders of ``tg263`` 0.2.0 (``tg263/dictionary.py``: the primary names of AAPM's Task Group 263) and of
``totalsegmentator`` 2.18.0 (``totalsegmentator/map_to_binary.py``: the classes of its tasks).
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

_STRUCTURE = re.compile(r"Structure\(re\.compile\(r'.*?'\), '([^']+)'")
_CLASS = re.compile(r'\b\d+: ?"([A-Za-z0-9_ ]+)"')
_INNER = re.compile(r"class_map|_start$|^test$|^body_trunc$")


def main() -> None:
    """Print each name with the package that it is from."""
    nomenclature = Path(sys.argv[1], "tg263", "dictionary.py").read_text(encoding="utf-8")
    classes = Path(sys.argv[2], "totalsegmentator", "map_to_binary.py").read_text(encoding="utf-8")
    names = dict.fromkeys(name.strip() for name in _STRUCTURE.findall(nomenclature))
    rows = [(name, "AAPM TG-263, by tg263 0.2.0 (MIT)") for name in names]
    rows += [
        (name, "TotalSegmentator 2.18.0 (Apache-2.0)")
        for name in sorted(set(_CLASS.findall(classes)))
        if name not in names and not _INNER.search(name)
    ]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("name", "origin"))
    writer.writerows(rows)


if __name__ == "__main__":
    main()
