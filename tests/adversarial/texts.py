"""Places made by text: character sets, Person Name groups, NULs, UIDs, addresses, dates in disguise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.adversarial import values
from tests.adversarial.bases import item, uid
from tests.adversarial.corpus import Draft, HidingPlace
from tests.adversarial.wire import element, sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

_PEOPLE = {
    "IR-87": (
        ["", "ISO 2022 IR 87"], "Kurokawa^Haruto=黒河^陽翔=くろかわ^はると", ("Kurokawa", "黒河", "くろかわ"),
    ),
    "IR-149": (["", "ISO 2022 IR 149"], "Namgung^Seojun=南宮^書俊=남궁^서준", ("Namgung", "南宮", "남궁")),
    "GB18030": ("GB18030", "Ouyang^Zihan=欧阳^子涵", ("Ouyang", "欧阳")),
    "GBK": ("GBK", "Shangguan^Yi=上官^奕辰", ("Shangguan", "上官")),
    "IR-192": ("ISO_IR 192", "Đoànvũ^Thịnh=段武^盛", ("Đoànvũ", "段武")),
    "IR-144": ("ISO_IR 144", "Дроздовский^Тимофей", ("Дроздовский", "Тимофей")),
    "IR-101": ("ISO_IR 101", "Świerczyński^Żądło", ("Świerczyński", "Żądło")),
    "IR-126": ("ISO_IR 126", "Παπαγιαννόπουλος^Θάλεια", ("Παπαγιαννόπουλος", "Θάλεια")),
    "IR-138": ("ISO_IR 138", "רוזנבלום^אביגיל", ("רוזנבלום", "אביגיל")),
    "IR-127": ("ISO_IR 127", "الخوارزمي^ياسمين", ("الخوارزمي", "ياسمين")),
    "IR-148": ("ISO_IR 148", "Karaosmanoğlu^Işıl", ("Karaosmanoğlu", "Işıl")),  # noqa: RUF001
    "IR-166": ("ISO_IR 166", "ธนะรัชต์^พิมพ์", ("ธนะรัชต์", "พิมพ์")),
    "IR-13": ("ISO_IR 13", "ﾊﾗﾀﾞ^ﾕｳｷﾁ", ("ﾊﾗﾀﾞ", "ﾕｳｷﾁ")),
    "IR-100": ("ISO_IR 100", "Größenbrünn^Åsbjörg", ("Größenbrünn", "Åsbjörg")),
    "IR-58": (["", "ISO 2022 IR 58"], "Murong^Xue=慕容^雪晴", ("Murong", "慕容")),
}  # fmt: skip


def places() -> Iterator[HidingPlace]:
    """Yield the places of this family."""
    yield from _character_sets()
    yield from _strangers()
    yield from _lies()
    yield from _person_names()
    yield from _hidden_text()
    yield from _identifiers_in_disguise()
    yield from _common_names()
    yield from _days_in_words()
    yield from _own_in_other_forms()


def _common_names() -> Iterator[HidingPlace]:
    """Yield people whose names stand in the standard's own texts, too: inventors, authors, companies."""
    for number, person in enumerate(
        (
            "Robert Miller",
            "Hans Fischer",
            "George King MD",
            "James Taylor",
            "Lee Harris",
            "Nelson Campbell",
            "LEE",
            "EVA WU",
        )
    ):
        for keyword, vr in (("LUTExplanation", "LO"), ("ContentDescription", "LO")):
            draft = Draft(f"common-names/{number}-{keyword}")
            draft.add(keyword, vr, f"seen by {draft.own(person, keyword)}")
            yield draft.finish()


