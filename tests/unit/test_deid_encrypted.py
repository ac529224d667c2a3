"""Originals for the holder of a private key, and for nobody else."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

import deid
from deid.encrypted import NotReidentifiable, load_certificates, reidentify
from tests.unit.test_deid_engine import encode, instance, plan, written

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def certificate(key: Key) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trustee")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


def private(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


TRUSTEE = rsa.generate_private_key(65537, 2048)
STRANGER = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_the_holder_of_the_key_gets_every_original_back(syntax: str) -> None:
    dataset = instance(
        StudyDate="20240101",
        PatientBirthDate="19710203",
        Rows=4,
        RequestAttributesSequence=[instance()],
    )
    source = encode(dataset, syntax)
    to_trustee = plan()
    to_trustee.recipients = load_certificates([certificate(TRUSTEE).decode()])
    content = written(source, deid.deidentify(source, to_trustee))
    assert b"Zimmermann" not in content
    assert b"MRN-4711" not in content
    restored = pydicom.dcmread(
        io.BytesIO(reidentify(content, private(TRUSTEE), certificate(TRUSTEE)))
    )
    assert list(restored) == list(pydicom.dcmread(io.BytesIO(source)))


def test_another_key_opens_nothing() -> None:
    source = encode(instance())
    to_trustee = plan()
    to_trustee.recipients = load_certificates([certificate(TRUSTEE).decode()])
    content = written(source, deid.deidentify(source, to_trustee))
    with pytest.raises(NotReidentifiable):
        reidentify(content, private(STRANGER), certificate(STRANGER))


def test_each_of_several_recipients_can_open_it() -> None:
    source = encode(instance())
    shared = plan()
    shared.recipients = load_certificates(
        [certificate(TRUSTEE).decode(), certificate(STRANGER).decode()]
    )
    content = written(source, deid.deidentify(source, shared))
    assert b"Zimmermann" in reidentify(content, private(STRANGER), certificate(STRANGER))


def test_a_certificate_that_cannot_be_used_is_named() -> None:
    curve = certificate(ec.generate_private_key(ec.SECP256R1())).decode()
    with pytest.raises(
        deid.ConfigurationInvalid, match=r"certificates\[0\].*not a certificate"
    ) as caught:
        load_certificates(["nonsense", curve])
    assert "certificates[1] has a key that is not RSA" in str(caught.value)
