"""Unused bits are seen with large numbers as with numpy, and without importing it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.pixels.beside.unused_bits import bits_of_any
from tests.factories import encoded, make_ct

if TYPE_CHECKING:
    from typing import Literal

ROOT = Path(__file__).parents[2]
_ONE = """
import sys
import deid
from deid.plan import load_tables
load_tables()
source = open(sys.argv[1], "rb").read()
profile = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
if sys.argv[2] == "prepared":
    import numpy
if sys.argv[2] == "tired":
    from deid.pixels.beside.unused_bits import patience
    patience.bytes_left = 3 * 128
    for _ in range(3):
        deid.deidentify(source, deid.compile_plan(profile, deid.SiteKey(bytes(range(32)))))
result = deid.deidentify(source, deid.compile_plan(profile, deid.SiteKey(bytes(range(32)))))
sys.stdout.buffer.write(b"".join(
    part if isinstance(part, bytes) else source[part.start:part.stop] for part in result.segments
))
print("numpy" in sys.modules, file=sys.stderr)
"""


@given(st.binary(max_size=200), st.sampled_from([1, 2, 4]), st.sampled_from(["big", "little"]))
def test_the_bits_of_all_samples_are_those_that_numpy_finds(
    content: bytes, size: int, order: Literal["big", "little"]
) -> None:
    samples = content[: len(content) - len(content) % size]
    kind = np.dtype(f"{'>' if order == 'big' else '<'}u{size}")
    expected = int(np.bitwise_or.reduce(np.frombuffer(samples, kind), initial=0))
    assert bits_of_any(samples, size, order) == expected


@pytest.mark.parametrize("place", [0, 1, 31, 62, 63])
def test_one_bit_in_one_sample_is_seen(place: int) -> None:
    samples = [0x0FFF] * 64
    samples[place] |= 0x1000
    raw = b"".join(sample.to_bytes(2, "little") for sample in samples)
    assert bits_of_any(raw, 2, "little") == 0x1FFF


@pytest.mark.parametrize(("bits", "needs_numpy"), [(0, False), (0x8000, True)])
def test_numpy_is_imported_only_where_there_are_unused_bits_to_clear_or_much_was_looked_at(
    tmp_path: Path, bits: int, needs_numpy: bool
) -> None:
    dataset = make_ct(rows=8, BitsStored=12, HighBit=11, PixelRepresentation=0)
    dataset.PixelData = b"".join((n | bits * (n == 20)).to_bytes(2, "little") for n in range(64))
    file = tmp_path / "ct.dcm"
    file.write_bytes(encoded(dataset))
    ran = {
        how: subprocess.run(
            [sys.executable, "-c", _ONE, file, how],
            cwd=ROOT, capture_output=True, check=True, timeout=240,
        )
        for how in ("bare", "prepared", "tired")
    }  # fmt: skip
    assert ran["bare"].stderr.split() == [str(needs_numpy).encode()]
    assert ran["tired"].stderr.split() == [b"True"]
    assert ran["bare"].stdout == ran["prepared"].stdout == ran["tired"].stdout
    assert (ran["bare"].stdout.find((20 | 0x8000).to_bytes(2, "little") + b"\x15\x00")) == -1