def _days_in_words() -> Iterator[HidingPlace]:
    """Yield days written with the month's name and in other unusual ways, in texts outside the table."""
    for number, day in enumerate(
        ("27 AUG 1941", "27-AUG-1941", "27AUG41", "27 May 1941", "27 mars 1941", "27 VIII 1941",
         "27. V. 1941", "41-08-27", "1941-W35", "Aug 27, 1941", "27.August 1941", "27|08|1941")
    ):  # fmt: skip
        draft = Draft(f"days-in-words/{number:02d}")
        draft.add("LUTExplanation", "LO", f"scan {draft.own(day, 'LUTExplanation')}")
        yield draft.finish()
    for keyword, vr, day in (
        ("InstanceNumber", "IS", "20190510"), ("AcquisitionNumber", "IS", "19901010"),
        ("TriggerTime", "DS", "20200630"), ("RescaleIntercept", "DS", "19410820"),
    ):  # fmt: skip
        draft = Draft(f"days-in-words/{keyword}")
        draft.add(keyword, vr, draft.own(day, keyword))
        yield draft.finish()


def _own_in_other_forms() -> Iterator[HidingPlace]:
    """Yield the patient's and others' own names where a search by bytes does not see them."""
    for number, (charset, name, written) in enumerate(
        (
            ("ISO_IR 192", "Дроздовский^Тимофей", "Дроздовский"),
            ("ISO_IR 144", "Дроздовский^Тимофей", "ДРОЗДОВСКИЙ"),
            ("ISO_IR 192", "Özdemiroğlu^Şulenur", "özdemiroğlu"),
            ("", "Smithers-Jonesby^Ann", "Jonesby"),
            ("", "O'Briensson^Sean", "OBriensson"),
        )
    ):  # fmt: skip
        for keyword, vr in (("Manufacturer", "LO"), ("LUTExplanation", "LO")):
            draft = Draft(f"own-forms/{number}-{keyword}")
            if charset:
                draft.dataset.SpecificCharacterSet = charset
            draft.dataset.PatientName = name
            draft.add(keyword, vr, draft.own(written, keyword))
            yield draft.finish()
    draft = Draft("own-forms/behind-a-palette")
    for colour in ("Red", "Green", "Blue"):
        setattr(draft.dataset, f"{colour}PaletteColorLookupTableDescriptor", [0, 0, 16])
        setattr(draft.dataset, f"{colour}PaletteColorLookupTableData", bytes(131072))
    draft.add("WindowCenterWidthExplanation", "LO", draft.own(values.OWN_SURNAME, "window"))
    yield draft.finish()
    draft = Draft("own-forms/two-byte-letters-in-a-table")
    letters = draft.own(values.OWN_SURNAME, "LUTData").encode("utf-16-le")
    draft.add("LUTData", "OW", bytes(64) + letters + bytes(64))
    yield draft.finish()


def _character_sets() -> Iterator[HidingPlace]:
    for name, (charset, person, markers) in _PEOPLE.items():
        for place in ("header", "outside-the-table", "nested", "item-level"):
            draft = Draft(f"charset/{name}-{place}")
            marked = [draft.own(marker, place) for marker in markers]
            ideographs = person.partition("=")[2] or person
            word = ideographs.partition("^")[0]
            if place != "item-level":
                draft.dataset.SpecificCharacterSet = charset
                draft.dataset.PatientName = person
            if place == "outside-the-table":
                draft.add("ContrastBolusAgent", "LO", f"{word} 350")
            elif place == "nested":
                draft.dataset.ReferencedSeriesSequence = [
                    item(PatientName=person, ContrastBolusAgent=word)
                ]
            elif place == "item-level":
                # The item declares its own set (PS3.5 6.1.2.3); the data set declares none.
                draft.dataset.pop("SpecificCharacterSet", None)
                inner = item(SpecificCharacterSet=charset)
                inner.PatientName = person
                inner.ContrastBolusAgent = word
                inner.ReferencedImageSequence = [item(ContrastBolusAgent=word)]
                draft.dataset.SourceImageSequence = [inner]
            assert marked
            yield draft.finish()


_STRANGERS = {
    "two-kanji": "田中", "kanji": "佐々木蔵之介", "hanja": "남궁서준", "han": "欧阳", "cyrillic": "Зоя",
    "greek": "Ζωή", "thai": "พิมพ์", "arabic": "نور", "umlaut": "Jörg",
}  # fmt: skip


