"""Region templates: the file format, which instances they fit, and the shipped ones."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest

from daemon.cli import regions
from daemon.cli.errors import CliError
from daemon.engines.models import read_pixel_models
from daemon.engines.region_templates import read_region_templates
from deid.errors import ConfigurationInvalid
from deid.pixels.geometry import Box
from deid.pixels.templates import RegionTemplate, read_templates, template_document
from tests import pixel_samples as samples
from tests.factories import make_ct, write

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = RegionTemplate(
    "acme-header",
    manufacturer="ACME*",
    model="Sono?",
    rows=96,
    columns=160,
    fill=(Box(0, 0, 160, 20),),
)


def test_a_printed_template_reads_back_the_same() -> None:
    assert read_templates(template_document(TEMPLATE).encode()) == [TEMPLATE]


@pytest.mark.parametrize(
    ("attributes", "fits"),
    [
        (
            {
                "Manufacturer": "Acme Corp",
                "ManufacturerModelName": "SONO7",
                "Rows": 96,
                "Columns": 160,
            },
            True,
        ),
        (
            {
                "Manufacturer": "Acme Corp",
                "ManufacturerModelName": "SONO7",
                "Rows": 96,
                "Columns": 161,
            },
            False,
        ),
        (
            {"Manufacturer": "Other", "ManufacturerModelName": "SONO7", "Rows": 96, "Columns": 160},
            False,
        ),
        ({"ManufacturerModelName": "SONO7", "Rows": 96, "Columns": 160}, False),
    ],
)
def test_a_template_fits_by_globs_and_size(attributes: dict[str, Any], *, fits: bool) -> None:
    assert TEMPLATE.fits(attributes) is fits


def test_a_template_that_keeps_fills_everything_else() -> None:
    template = RegionTemplate("x", keep=(Box(10, 10, 20, 20),))
    boxes = template.boxes(50, 40)
    assert sum(box.area for box in boxes) == 50 * 40 - 400
    assert not any(box.overlap(Box(10, 10, 20, 20)) for box in boxes)


@pytest.mark.parametrize(
    "document",
    [
        "[[template]]\nfill = [[0, 0, 1, 1]]",
        '[[template]]\nname = "a"',
        '[[template]]\nname = "a"\nfill = [[0, 0, 1]]',
        '[[template]]\nname = "a"\nfill = [[0, 0, 0, 5]]',
        '[[template]]\nname = "a"\nfill = [[0, 0, 1, 1]]\nvendor = "x"',
        '[[template]]\nname = "a"\nfill = [[0, 0, 1, 1]]\nrows = "many"',
        "[[templates]]",
        "not toml",
    ],
)
def test_templates_with_mistakes_are_refused(document: str) -> None:
    with pytest.raises(ConfigurationInvalid):
        read_templates(document.encode())


def test_the_shipped_templates_are_valid_and_have_names_of_their_own(tmp_path: Path) -> None:
    shipped = read_region_templates()
    assert len({template.name for template in shipped}) == len(shipped) >= 5
    (tmp_path / "own.toml").write_text(template_document(TEMPLATE))
    assert read_region_templates(tmp_path) == [*shipped, TEMPLATE]


def test_the_models_come_out_of_the_installed_wheel() -> None:
    models = read_pixel_models()
    assert len(models.detection) > 1_000_000
    assert len(models.recognition) > 1_000_000
    assert "b'" not in repr(models)


def test_the_regions_command_draws_and_prints_a_template_that_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = samples.with_text(samples.texture(bits=12, rows=200, columns=300), at=(30, 60))
    dataset = make_ct(rows=200, columns=300)
    dataset.PixelData = frame.astype("<u2").tobytes()
    dataset.PixelRepresentation = 0
    dataset.Manufacturer, dataset.ManufacturerModelName = "ACME", "Scan 1"
    path = write(tmp_path / "in.dcm", dataset)
    parser = argparse.ArgumentParser()
    regions.add_arguments(parser)
    args = parser.parse_args([str(path), "--png", str(tmp_path / "out.png"), "--name", "mine"])
    assert regions.run(args) == 0
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out.png").stat().st_mode & 0o777 == 0o600
    (template,) = read_templates(capsys.readouterr().out.encode())
    assert template.name == "mine"
    assert template.fits({"Manufacturer": "ACME", "ManufacturerModelName": "Scan 1",
                          "Modality": "CT", "SOPClassUID": dataset.SOPClassUID,
                          "Rows": 200, "Columns": 300})  # fmt: skip
    assert any(box.overlap(Box(30, 45, 90, 15)) for box in template.fill)


def _refusal(*arguments: object) -> str:
    parser = argparse.ArgumentParser()
    regions.add_arguments(parser)
    with pytest.raises(CliError) as refused:
        regions.run(parser.parse_args([str(each) for each in arguments]))
    return str(refused.value)


def test_the_regions_command_says_what_is_wrong_with_which_file(tmp_path: Path) -> None:
    text = tmp_path / "in.dcm"
    text.write_bytes(b"hello")
    plan = make_ct()
    del plan.PixelData
    without = write(tmp_path / "plan.dcm", plan)
    assert _refusal(text) == f"{text} is not a DICOM file (PS3.10)"
    assert _refusal(tmp_path / "no.dcm").endswith(
        "no.dcm cannot be read: No such file or directory"
    )
    assert _refusal(without).startswith(f"{without} has no Pixel Data (7FE0,0010)")
    nowhere = tmp_path / "no" / "out.png"
    shown = _refusal(write(tmp_path / "ct.dcm", make_ct()), "--png", nowhere)
    assert shown == f"{nowhere} cannot be written: No such file or directory"


def test_the_picture_never_replaces_an_instance(tmp_path: Path) -> None:
    source = write(tmp_path / "in.dcm", make_ct())
    before = source.read_bytes()
    assert _refusal(source, "--png", source) == f"--png {source} does not end in .png"
    assert source.read_bytes() == before
