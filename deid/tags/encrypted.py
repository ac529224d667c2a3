"""Original values for the holder of a private key only: Encrypted Attributes Sequence (PS3.15 E.1.1, E.1.2).

The originals of every top-level element that was changed go into one item of Modified Attributes Sequence
(0400,0550), which is encrypted as CMS enveloped-data for each certificate (RFC 5652, AES-256 in CBC mode) and
stored in (0400,0520). Whoever holds a private key can put them back with `reidentify`.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import pydicom
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import Encoding as Serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs7
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from deid.encoding.header import each_top_level
from deid.encoding.transfer_syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE, Encoding, encoding_of
from deid.errors import ConfigurationInvalid, DeidError
from deid.identity import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.encoding.header import Buffer

ENCRYPTED_ATTRIBUTES: Final = 0x04000500
_MODIFIED_ATTRIBUTES: Final = 0x04000550
_TAG_SIZE: Final = 4
_PIXELS: Final = 0x7FE00008
_MAX_ORIGINALS: Final = 16 * 1024 * 1024
_MARKERS: Final = (0x00120062, 0x00120063, 0x00120064, 0x00280303, ENCRYPTED_ATTRIBUTES)
_ALWAYS: Final = frozenset({0x00080005, *_MARKERS[:-1]})
_OPTIONS: Final = [pkcs7.PKCS7Options.Binary]


class NotReidentifiable(DeidError):
    """The file holds no encrypted attributes, or none that this key opens."""


def load_certificates(pems: Sequence[str]) -> tuple[x509.Certificate, ...]:
    """Read certificates; their keys must be RSA, which is what CMS key transport is done with here.

    Raises
    ------
    ConfigurationInvalid
        Naming which of them is unusable, and why.
    """
    certificates = []
    problems = []
    for number, pem in enumerate(pems):
        where = f"dicomveil.encryptedAttributes.certificates[{number}]"
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            problems.append(f"{where} is not a certificate in PEM form")
            continue
        if not isinstance(certificate.public_key(), rsa.RSAPublicKey):
            problems.append(f"{where} has a key that is not RSA; use an RSA certificate")
            continue
        certificates.append(certificate)
    if problems:
        raise ConfigurationInvalid(problems)
    return tuple(certificates)


def changed_elements(
    source: Buffer, offset: int, result: bytes, encoding: Encoding
) -> tuple[bytes, tuple[int, ...]]:
    """Return the source's top-level elements, before Pixel Data, that the result does not have as they were.

    With them go the character set that they are read by, and what an earlier de-identification said of
    itself. The second value names what was too large to be sealed.
    """
    kept = {
        result[start:stop] for _tag, start, stop in each_top_level(result, 0, encoding, _PIXELS)
    }
    changed: list[bytes] = []
    left_out: list[int] = []
    size = 0
    for tag, start, stop in each_top_level(source, offset, encoding, _PIXELS):
        if not tag & 0xFFFF:
            continue
        if size + stop - start > _MAX_ORIGINALS:
            left_out.append(tag)
            continue
        element = source[start:stop]
        if element not in kept or tag in _ALWAYS:
            changed.append(element)
            size += len(element)
    return b"".join(changed), tuple(left_out)


def encrypted_attributes(
    originals: bytes, encoding: Encoding, certificates: Sequence[x509.Certificate]
) -> bytes:
    """Return the encoded element (0400,0500) with one item for each certificate.

    Parameters
    ----------
    originals
        Encoded elements, in `encoding`.
    """
    item = encoding.item_header(0xE000, len(originals)) + originals
    modified = encoding.element(_MODIFIED_ATTRIBUTES, b"SQ", item)
    syntax = (
        ExplicitVRBigEndian
        if encoding is EXPLICIT_BIG
        else ExplicitVRLittleEndian
        if encoding is EXPLICIT_LITTLE
        else ImplicitVRLittleEndian
    )
    items = b""
    for certificate in certificates:
        envelope = (
            pkcs7.PKCS7EnvelopeBuilder()
            .set_data(modified)
            .set_content_encryption_algorithm(algorithms.AES256)
            .add_recipient(certificate)
            .encrypt(Serialization.DER, _OPTIONS)
        )
        content = encoding.element(0x04000510, b"UI", values.uid(syntax))
        content += encoding.element(0x04000520, b"OB", values.even(envelope))
        items += encoding.item_header(0xE000, len(content)) + content
    return encoding.element(ENCRYPTED_ATTRIBUTES, b"SQ", items)


def reidentify(content: bytes, private_key_pem: bytes, certificate_pem: bytes) -> bytes:
    """Return a Part 10 file with its original attributes put back.

    Parameters
    ----------
    content
        A de-identified file.
    private_key_pem, certificate_pem
        The recipient's.

    Raises
    ------
    NotReidentifiable
        When there is nothing that this key opens.
    """
    try:
        dataset = pydicom.dcmread(io.BytesIO(content))
        key = load_pem_private_key(private_key_pem, None)
        certificate = x509.load_pem_x509_certificate(certificate_pem)
    except InvalidDicomError as error:
        raise NotReidentifiable("the file is not a DICOM file") from error
    except TypeError as error:
        raise NotReidentifiable(
            "the private key is locked with a password; give it without one, as"
            " `openssl pkey -in LOCKED -out KEY` writes it"
        ) from error
    except ValueError as error:
        raise NotReidentifiable("the key or the certificate is not in PEM form") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise NotReidentifiable("the private key is not an RSA key")
    if key.public_key() != certificate.public_key():
        raise NotReidentifiable("the private key and the certificate do not belong to each other")
    if not dataset.get("EncryptedAttributesSequence"):
        raise NotReidentifiable(
            "nothing was sealed in it: it has no Encrypted Attributes Sequence (0400,0500)"
        )
    for item in dataset.EncryptedAttributesSequence:
        originals = _opened(item, certificate, key)
        if originals is not None:
            return _restored(dataset, originals)
    raise NotReidentifiable(
        "it was sealed for somebody else: this key opens no item of Encrypted Attributes Sequence (0400,0500)"
    )


def _opened(
    item: pydicom.Dataset, certificate: x509.Certificate, key: rsa.RSAPrivateKey
) -> pydicom.Dataset | None:
    """Return what was sealed in an item, or nothing when this key does not open it.

    A wrong key is not always refused. Where certificates share issuer and serial number, it is answered with a
    random content key (RFC 3218 2.3.2), and one padding in 256 is right by chance. So what comes out must begin
    as Modified Attributes Sequence does.
    """
    if "EncryptedContent" not in item or "EncryptedContentTransferSyntaxUID" not in item:
        return None
    try:
        content = pkcs7.pkcs7_decrypt_der(
            _without_padding(item.EncryptedContent), certificate, key, []
        )
    except (ValueError, IndexError, UnsupportedAlgorithm):
        return None
    encoding = encoding_of(item.EncryptedContentTransferSyntaxUID)
    if not content.startswith(encoding.element(_MODIFIED_ATTRIBUTES, b"SQ", b"")[:_TAG_SIZE]):
        return None
    sealed = read_dataset(io.BytesIO(content), not encoding.explicit, not encoding.big_endian)
    return next(iter(sealed.get("ModifiedAttributesSequence") or ()), None)


def _without_padding(envelope: bytes) -> bytes:
    """Cut the NUL that made the length even: DER says how long it is (X.690 8.1.3)."""
    first = envelope[1]
    size = 2 + first
    if first & 0x80:
        count = first & 0x7F
        size = 2 + count + int.from_bytes(envelope[2 : 2 + count], "big")
    return envelope[:size]


def _restored(dataset: pydicom.Dataset, originals: pydicom.Dataset) -> bytes:
    for tag in _MARKERS:
        if tag in dataset:
            del dataset[tag]
    for element in originals:
        dataset[element.tag] = element
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