def _strangers() -> Iterator[HidingPlace]:
    """Yield people who stand nowhere else, in scripts that no Latin rule of thumb fits."""
    for name, text in _STRANGERS.items():
        for keyword in ("LUTExplanation", "ContrastBolusAgent", "SoftwareVersions"):
            draft = Draft(f"strangers/{name}-in-{keyword}")
            draft.dataset.SpecificCharacterSet = "ISO_IR 192"
            draft.add(keyword, "LO", draft.own(text, keyword))
            yield draft.finish()
    for text in ("Ng Oh", "Wu Li", "Bo Yi", "Dr Xu"):
        draft = Draft(f"strangers/{text.replace(' ', '-')}")
        draft.add("LUTExplanation", "LO", draft.own(text, "LUTExplanation"))
        yield draft.finish()


def _lies() -> Iterator[HidingPlace]:
    """Yield bytes in another set than the declared one, or in none."""
    for name, declared, codec, text in (
        ("undeclared-latin-1", None, "latin-1", "Schönhäuser"),
        ("undeclared-utf-8", None, "utf-8", "Großmüller"),
        ("undeclared-shift-jis", None, "shift_jis", "鷹司"),
        ("undeclared-koi8", None, "koi8-r", "Преображенский"),
        ("utf-8-as-latin-1", "ISO_IR 100", "utf-8", "Blåbærstrøm"),
        ("latin-1-as-utf-8", "ISO_IR 192", "latin-1", "Fjørtoftås"),
        ("cyrillic-as-greek", "ISO_IR 126", "iso8859-5", "Волконская"),
        ("utf-16", "ISO_IR 192", "utf-16-le", "Zwingliberg"),
        ("no-such-set", "ISO_IR 999", "utf-8", "Pruszyńska"),
        ("escape-without-extension", "ISO_IR 6", "iso2022_jp", "九条院"),
    ):
        for tag, place in ((0x00100010, "name"), (0x00081080, "table"), (0x00180010, "outside")):
            draft = Draft(f"charset-lies/{name}-{place}")
            draft.dataset.pop("SpecificCharacterSet", None)
            draft.own(text, place)
            raw = text.encode(codec)
            draft.dataset.pop(tag, None)
            if declared:
                draft.raw(0x00080005, element(0x00080005, "CS", declared.encode()))
            draft.raw(tag, element(tag, "PN" if tag == 0x00100010 else "LO", raw))
            yield draft.finish()
    draft = Draft("charset-lies/item-overrides-data-set")
    draft.dataset.SpecificCharacterSet = "ISO_IR 192"
    draft.own("Дубровникова", "item")
    content = element(0x00080005, "CS", b"ISO_IR 144") + element(
        0x00180010, "LO", "Дубровникова".encode("iso8859-5")
    )
    draft.dataset.pop(0x00081115, None)
    draft.raw(0x00081115, sequence(0x00081115, [content]))
    yield draft.finish()
    draft = Draft("charset-lies/charset-value-is-a-name")
    draft.raw(
        0x00080005, element(0x00080005, "CS", draft.capitals("SpecificCharacterSet").encode())
    )
    yield draft.finish()
    draft = Draft("charset-lies/charset-in-item-is-a-name")
    content = element(0x00080005, "CS", draft.capitals("SpecificCharacterSet").encode())
    draft.dataset.pop(0x00081115, None)
    draft.raw(0x00081115, sequence(0x00081115, [content]))
    yield draft.finish()


