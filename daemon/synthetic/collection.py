"""A small set of instances of every kind, which a first start sends to itself."""

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

from daemon.synthetic.capture import make_sc
from daemon.synthetic.ct import make_ct
from daemon.synthetic.document import make_document
from daemon.synthetic.encodings import encode_as
from daemon.synthetic.mr import make_enhanced_mr, make_mr
from daemon.synthetic.nuclear import make_nm
from daemon.synthetic.patients import PATIENTS
from daemon.synthetic.presentation import make_pr
from daemon.synthetic.radiotherapy import make_rtstruct
from daemon.synthetic.reports import make_ko, make_sr
from daemon.synthetic.segmentation import make_seg
from daemon.synthetic.ultrasound import make_us
from daemon.synthetic.xray import make_cr, make_dx, make_xa

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

#: A machine that draws whom it shows into the picture, as ultrasound machines do.
_DRAWN = {"rows": 480, "banner": 32}

_PROGRAMME: tuple[_Step, ...] = (
    ("CT, explicit little endian", make_ct, 0, ExplicitVRLittleEndian, {"instance": 1}),
    ("CT, implicit little endian", make_ct, 0, ImplicitVRLittleEndian, {"instance": 2}),
    ("CT, big endian", make_ct, 0, ExplicitVRBigEndian, {"instance": 3}),
    ("CT, deflated", make_ct, 0, DeflatedExplicitVRLittleEndian, {"instance": 4}),
    ("CT, JPEG lossless", make_ct, 0, JPEGLosslessSV1, {"instance": 5}),
    ("CT, JPEG-LS", make_ct, 0, JPEGLSLossless, {"instance": 6}),
    ("CT, JPEG 2000 lossless", make_ct, 0, JPEG2000Lossless, {"instance": 7}),
    ("CT, RLE", make_ct, 0, RLELossless, {"instance": 8}),
    ("CT, JPEG 12 bit", make_ct, 0, JPEGExtended12Bit, {"instance": 9}),
    ("CT, high-throughput JPEG 2000", make_ct, 0, HTJ2KLossless, {"instance": 10}),
    ("report (SR)", make_sr, 0, ExplicitVRLittleEndian, {}),
    ("key objects", make_ko, 0, ExplicitVRLittleEndian, {}),
    ("presentation state", make_pr, 0, ExplicitVRLittleEndian, {}),
    ("MR, ISO 2022 Japanese", make_mr, 1, ExplicitVRLittleEndian, {"instance": 1}),
    ("MR, JPEG-LS, Japanese", make_mr, 1, JPEGLSLossless, {"instance": 2}),
    ("enhanced MR, Korean", make_enhanced_mr, 2, ExplicitVRLittleEndian, {}),
    ("enhanced MR, RLE", make_enhanced_mr, 2, RLELossless, {"instance": 2}),
    ("CR, GB18030", make_cr, 3, ImplicitVRLittleEndian, {}),
    ("CR, JPEG 2000", make_cr, 3, JPEG2000Lossless, {"instance": 2}),
    ("DX, UTF-8", make_dx, 4, ExplicitVRLittleEndian, {}),
    ("encapsulated PDF", make_document, 4, ExplicitVRLittleEndian, {}),
    ("US cine, undeclared bytes", make_us, 5, ExplicitVRLittleEndian, _DRAWN),
    ("US cine, JPEG baseline", make_us, 5, JPEGBaseline8Bit, {"instance": 2, **_DRAWN}),
    ("NM, Cyrillic", make_nm, 6, ExplicitVRLittleEndian, {}),
    ("CT for planning", make_ct, 7, ExplicitVRLittleEndian, {"instance": 1, "rows": 256}),
    ("CT for planning", make_ct, 7, ExplicitVRLittleEndian, {"instance": 2, "rows": 256}),
    ("RT structure set", make_rtstruct, 7, ImplicitVRLittleEndian, {}),
    ("segmentation", make_seg, 7, ExplicitVRLittleEndian, {"rows": 256, "frames": 2}),
    ("XA cine", make_xa, 7, ExplicitVRLittleEndian, {}),
    ("XA cine, JPEG baseline", make_xa, 7, JPEGBaseline8Bit, {"instance": 2}),
    ("secondary capture", make_sc, 7, ExplicitVRLittleEndian, {}),
    ("secondary capture, RLE", make_sc, 7, RLELossless, {"instance": 2}),
)
