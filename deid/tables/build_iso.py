"""Build `iso_codes.csv`: the codes of languages, scripts, countries and currencies.

A development script: ``python -m deid.tables.build_iso FOLDER``, with the folder of JSON files of Debian's
iso-codes (``/usr/share/iso-codes/json``). Of languages those that BCP 47 uses: ISO 639-1, and of ISO 639-2
what has no shorter code.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1])

    def rows(part: str) -> list[dict[str, str]]:
        content = json.loads((folder / f"iso_{part}.json").read_text(encoding="utf-8"))
        return list(content[part])

    found = [
        ("language", "639", {each.get("alpha_2") or each["alpha_3"] for each in rows("639-2")}),
        ("script", "15924", {each["alpha_4"] for each in rows("15924")}),
        ("country", "3166-1 alpha-2", {each["alpha_2"] for each in rows("3166-1")}),
        ("country3", "3166-1 alpha-3", {each["alpha_3"] for each in rows("3166-1")}),
        ("currency", "4217", {each["alpha_3"] for each in rows("4217")}),
    ]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("kind", "standard", "codes"))
    for kind, standard, codes in found:
        plain = sorted(code for code in codes if code.isascii() and code.isalpha())
        writer.writerow((kind, f"ISO {standard}", " ".join(plain)))


if __name__ == "__main__":
    main()