def _person_names() -> Iterator[HidingPlace]:
    draft = Draft("names/multi-valued")
    draft.dataset.OperatorsName = [draft.name("first"), draft.name("second"), draft.name("third")]
    yield draft.finish()
    draft = Draft("names/five-components")
    draft.dataset.OtherPatientNames = "^".join(draft.surname(str(n)) for n in range(5))
    yield draft.finish()
    draft = Draft("names/three-groups-of-latin")
    draft.dataset.PatientName = "=".join(draft.name(str(n)) for n in range(3))
    yield draft.finish()
    draft = Draft("names/forty-values")
    draft.dataset.PhysiciansOfRecord = [draft.name(str(n)) for n in range(40)]
    yield draft.finish()
    for shape in ("initial", "comma", "reversed", "joined", "lower", "upper", "hyphen", "quoted"):
        draft = Draft(f"names/own-name-{shape}-in-text")
        surname, given = values.OWN_SURNAME, values.OWN_GIVEN
        text = {
            "initial": f"{given[0]}. {surname}", "comma": f"{surname}, {given}",
            "reversed": f"{given} {surname}", "joined": f"{surname}_{given}",
            "lower": surname.lower(), "upper": surname.upper(), "hyphen": f"axial-{surname}-chest",
            "quoted": f'"{surname}"',
        }[shape]  # fmt: skip
        draft.own(surname, "LUTExplanation")
        draft.add("LUTExplanation", "LO", text)
        draft.add("ContrastBolusAgent", "LO", text)
        yield draft.finish()
    for keyword in ("Manufacturer", "ManufacturerModelName"):
        for shape in ("joined", "digits", "camel"):
            draft = Draft(f"names/own-name-{shape}-in-{keyword}")
            surname = draft.own(values.OWN_SURNAME, keyword)
            text = {
                "joined": f"scanner_{surname}_2", "digits": f"{surname}2019",
                "camel": f"Scanner{surname}",
            }[shape]  # fmt: skip
            draft.add(keyword, "LO", text)
            yield draft.finish()


def _hidden_text() -> Iterator[HidingPlace]:
    for keyword, tag, vr, shown in (
        ("LUTExplanation", 0x00283003, "LO", b"axial"), ("KVP", 0x00180060, "DS", b"120"),
        ("Modality", 0x00080060, "CS", b"CT"), ("SOPClassUID", 0x00080016, "UI", None),
        ("SliceThickness", 0x00180050, "DS", b"5"),
        ("ImageType", 0x00080008, "CS", b"ORIGINAL\\PRIMARY"),
        ("BodyPartExamined", 0x00180015, "CS", b"CHEST"), ("Manufacturer", 0x00080070, "LO", b"Veil"),
        ("PhotometricInterpretation", 0x00280004, "CS", b"MONOCHROME2"),
        ("SeriesNumber", 0x00200011, "IS", b"2"), ("PatientPosition", 0x00185100, "CS", b"HFS"),
        ("ManufacturerModelName", 0x00081090, "LO", b"Veilscan"),
    ):  # fmt: skip
        draft = Draft(f"hidden/after-NUL-in-{keyword}")
        visible = shown if shown is not None else b"1.2.840.10008.5.1.4.1.1.2"
        draft.dataset.pop(tag, None)
        hidden = draft.surname(f"after NUL in {keyword}").encode()
        draft.raw(tag, element(tag, vr, visible + b"\x00" + hidden))
        yield draft.finish()
    for name, glue in (
        ("spaces", b" " * 40), ("newlines", b"\r\n\r\n"), ("tab", b"\t"), ("backslashes", b"\\" * 6),
        ("delete", b"\x7f"), ("escape", b"\x1b$B"),
    ):  # fmt: skip
        draft = Draft(f"hidden/after-{name}")
        hidden = draft.surname(f"after {name}").encode()
        draft.raw(0x00283003, element(0x00283003, "LO", b"axial" + glue + hidden))
        draft.raw(0x00180022, element(0x00180022, "CS", b"HELIX" + glue + hidden.upper()))
        draft.dataset.pop(0x00180022, None)
        yield draft.finish()
    for name, spread in (
        ("letters-apart", " ".join), ("dotted", ".".join), ("underscores", "_".join),
    ):  # fmt: skip
        draft = Draft(f"hidden/{name}")
        draft.add("LUTExplanation", "LO", draft.own(spread("QUILLERGAST"), "LUTExplanation"))
        yield draft.finish()
    for vr, tag in (
        ("US", 0x00280106), ("SL", 0x00186020), ("FL", 0x00189073), ("AT", 0x00280009),
        ("FD", 0x00189345), ("OW", 0x00281201), ("SS", 0x00280107), ("UL", 0x00186024),
    ):  # fmt: skip
        draft = Draft(f"hidden/text-in-binary-{vr}")
        text = draft.surname(f"text in {vr}").encode()
        draft.dataset.pop(tag, None)
        draft.raw(tag, element(tag, vr, text + b" " * (-len(text) % 8)))
        yield draft.finish()
        draft = Draft(f"hidden/own-name-in-binary-{vr}")
        text = draft.own(values.OWN_SURNAME, f"text in {vr}").encode()
        draft.dataset.pop(tag, None)
        draft.raw(tag, element(tag, vr, text + b" " * (-len(text) % 8)))
        yield draft.finish()


