"""Names of resources, as addresses have them and as rows have them.

The configured stores are those of ``projects/local/locations/local/datasets/default``; in the rows their
dataset is called ``default``. Every other dataset has its full name there, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daemon.healthcare.errors import InvalidArgument, NotFound
from daemon.healthcare.methods import PROJECT
from daemon.store.rows import Role, Store, StoreKind

if TYPE_CHECKING:
    from daemon.store.ports import Session

CONFIGURED: Final = "projects/local/locations/local/datasets/default"
DRY_RUNS: Final = "projects/local/locations/local/datasets/dry-runs"
"""Where trials of the pages write: results that nobody keeps."""
_CONFIGURED_ROW: Final = "default"
_DATASET: Final = re.compile(rf"projects/{PROJECT}/locations/[^/:]+/datasets/[^/:]+")
_STORE: Final = re.compile(
    rf"(?P<dataset>{_DATASET.pattern})/(?P<kind>dicomStores|fhirStores)/(?P<store>[^/:]+)"
)
# Of a path, clients take the parts . and .. away.
_DATASET_ID: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,256}")
_STORE_ID: Final = _DATASET_ID
_TRIAL: Final = re.compile(r"dry-[0-9]{1,18}")
KINDS: Final = {"dicomStores": StoreKind.DICOM, "fhirStores": StoreKind.FHIR}
_COLLECTIONS: Final = {kind: collection for collection, kind in KINDS.items()}


def row_name(dataset: str) -> str:
    """Return what rows call a dataset."""
    return _CONFIGURED_ROW if dataset == CONFIGURED else dataset


def full_name(row: str) -> str:
    """Return what addresses call it."""
    return CONFIGURED if row == _CONFIGURED_ROW else row


def store_name(store: Store) -> str:
    """Return the full name of a store."""
    return f"{full_name(store.dataset)}/{_COLLECTIONS[store.kind]}/{store.name}"


def dataset_id(given: str) -> str:
    """Return the id of a dataset that shall be made; raises `InvalidArgument`."""
    if not _DATASET_ID.fullmatch(given):
        raise InvalidArgument(
            "datasetId has 1 to 256 letters, digits, dashes, points and underscores"
        )
    return given


def store_id(given: str, parameter: str) -> str:
    """Return the id of a store that shall be made; raises `InvalidArgument`."""
    if not _STORE_ID.fullmatch(given):
        raise InvalidArgument(
            f"{parameter} has 1 to 256 letters, digits, dashes, points and underscores"
        )
    return given


def dataset(given: str, field: str) -> str:
    """Return the full name of a dataset in a body; raises `InvalidArgument`."""
    if not _DATASET.fullmatch(given):
        raise InvalidArgument(
            f"{field} is the full name of a dataset: projects/P/locations/L/datasets/D"
        )
    return given


def existing_dataset(session: Session, name: str) -> str:
    """Return what rows call a dataset that is there; raises `NotFound`."""
    row = row_name(name)
    if session.datasets.get(row) is None:
        raise NotFound("there is no such dataset")
    return row


def existing_store(session: Session, name: str, kind: StoreKind | None, field: str = "") -> Store:
    """Return a store by its full name.

    Parameters
    ----------
    kind
        What it has to be; None takes both.
    field
        Where the name stands, unless it is the address.

    Raises
    ------
    InvalidArgument, NotFound
    """
    named = _STORE.fullmatch(name)
    if named is None or kind not in {None, KINDS[named["kind"]]}:
        collection = "dicomStores" if kind is None else _COLLECTIONS[kind]
        raise InvalidArgument(
            f"{field or 'name'} is the full name of a store:"
            f" projects/P/locations/L/datasets/D/{collection}/S"
        )
    found = session.stores.find(row_name(named["dataset"]), KINDS[named["kind"]], named["store"])
    if found is None:
        raise NotFound(f"there is no such store{f' as {field} names' if field else ''}")
    return found


def location_of(name: str) -> str:
    """Return the location that a full name begins with."""
    return "/".join(name.split("/")[:4])


def is_trial(store: Store) -> bool:
    """Tell whether a store is one that a trial of the pages writes."""
    return store.dataset == DRY_RUNS and _TRIAL.fullmatch(store.name) is not None


def is_configured(store: Store) -> bool:
    """Tell whether the site's configuration uses a store."""
    return store.role is not Role.NONE
