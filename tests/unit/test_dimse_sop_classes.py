"""Which SOP classes are stored, and which transfer syntax is chosen."""

from __future__ import annotations

import pytest
from pydicom import uid as uids
from pynetdicom.presentation import AllStoragePresentationContexts

from daemon.receive.dimse.sop_classes import is_storage, preferred_transfer_syntax


def test_every_storage_sop_class_of_pynetdicom_is_stored() -> None:
    for context in AllStoragePresentationContexts:
        assert is_storage(str(context.abstract_syntax), accept_unknown=False)


@pytest.mark.parametrize(
    "uid",
    [
        pytest.param("1.2.840.10008.5.1.4.1.1.3", id="retired US multi-frame"),
        pytest.param("1.2.840.10008.5.1.4.1.1.5", id="retired NM"),
        pytest.param("1.2.840.10008.5.1.4.1.1.6", id="retired US"),
        pytest.param("1.2.840.10008.5.1.4.1.1.9", id="retired standalone curve"),
        pytest.param("1.2.840.10008.5.1.4.1.1.77.1", id="retired VL trial"),
        pytest.param("1.2.840.10008.5.1.4.1.1.88.1", id="retired SR trial"),
        pytest.param("1.2.840.10008.5.1.1.29", id="retired hardcopy grayscale"),
    ],
)
def test_retired_storage_sop_classes_are_stored(uid: str) -> None:
    assert is_storage(uid, accept_unknown=False)


@pytest.mark.parametrize(
    "uid",
    [
        pytest.param("1.2.840.10008.1.1", id="Verification"),
        pytest.param("1.2.840.10008.1.3.10", id="DICOMDIR"),
        pytest.param("1.2.840.10008.1.20.1", id="Storage Commitment"),
        pytest.param("1.2.840.10008.5.1.4.1.2.2.1", id="Study Root Find"),
        pytest.param("1.2.840.10008.5.1.4.31", id="Modality Worklist"),
        pytest.param("1.2.840.10008.5.1.1.9", id="Basic Grayscale Print Management"),
        pytest.param("1.2.840.10008.4.2", id="Storage Service Class"),
        pytest.param("1.2.840.10008.1.2", id="a transfer syntax"),
    ],
)
def test_other_known_uids_are_never_stored(uid: str) -> None:
    assert not is_storage(uid, accept_unknown=True)


def test_an_unknown_sop_class_is_stored_only_when_the_setting_allows() -> None:
    assert is_storage("1.3.46.670589.5.0.1", accept_unknown=True)
    assert not is_storage("1.3.46.670589.5.0.1", accept_unknown=False)


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ([uids.JPEGLosslessSV1, uids.ExplicitVRLittleEndian], uids.JPEGLosslessSV1),
        ([uids.ExplicitVRBigEndian, uids.ImplicitVRLittleEndian], uids.ExplicitVRBigEndian),
        (["1.2.840.113619.5.2", uids.ImplicitVRLittleEndian], uids.ImplicitVRLittleEndian),
        (["1.2.840.113619.5.2"], "1.2.840.113619.5.2"),
        (["1.2.840.10008.1.2.4.110", uids.ImplicitVRLittleEndian], "1.2.840.10008.1.2.4.110"),
        (["1.2.840.10008.1.2.6.2", uids.RLELossless], uids.RLELossless),
        ([uids.MPEG2MPML], uids.MPEG2MPML),
        ([uids.DeflatedExplicitVRLittleEndian], uids.DeflatedExplicitVRLittleEndian),
    ],
)
def test_the_first_known_transfer_syntax_is_chosen(proposed: list[str], chosen: str) -> None:
    assert preferred_transfer_syntax(proposed) == chosen