def _identifiers_in_disguise() -> Iterator[HidingPlace]:
    for keyword in ("FrameOfReferenceUID", "SynchronizationFrameOfReferenceUID", "DeviceUID",
                    "IrradiationEventUID", "ConcatenationUID", "DimensionOrganizationUID",
                    "InstanceCreatorUID", "StorageMediaFileSetUID", "SpecimenUID"):  # fmt: skip
        draft = Draft(f"uids/record-number-in-{keyword}")
        draft.add(keyword, "UI", draft.uid(keyword))
        yield draft.finish()
    for keyword in ("CodingSchemeUID", "ContextUID", "MappingResourceUID", "ReferencedSOPClassUID",
                    "OriginalSpecializedSOPClassUID", "RelatedGeneralSOPClassUID"):  # fmt: skip
        for root in ("1.2.840.10008.5.1.4.1.1.", "2.16.840.1.113883.3.", "1.3.12.2.1107."):
            draft = Draft(f"uids/record-number-in-{keyword}-under-{root.count('.')}-{root[:4]}")
            draft.add(keyword, "UI", root + draft.number(keyword))
            yield draft.finish()
    draft = Draft("uids/name-as-uid")
    draft.add("FrameOfReferenceUID", "UI", draft.surname("FrameOfReferenceUID"))
    yield draft.finish()
    draft = Draft("uids/multi-valued")
    draft.add("FailedSOPInstanceUIDList", "UI", [draft.uid("first"), draft.uid("second")])
    yield draft.finish()
    draft = Draft("uids/study-and-series-hold-the-record-number")
    draft.dataset.StudyInstanceUID = draft.uid("StudyInstanceUID")
    draft.dataset.SeriesInstanceUID = f"{draft.dataset.StudyInstanceUID}.2"
    draft.dataset.SOPInstanceUID = f"{draft.dataset.StudyInstanceUID}.2.1"
    draft.dataset.file_meta.MediaStorageSOPInstanceUID = draft.dataset.SOPInstanceUID
    yield draft.finish()
    draft = Draft("uids/same-uid-in-four-places")
    same = draft.uid("SourceImageSequence")
    for keyword in ("SourceImageSequence", "ReferencedImageSequence"):
        draft.dataset[keyword].value[0].ReferencedSOPInstanceUID = same
    draft.dataset.ReferencedSeriesSequence = [
        item(
            SeriesInstanceUID=uid("x"),
            ReferencedInstanceSequence=[item(ReferencedSOPInstanceUID=same)],
        )
    ]
    first = "SourceImageSequence[0].ReferencedSOPInstanceUID"
    draft.refer(first, "ReferencedImageSequence[0].ReferencedSOPInstanceUID")
    draft.refer(
        first, "ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID"
    )
    yield draft.finish()
    for name, keyword, vr, shape in (
        ("url", "RetrieveURL", "UR", "https://pacs.{}.example/patient"),
        ("url-query", "RetrieveURI", "UR", "https://pacs.example/wado?patient={}"),
        ("url-in-text", "LUTExplanation", "LO", "see http://{}.example/x"),
        ("mail", "LUTExplanation", "LO", "{}@klinik.example"),
        ("path", "LUTExplanation", "LO", "C:\\\\scans\\\\{}"),
        ("file-name", "ContrastBolusAgent", "LO", "{}_chest_ct.dcm"),
        ("ae-title", "RetrieveAETitle", "AE", "{}"),
        ("ae-title-unlisted", "DestinationAE", "AE", "{}"),
        ("hash-tag", "ContrastBolusAgent", "LO", "#{}#"),
        ("camel", "ContrastBolusAgent", "LO", "contrast{}Left"),
        ("possessive", "LUTExplanation", "LO", "{}'s chest"),
    ):
        draft = Draft(f"disguise/{name}")
        text = draft.capitals(keyword) if vr == "AE" else draft.surname(keyword)
        draft.add(keyword, vr, shape.format(text))
        yield draft.finish()
    for name, text in (
        ("iso", "1941-08-27"), ("german", "27.08.1941"), ("american", "08/27/1941"),
        ("digits", "19410827"), ("month-name", "27 Aug 1941"), ("long", "August 27, 1941"),
        ("underscores", "1941_08_27"), ("two-digit-year", "27.08.41"), ("with-time", "1941-08-27T10:11"),
        ("glued", "born19410827"),
    ):  # fmt: skip
        draft = Draft(f"disguise/date-{name}")
        draft.add("LUTExplanation", "LO", draft.own(text, "LUTExplanation"))
        yield draft.finish()
        draft = Draft(f"disguise/date-{name}-in-software-versions")
        draft.add("SoftwareVersions", "LO", draft.own(text, "SoftwareVersions"))
        yield draft.finish()
    for name, text in (
        ("phone", "0551 7719 442"), ("phone-dashes", "555-0199-442"), ("phone-dots", "555.019.9442"),
        ("ssn", "078-05-1120"), ("record-dashes", "44-71-902"), ("record-spaces", "447 190 288"),
        ("record-letter", "M4471902"), ("record-suffix", "4471902X"), ("record-slash", "2019/44719"),
        ("ip", "10.11.12.13"), ("mac", "00:1B:44:11:3A:B7"),
    ):  # fmt: skip
        for keyword in ("LUTExplanation", "SoftwareVersions"):
            draft = Draft(f"disguise/{name}-in-{keyword}")
            draft.add(keyword, "LO", draft.own(text, keyword))
            yield draft.finish()
    for tag, vr, keyword in (
        (0x00080030, "TM", "StudyTime"), (0x00080031, "TM", "SeriesTime"),
        (0x00080020, "DA", "StudyDate"), (0x0008002A, "DT", "AcquisitionDateTime"),
        (0x00181012, "DA", "DateOfSecondaryCapture"), (0x00101010, "AS", "PatientAge"),
        (0x00180072, "DS", "EffectiveDuration"), (0x0040A120, "DT", "DateTime"),
        (0x00189074, "DT", "FrameAcquisitionDateTime"),
        (0x00189701, "DT", "DecayCorrectionDateTime"),
        (0x00080106, "DT", "ContextGroupVersion"), (0x00080107, "DT", "ContextGroupLocalVersion"),
    ):  # fmt: skip
        draft = Draft(f"temporal/name-in-{keyword}")
        draft.add(tag, vr, draft.surname(keyword))
        yield draft.finish()
        if vr not in ("AS", "DS"):
            draft = Draft(f"temporal/date-in-{keyword}")
            draft.add(tag, vr, draft.date(keyword))
            yield draft.finish()
    draft = Draft("temporal/range")
    draft.add("StudyDate", "DA", f"{draft.date('from')}-{draft.date('to')}")
    yield draft.finish()
    draft = Draft("temporal/old-form-with-dots")
    text = draft.date("StudyDate")
    draft.planted.clear()
    draft.add("StudyDate", "DA", draft.own(f"{text[:4]}.{text[4:6]}.{text[6:]}", "StudyDate"))
    yield draft.finish()
    draft = Draft("temporal/two-dates")
    draft.add("DateOfLastCalibration", "DA", [draft.date("first"), draft.date("second")])
    yield draft.finish()
