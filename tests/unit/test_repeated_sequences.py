"""Sequences that instances have in common come out as if each instance were gone through whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

import deid
from deid.identity.keys import Replacements
from deid.tags.passage import Passage
from deid.tags.repeated import Made, RepeatedSequences
from deid.tags.tag_plan import TagPlan
from deid.tags.walk import Walk
from tests.factories import encoded, make_ct

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.tags.repeated import Key

KEY = deid.SiteKey(bytes(range(32)))
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
OPTIONS = ["retain_modified_dates", "retain_device_identity"]
CONFIGURATIONS = [{}, {"options": OPTIONS}]
SOURCE_UID = generate_uid(entropy_srcs=["a source of all of them"])


class Learning(Walk):
    """Keeps what each pass learnt."""

    passes: list[Walk]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.passes.append(self)


@pytest.fixture(autouse=True)
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Walk]:
    found: list[Walk] = []
    monkeypatch.setattr(Learning, "passes", found, raising=False)
    monkeypatch.setattr("deid.engine.Walk", Learning)
    return found


def made_of(datasets: list[Dataset], own: dict[str, Any], passes: list[Walk]) -> list[object]:
    """Return what becomes of instances under one plan, and what each pass learnt."""
    plan = deid.compile_plan({**BASIC, "dicomveil": {**own, "unknownSopClass": "pass"}}, KEY)
    made: list[object] = []
    for dataset in datasets:
        content = encoded(dataset)
        passes.clear()
        result = deid.deidentify(content, plan)
        learnt = [
            (walk.passage.known.found, walk.passage.known.uids, walk.passage.actions)
            for walk in passes
        ]
        joined = b"".join(
            part if isinstance(part, bytes) else content[part.start : part.stop]
            for part in result.segments
        )
        made.append((joined, result.outcome, learnt))
    return made


def instance(number: int, patient: str = "MRN-1", **attributes: object) -> Dataset:
    dataset = make_ct(rows=8, instance=number)
    dataset.PatientID = patient
    items = [Dataset(), Dataset()]
    for item in items:
        item.ReferencedSOPInstanceUID = SOURCE_UID
    for keyword, value in attributes.items():
        setattr(items[0], keyword, value)
    dataset.SourceImageSequence = items
    return dataset


def same_again() -> list[Dataset]:
    return [instance(number, AccessionNumber="RP-77120") for number in (1, 2, 3)]


def of_two_patients() -> list[Dataset]:
    dated = {"StudyDate": "20240229", "PatientID": "MRN-1"}
    return [instance(number, f"MRN-{number % 2}", **dated) for number in (1, 2, 3, 4)]


def in_two_character_sets() -> list[Dataset]:
    found = [instance(number) for number in (1, 2, 3)]
    for dataset, charset in zip(found, ("ISO_IR 192", "ISO_IR 100", "ISO_IR 192"), strict=True):
        dataset.PatientName = "A^B"
        dataset.SpecificCharacterSet = charset
        dataset.SourceImageSequence[0].add_new(0x00100020, "LO", "Sch\u00e4del".encode())
    return found


def a_number_from_the_sequence_in_another_element() -> list[Dataset]:
    found = [instance(number, AccessionNumber="771204") for number in (1, 2)]
    found[1].AcquisitionNumber = 771204
    return found


def with_labels_to_tell_apart() -> list[Dataset]:
    found = [instance(number) for number in (1, 2)]
    # The pass over the second one knows of a label before it comes to the sequence.
    found[1].SegmentLabel = "the other one of Brandgrav"
    for dataset in found:
        dataset.AnnotationGroupSequence = [Dataset()]
        dataset.AnnotationGroupSequence[0].SegmentLabel = "the one of Quillergast"
    return found


def of_an_unknown_class() -> list[Dataset]:
    found = [instance(number) for number in (1, 2, 3)]
    for number, dataset in enumerate(found):
        dataset.SourceImageSequence[0].SOPClassUID = "1.2.840.999999.7.1"
        dataset.SOPClassUID = f"1.2.840.999999.7.{1 + number % 2}"
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    return found


def more_kinds_than_are_remembered() -> list[Dataset]:
    return [instance(number, AccessionNumber=f"RP-{number}") for number in range(70)]


@pytest.mark.parametrize(
    "instances",
    [
        same_again,
        of_two_patients,
        in_two_character_sets,
        a_number_from_the_sequence_in_another_element,
        with_labels_to_tell_apart,
        of_an_unknown_class,
        more_kinds_than_are_remembered,
    ],
)
@pytest.mark.parametrize("own", CONFIGURATIONS, ids=["basic", "moved"])
def test_an_instance_comes_out_alike_whatever_went_before_it(
    instances: Callable[[], list[Dataset]],
    own: dict[str, Any],
    passes: list[Walk],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    datasets = instances()
    # As if every replaced label were the same at first.
    monkeypatch.setattr(Replacements, "label", lambda *_, turn: f"ROI-{turn}")
    told: list[Made] = []
    learn = Passage.learn

    def watched(passage: Passage, made: Made) -> None:
        told.append(made)
        learn(passage, made)

    with monkeypatch.context() as watching:
        watching.setattr(Passage, "learn", watched)
        made = made_of(datasets, own, passes)
    assert len({id(each) for each in told}) < len(told)  # some were met again
    monkeypatch.setattr(TagPlan, "repeated", lambda *_: None)
    assert made == made_of(datasets, own, passes)


def test_what_is_remembered_is_bounded(passes: list[Walk]) -> None:
    remembered: list[int] = []
    of = RepeatedSequences.of

    def watched(repeated: RepeatedSequences, whose: tuple[object, ...]) -> dict[Key, Made]:
        made = of(repeated, whose)
        remembered.append(len(made))
        return made

    with pytest.MonkeyPatch.context() as watching:
        watching.setattr(RepeatedSequences, "of", watched)
        made_of(more_kinds_than_are_remembered(), {}, passes)
        assert 0 < max(remembered) < 70
        patients = [*range(20), 0]
        made_of([instance(1, f"MRN-{patient}") for patient in patients], {}, passes)
        assert remembered[-1] == 0  # of the first patient nothing any more
