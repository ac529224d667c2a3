"""Both public client libraries make every call they have, on both stores of a daemon that nobody configured."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dicomweb_client.api import DICOMwebClient
from requests.exceptions import HTTPError

from tests.black_box.filling import fill
from tests.black_box.site import Site
from tests.black_box.storing import fresh
from tests.conftest import program
from tests.service import running, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.black_box.site import Instance

EVERY_CALL = Path(__file__).parents[1] / "clients" / "every_call.cjs"
PACKAGE = "dicomweb-client@0.11.3"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Run a daemon that holds instances; yields the addresses of source and result."""
    folder = tmp_path_factory.mktemp("clients")
    (folder / "state").mkdir(mode=0o700)
    with running(folder, folder / "state", is_prepared=True) as daemon:
        source, result = (f"{daemon.http}/dicomweb/{store}" for store in ("source", "deid"))
        count = fill(source)
        with Site(result).client as client:
            wait_until(
                lambda: len(client.ask("/instances?limit=500").json) >= count,
                what="everything is de-identified",
                deadline_s=500,
            )
        yield source, result


def held_by(root: str) -> tuple[Instance, Instance, int]:
    """Return a CT, a cine, and how many instances the series of the CT has."""
    site = Site(root)
    with site.client:
        return site.ct, site.cine, len(site.of_series(site.ct))


class Calls:
    """Remembers which methods were called."""

    def __init__(self, client: DICOMwebClient) -> None:
        self._client = client
        self.made: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.made.add(name)
        return getattr(self._client, name)


def make_every_call(root: str, *, is_writable: bool) -> set[str]:
    """Make every call of the Python library; return those that were made."""
    ct, cine, count = held_by(root)
    uids = (ct.study, ct.series, ct.uid)
    client = Calls(DICOMwebClient(root))
    client.set_chunk_size(64 * 1024)
    client.set_http_retry_params(retry=False)
    assert client.lookup_keyword("00100010") == "PatientName"
    assert client.lookup_tag("PatientName") == "00100010"
    assert len(client.search_for_studies(search_filters={"StudyInstanceUID": ct.study})) == 1
    assert len(client.search_for_series(ct.study, search_filters={"Modality": "CT"})) == 1
    assert len(client.search_for_instances(ct.study, ct.series)) == count
    assert len(client.retrieve_series_metadata(*uids[:2])) == count
    assert len(client.retrieve_study_metadata(ct.study)) >= count
    metadata = client.retrieve_instance_metadata(*uids)
    assert metadata["00080018"]["Value"] == [ct.uid]
    assert client.retrieve_instance(*uids).PixelData == ct.stored.PixelData
    assert len(client.retrieve_series(*uids[:2])) == count
    assert len(list(client.iter_series(*uids[:2]))) == count
    assert len(client.retrieve_study(ct.study)) == len(list(client.iter_study(ct.study)))
    of_cine = (cine.study, cine.series, cine.uid)
    for numbers in ([1], [2, 1]):
        expected = [cine.samples(number) for number in numbers]
        assert client.retrieve_instance_frames(*of_cine, numbers) == expected
        assert list(client.iter_instance_frames(*of_cine, numbers)) == expected
    uri = metadata["7FE00010"]["BulkDataURI"]
    assert client.retrieve_bulkdata(uri) == [ct.stored.PixelData]
    assert list(client.iter_bulkdata(uri)) == [ct.stored.PixelData]
    assert client.retrieve_bulkdata(uri, byte_range=(0, 99))[0][:100] == ct.stored.PixelData[:100]
    for kind in ("image/jpeg", "image/png", "image/gif"):
        assert client.retrieve_instance_rendered(*uids, media_types=(kind,))
        assert client.retrieve_instance_frames_rendered(*of_cine, [1], media_types=(kind,))
        assert client.retrieve_series_rendered(*uids[:2], media_types=(kind,))
    window = {"window": "40,400,linear", "viewport": "100,100"}
    assert client.retrieve_instance_rendered(*uids, media_types=("image/jpeg",), params=window)
    if is_writable:
        dataset = fresh()
        answer = client.store_instances([dataset])
        assert answer.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
    return client.made | delete(root, ct, cine)


def delete(root: str, instance: Instance, of_series: Instance) -> set[str]:
    """Delete at the address that deletes, by every call; return those that were made."""
    with pytest.raises(HTTPError, match="405"):
        DICOMwebClient(root).delete_study(instance.study)
    address, _, store = root.rpartition("/dicomweb/")
    api = (
        f"{address}/v1/projects/local/locations/local/datasets/default/dicomStores/{store}/dicomWeb"
    )
    client, reader = Calls(DICOMwebClient(api)), DICOMwebClient(root)
    client.delete_instance(instance.study, instance.series, instance.uid)
    with pytest.raises(HTTPError, match="410"):
        reader.retrieve_instance_metadata(instance.study, instance.series, instance.uid)
    client.delete_series(of_series.study, of_series.series)
    with pytest.raises(HTTPError, match="410"):
        reader.retrieve_series_metadata(of_series.study, of_series.series)
    client.delete_study(instance.study)
    with pytest.raises(HTTPError, match="410"):
        reader.retrieve_study_metadata(instance.study)
    return client.made


@pytest.fixture(scope="module")
def node_path() -> Iterator[str]:
    """Install the package into a folder of its own, and return where node finds it."""
    if program("node") is None or program("npm") is None:
        pytest.skip("node and npm are not installed")
    with tempfile.TemporaryDirectory(prefix="dicomveil-npm-") as folder:
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, PACKAGE],
            capture_output=True,
            check=False,
            timeout=500,
        )
        if done.returncode:
            pytest.skip(f"{PACKAGE} cannot be installed here")
        yield f"{folder}/node_modules"


def test_the_javascript_library_makes_every_call(
    filled: tuple[str, str], tmp_path: Path, node_path: str
) -> None:
    stored = tmp_path / "new.dcm"
    fresh().save_as(stored, enforce_file_format=True)
    source, result = filled
    for root, file in ((result, "-"), (source, str(stored))):
        ct, _, count = held_by(root)
        done = subprocess.run(
            ["node", str(EVERY_CALL), root, ct.study, ct.series, ct.uid, "1", file],
            capture_output=True,
            check=True,
            timeout=500,
            env={**os.environ, "NODE_PATH": node_path},
        )
        answer = json.loads(done.stdout.splitlines()[-1])  # the library talks, too
        told = {name: each.get("value", each) for name, each in answer["told"].items()}
        assert not [name for name, each in answer["told"].items() if "failed" in each], told
        assert set(answer["missing"]) <= {"storeInstances"}
        size = len(ct.stored.PixelData)
        assert told["searchForStudies"] == 1
        assert told["retrieveSeries"] == told["retrieveSeriesMetadata"] == count
        assert told["retrieveInstanceFrames"] == [size]
        assert told["retrieveBulkData"] == size
        pictures = [
            each for name, each in told.items() if "Rendered" in name or "Thumbnail" in name
        ]
        assert len(pictures) == 4
        assert all(each > 500 for each in pictures)
        assert told["buildInstanceWadoURIUrl"] == [200, "image/jpeg"]


def test_the_python_library_makes_every_call(filled: tuple[str, str]) -> None:
    """After the other one: here is deleted, too."""
    source, result = filled
    calls = {name for name in dir(DICOMwebClient) if not name.startswith("_")}
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert calls - make_every_call(result, is_writable=False) == {"store_instances"}
            assert calls - make_every_call(source, is_writable=True) == set()
    finally:
        logging.disable(logging.NOTSET)
