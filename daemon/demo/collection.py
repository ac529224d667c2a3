"""The small set of instances that a first start sends to itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from daemon.demo import instances
from daemon.demo.encodings import encode_as
from daemon.demo.patients import PATIENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Demonstration:
    """One instance and what it shows; `kind` says it in a few words that name nobody."""

    kind: str
    dataset: Dataset


def demonstration_instances(*, seed: int = 1) -> Iterator[Demonstration]:
    """Yield every demonstration instance: the same ones, in the same order, for the same `seed`.

    Several modalities, single- and multi-frame, in every transfer syntax family, for patients whose
    names need several character sets. Instances of one patient refer to each other.
    """
    for kind, make, patient, syntax, changes in _PROGRAMME:
        dataset = make(PATIENTS[patient], seed=seed, **changes)
        yield Demonstration(kind, encode_as(dataset, syntax))


_Step = tuple[str, "Callable[..., Dataset]", int, str, dict[str, int]]

_PROGRAMME: tuple[_Step, ...] = (
    ("CT, explicit little endian", instances.make_ct, 0, ExplicitVRLittleEndian, {"instance": 1}),
    ("CT, implicit little endian", instances.make_ct, 0, ImplicitVRLittleEndian, {"instance": 2}),
    ("CT, big endian", instances.make_ct, 0, ExplicitVRBigEndian, {"instance": 3}),
    ("CT, deflated", instances.make_ct, 0, DeflatedExplicitVRLittleEndian, {"instance": 4}),
    ("CT, JPEG lossless", instances.make_ct, 0, JPEGLosslessSV1, {"instance": 5}),
    ("CT, JPEG-LS", instances.make_ct, 0, JPEGLSLossless, {"instance": 6}),
    ("CT, JPEG 2000 lossless", instances.make_ct, 0, JPEG2000Lossless, {"instance": 7}),
    ("CT, RLE", instances.make_ct, 0, RLELossless, {"instance": 8}),
    ("CT, JPEG 12 bit", instances.make_ct, 0, JPEGExtended12Bit, {"instance": 9}),
    ("CT, high-throughput JPEG 2000", instances.make_ct, 0, HTJ2KLossless, {"instance": 10}),
    ("report (SR)", instances.make_sr, 0, ExplicitVRLittleEndian, {}),
    ("key objects", instances.make_ko, 0, ExplicitVRLittleEndian, {}),
    ("presentation state", instances.make_pr, 0, ExplicitVRLittleEndian, {}),
    ("MR, ISO 2022 Japanese", instances.make_mr, 1, ExplicitVRLittleEndian, {"instance": 1}),
    ("MR, JPEG-LS, Japanese", instances.make_mr, 1, JPEGLSLossless, {"instance": 2}),
    ("enhanced MR, Korean", instances.make_enhanced_mr, 2, ExplicitVRLittleEndian, {}),
    ("enhanced MR, RLE", instances.make_enhanced_mr, 2, RLELossless, {"instance": 2}),
    ("CR, GB18030", instances.make_cr, 3, ImplicitVRLittleEndian, {}),
    ("CR, JPEG 2000", instances.make_cr, 3, JPEG2000Lossless, {"instance": 2}),
    ("DX, UTF-8", instances.make_dx, 4, ExplicitVRLittleEndian, {}),
    ("encapsulated PDF", instances.make_document, 4, ExplicitVRLittleEndian, {}),
    ("US cine, undeclared bytes", instances.make_us, 5, ExplicitVRLittleEndian, {}),
    ("US cine, JPEG baseline", instances.make_us, 5, JPEGBaseline8Bit, {"instance": 2}),
    ("NM, Cyrillic", instances.make_nm, 6, ExplicitVRLittleEndian, {}),
    ("CT for planning", instances.make_ct, 7, ExplicitVRLittleEndian, {"instance": 1, "rows": 256}),
    ("CT for planning", instances.make_ct, 7, ExplicitVRLittleEndian, {"instance": 2, "rows": 256}),
    ("RT structure set", instances.make_rtstruct, 7, ImplicitVRLittleEndian, {}),
    ("segmentation", instances.make_seg, 7, ExplicitVRLittleEndian, {}),
    ("XA cine", instances.make_xa, 7, ExplicitVRLittleEndian, {}),
    ("XA cine, JPEG baseline", instances.make_xa, 7, JPEGBaseline8Bit, {"instance": 2}),
    ("secondary capture", instances.make_sc, 7, ExplicitVRLittleEndian, {}),
    ("secondary capture, RLE", instances.make_sc, 7, RLELossless, {"instance": 2}),
)
