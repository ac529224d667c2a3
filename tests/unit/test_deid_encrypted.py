"""Originals for the holder of a private key, and for nobody else."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

import deid
from deid.tags.encrypted import NotReidentifiable, load_certificates, reidentify
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


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 192", "Müller^Jörg=山田^太郎"),
        ("ISO_IR 144", "Иванов^Иван"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_names_beyond_ascii_come_back(charset: str | list[str], name: str) -> None:
    source = encode(instance(SpecificCharacterSet=charset, PatientName=name))
    to_trustee = plan()
    to_trustee.recipients = load_certificates([certificate(TRUSTEE).decode()])
    content = written(source, deid.deidentify(source, to_trustee))
    restored = pydicom.dcmread(
        io.BytesIO(reidentify(content, private(TRUSTEE), certificate(TRUSTEE)))
    )
    assert restored.PatientName == name
    assert list(restored) == list(pydicom.dcmread(io.BytesIO(source)))


def test_what_an_earlier_step_said_of_itself_comes_back() -> None:
    source = encode(instance(PatientIdentityRemoved="YES", DeidentificationMethod="Elsewhere"))
    to_trustee = plan()
    to_trustee.recipients = load_certificates([certificate(TRUSTEE).decode()])
    content = written(source, deid.deidentify(source, to_trustee))
    restored = pydicom.dcmread(
        io.BytesIO(reidentify(content, private(TRUSTEE), certificate(TRUSTEE)))
    )
    assert restored.PatientIdentityRemoved == "YES"
    assert restored.DeidentificationMethod == "Elsewhere"


def test_what_is_too_large_to_be_sealed_is_named() -> None:
    # What begins with a control character is in no word, and is not looked through for any.
    source = encode(instance(TextValue="\x7f" + "x" * (17 << 20)))
    to_trustee = plan()
    to_trustee.recipients = load_certificates([certificate(TRUSTEE).decode()])
    outcome = deid.deidentify(source, to_trustee).outcome
    assert "not_sealed: (0040,A160)" in outcome.warnings


def test_another_key_opens_nothing() -> None:
    source = encode(instance())
    to_trustee = plan()
    to_trustee.recipients = load_certificates([certificate(TRUSTEE).decode()])
    content = written(source, deid.deidentify(source, to_trustee))
    with pytest.raises(NotReidentifiable):
        reidentify(content, private(STRANGER), certificate(STRANGER))


def _sealed(content: bytes, key: Key) -> pydicom.Dataset:
    """Make an item that the key opens, whatever is in it."""
    item = pydicom.Dataset()
    item.EncryptedContentTransferSyntaxUID = ExplicitVRLittleEndian
    envelope = (
        pkcs7.PKCS7EnvelopeBuilder()
        .set_data(content)
        .set_content_encryption_algorithm(algorithms.AES256)
        .add_recipient(x509.load_pem_x509_certificate(certificate(key)))
        .encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
    )
    item.EncryptedContent = envelope + b"\0" * (len(envelope) % 2)
    return item


@pytest.mark.parametrize("chance", [bytes(16), b"\xf3" * 33, b"", b"\x00\x04\x50\x05SQ"])
def test_what_a_wrong_key_makes_of_an_item_is_passed_over(chance: bytes) -> None:
    """A wrong key is right about the padding once in 256 times: what then comes out is noise."""
    source = encode(instance())
    to_trustee = plan()
    to_trustee.recipients = load_certificates([certificate(TRUSTEE).decode()])
    sealed = pydicom.dcmread(io.BytesIO(written(source, deid.deidentify(source, to_trustee))))
    sealed.EncryptedAttributesSequence.insert(0, _sealed(chance, TRUSTEE))
    opened = reidentify(encode(sealed), private(TRUSTEE), certificate(TRUSTEE))
    assert list(pydicom.dcmread(io.BytesIO(opened))) == list(pydicom.dcmread(io.BytesIO(source)))
    del sealed.EncryptedAttributesSequence[1]
    with pytest.raises(NotReidentifiable, match="sealed for somebody else"):
        reidentify(encode(sealed), private(TRUSTEE), certificate(TRUSTEE))


@pytest.mark.parametrize("missing", ["EncryptedContent", "EncryptedContentTransferSyntaxUID"])
def test_an_item_that_says_too_little_is_passed_over(missing: str) -> None:
    sealed = pydicom.dcmread(io.BytesIO(encode(instance())))
    item = _sealed(b"", TRUSTEE)
    del item[missing]
    sealed.EncryptedAttributesSequence = [item]
    with pytest.raises(NotReidentifiable, match="sealed for somebody else"):
        reidentify(encode(sealed), private(TRUSTEE), certificate(TRUSTEE))


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


def test_a_key_that_is_locked_is_said_to_be_locked() -> None:
    locked = TRUSTEE.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with pytest.raises(NotReidentifiable, match="locked with a password"):
        reidentify(encode(instance()), locked, certificate(TRUSTEE))
