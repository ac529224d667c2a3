"""ICC profiles: kept when nothing but a profile is in them."""

from __future__ import annotations


def is_colour_profile(value: bytes) -> bool:
    """Whether bytes are an ICC profile whose tag table accounts for all of them.

    ICC.1 7.2 and 7.3: the size stands in the first four bytes, ``acsp`` at 36, the tag table at 128.
    What no tag covers must be zero, so that nothing can be appended.
    """
    size = int.from_bytes(value[:4], "big")
    if len(value) < 132 or value[36:40] != b"acsp" or size not in (len(value), len(value) - 1):
        return False
    count = int.from_bytes(value[128:132], "big")
    covered = 132 + 12 * count
    if not 0 < count <= 100 or covered > size:
        return False
    ranges = sorted(
        (
            int.from_bytes(value[at + 4 : at + 8], "big"),
            int.from_bytes(value[at + 8 : at + 12], "big"),
        )
        for at in range(132, covered, 12)
    )
    for start, length in ranges:
        if start + length > size or value[covered:start].strip(b"\x00"):
            return False
        covered = max(covered, start + length)
    return not value[covered:].strip(b"\x00")
