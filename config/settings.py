"""Every setting of a site, typed and frozen; the classes are the reference.

A class is a section of ``dicomveil.toml``, a field is a key, and the field's description (which
names the unit) is what the default file and the README say about it. What one value may be is said
here; which values contradict each other is said in `config.contradictions`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from config import checks
from config.fhir_settings import Fhir
from config.pages_settings import Pages
from config.section import Section

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

AeTitle = Annotated[str, AfterValidator(checks.ae_title)]
Host = Annotated[str, Field(min_length=1)]
Network = Annotated[str, AfterValidator(checks.network)]
Port = Annotated[int, Field(ge=0, le=65535)]
Bytes = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
# TOML has arrays and strings where these fields hold tuples and paths.
Location = Annotated[Path, Field(strict=False)]
Words = Annotated[tuple[str, ...], Field(strict=False)]
Globs = Annotated[tuple[str, ...], Field(strict=False), BeforeValidator(checks.one_or_many)]
AtLeastOne = Annotated[int, Field(ge=1)]
Networks = Annotated[tuple[Network, ...], Field(strict=False)]
Folders = Annotated[tuple[Location, ...], Field(strict=False)]
ObjectKey = Annotated[str, AfterValidator(checks.object_key)]
StoreKey = Annotated[str, AfterValidator(checks.store_key)]
Keyword = Annotated[str, AfterValidator(checks.dicom_keyword)]
DeidentifierName = Annotated[str, AfterValidator(checks.deidentifier_name)]


#: Pages and screens are mostly text; pictures are not.
_MOST_FILLED = {"others": 0.35, "US": 0.7, "ECG": 0.6, "OT": 0.9, "DOC": 1.0}


_PORT = "TCP port; 0 lets the kernel choose one."


def _listening_host() -> Any:
    return Field(
        default="127.0.0.1", description="Address to listen on. Anything but loopback: see `trust`."
    )


class Dimse(Section):
    """The C-STORE receiver."""

    ae_title: AeTitle = Field(
        default="DICOMVEIL",
        description="AE title that this receiver answers to (1 to 16 characters).",
    )
    host: Host = _listening_host()
    port: Port = Field(default=11112, description=_PORT)
    require_called_ae: bool = Field(
        default=False, description="Reject an association whose called AE title is not `ae_title`."
    )
    allowed_calling_ae: Globs = Field(
        default=(),
        description=(
            'Calling AE titles that may send, as globs ("CT*"; case matters); empty allows all. A '
            "title is a label, not authentication."
        ),
    )
    allowed_networks: Networks = Field(
        default=(), description='Networks that may connect ("10.1.0.0/16"); empty allows all.'
    )
    accept_unknown_storage: bool = Field(
        default=True,
        description="Also accept SOP classes that the standard does not list, as private storage.",
    )
    max_associations: AtLeastOne = Field(
        default=64,
        description=(
            "Associations open at the same time, from all peers together. The last quarter of 16 and more is "
            "for addresses that have less than a sixteenth of all. For one more, one makes room that has "
            "sent no message, or has stood still for 3 seconds."
        ),
    )
    max_associations_per_peer: AtLeastOne = Field(
        default=32, description="Associations open at the same time from one network address."
    )
    max_unassociated: AtLeastOne = Field(
        default=128,
        description=(
            "Connections without an association at the same time; for one more, the oldest of the "
            "peer that has most is closed."
        ),
    )
    artim_timeout_s: Seconds = Field(
        default=10.0,
        description="Seconds a connection may take to request an association (PS3.8 9.1.5).",
    )
    first_message_timeout_s: Seconds = Field(
        default=15.0,
        description="Seconds a new association may take to send its first message before the abort.",
    )
    idle_timeout_s: Seconds = Field(
        default=300.0,
        description="Seconds an association may be open without a message before it is aborted.",
    )
    network_timeout_s: Seconds = Field(
        default=60.0,
        description=(
            "Seconds a message under way may stand still, or the peer may not read a response, before "
            "the abort."
        ),
    )
    min_bytes_per_s: Annotated[float, Field(ge=0)] = Field(
        default=100.0,
        description="Bytes per second that a message under way must gain within that time (1 KiB at least).",
    )
    max_pdu_bytes: Annotated[int, Field(ge=0, le=64 * MIB)] = Field(
        default=1 * MIB,
        description="Largest PDU accepted, in bytes; 0 is no limit (PS3.8 D.1).",
    )
    max_instance_bytes: Bytes = Field(
        default=16 * GIB,
        description="Largest instance accepted, in bytes (others: C000H); 0 is no limit.",
    )


class Http(Section):
    """The web services: DICOMweb, health, metrics."""

    host: Host = _listening_host()
    port: Port = Field(default=8080, description=_PORT)
    public_root: Annotated[str, AfterValidator(checks.public_root)] = Field(
        default="",
        description=(
            'Address under which clients reach this service, such as "https://pacs.example/veil", '
            "where a proxy stands before it; empty makes addresses in answers relative."
        ),
    )
    allowed_hosts: Words = Field(
        default=(),
        description=(
            "Names under which clients may address this service (Host header), beside loopback's, that of "
            "`public_root` and the address that they connect to."
        ),
    )
    cors_origins: Annotated[dict[StoreKey, Words], BeforeValidator(checks.by_store)] = Field(
        default_factory=dict,
        description=(
            'Origins of web viewers that may read, and store, such as {deid = ["https://viewer.example"]}; an '
            'array instead of the table is for both stores. "*" lets all read; for `source` see '
            "`trust.allow_any_origin_on_source`."
        ),
    )
    max_body_bytes: AtLeastOne = Field(
        default=16 * GIB,
        description="Largest request body accepted, in bytes (one STOW-RS request).",
    )
    max_instance_bytes: AtLeastOne = Field(
        default=16 * GIB, description="Largest single instance in a STOW-RS request, in bytes."
    )
    max_parts: AtLeastOne = Field(
        default=10_000, description="Parts accepted in one STOW-RS request."
    )
    max_connections: AtLeastOne = Field(
        default=256, description="Connections open at the same time."
    )
    header_timeout_s: Seconds = Field(
        default=10.0, description="Seconds a client may take to send a request's header."
    )
    body_timeout_s: Seconds = Field(
        default=30.0,
        description="Seconds a request's body may stand still before the request is dropped.",
    )
    min_bytes_per_s: Annotated[float, Field(ge=0)] = Field(
        default=100.0,
        description="Bytes per second that a request's body must gain within that time.",
    )
    keepalive_timeout_s: Seconds = Field(
        default=60.0, description="Seconds a connection may stay open between requests."
    )
    max_results: AtLeastOne = Field(
        default=10_000,
        description="Most matches in one QIDO-RS answer; the client asks for more by offset.",
    )
    max_long_searches: AtLeastOne = Field(
        default=2,
        description=(
            "Searches with more than 200 matches at the same time, in each store; others wait 10 s, then "
            "are answered 503. Short ones are answered at once."
        ),
    )
    reader_threads: Annotated[int, Field(ge=2, le=64)] = Field(
        default=4, description="Threads that read the index for searches and retrievals."
    )
    picture_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default=2,
        description=(
            "Processes that draw pictures and decode pixels for viewers, started when the first asks; each "
            "under the limits of `[workers]`."
        ),
    )
    picture_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        default=64 * MIB, description="Pictures that are kept in memory, in bytes."
    )


class Metrics(Section):
    """A listener for `/metrics` alone, beside the web services."""

    host: Host = _listening_host()
    port: Port | None = Field(
        default=None,
        description=f"{_PORT} Not set: `/metrics` is among the web services.",
    )


class Watch(Section):
    """One watched folder; `[[watch]]` may be repeated."""

    path: Location = Field(description="The folder to take files from, with all its sub-folders.")
    settle_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=2.0,
        description="Seconds a file's size and time must stand still before it is looked at.",
    )
    incomplete_s: Seconds = Field(
        default=60.0,
        description=(
            "Seconds to wait for a file that has settled but is not all there, ends in room that was never "
            "written to, or may not be read. (One that is open for writing is waited for however long.)"
        ),
    )
    after: Literal["delete", "keep", "move"] = Field(
        default="delete", description="What becomes of a file once it is received durably."
    )
    moved_to: Location | None = Field(
        default=None,
        description='Folder for received files with `after = "move"`. Not set: `.done` in `path`.',
    )
    scan_interval_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=5.0, description="Seconds between two scans when no event asks for one."
    )
    max_file_bytes: AtLeastOne = Field(
        default=16 * GIB,
        description="Largest file (or entry of an archive) taken, in bytes; others are refused.",
    )
    remove_empty_folders: bool = Field(
        default=False,
        description=(
            "Remove a sub-folder whose last file was taken, once nothing happened in it for "
            "`incomplete_s`."
        ),
    )

    @property
    def destination(self) -> Path:
        """Where received files go with `after = "move"`."""
        return self.path / ".done" if self.moved_to is None else self.moved_to


class Spool(Section):
    """Where received instances wait; when it is full, senders are told so and nothing is lost."""

    max_instances: AtLeastOne = Field(
        default=100_000, description="Instances that may wait to be processed."
    )
    max_bytes: AtLeastOne = Field(
        default=64 * GIB, description="Bytes that may wait to be processed."
    )
    min_free_bytes: Bytes = Field(
        default=1 * GIB, description="Bytes that must stay free on the disk of `state_dir`."
    )


class Workers(Section):
    """The child processes that parse, de-identify and write."""

    count: Count = Field(
        default=0,
        description="Processes that de-identify; 0 is one per processor core. One more answers readers.",
    )
    memory_bytes: Annotated[int, Field(ge=256 * MIB)] = Field(
        default=2 * GIB,
        description="Private memory of one process, in bytes; mapped files do not count.",
    )
    timeout_s: Seconds = Field(
        default=60.0,
        description=(
            "Seconds of CPU for one instance of any size, or of standing still without using any..."
        ),
    )
    timeout_per_mb_s: Annotated[float, Field(ge=0)] = Field(
        default=0.5, description="...and seconds more for each MB (10^6 bytes) of it..."
    )
    timeout_per_megapixel_s: Annotated[float, Field(ge=0)] = Field(
        default=10.0,
        description="...and seconds more for each million pixels that are looked at for text.",
    )
    max_attempts: AtLeastOne = Field(
        default=3, description="Attempts before an instance that kills its worker is quarantined."
    )


class Pixels(Section):
    """How text in pixels is found, for the deidentifiers that clean it (docs/pixels.md)."""

    engine: Literal["ppocr", "tesseract", "paranoid"] = Field(
        default="ppocr",
        description=(
            "What finds the text: the PP-OCR models, the program tesseract, or both with a look at "
            "half resolution."
        ),
    )
    tesseract_languages: Annotated[str, AfterValidator(checks.tesseract_languages)] = Field(
        default="eng",
        description='Languages that tesseract reads, as its -l takes them ("deu+eng").',
    )
    templates: Folders = Field(
        default=(),
        description="Folders with region templates of your own (*.toml), beside those shipped.",
    )
    blank_outside_ultrasound_regions: bool = Field(
        default=True,
        description="Fill everything outside Sequence of Ultrasound Regions (0018,6011).",
    )
    trusted: Words = Field(
        default=(),
        description=(
            "Objects that are cleaned like any other instead of refused, by their names in "
            'docs/pixels.md, as globs ("*secondary capture"); "*" is all.'
        ),
    )
    most_filled: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(
        default_factory=lambda: dict(_MOST_FILLED),
        description=(
            "By Modality (0008,0060), how much of what a picture shows may be filled as text, as a "
            'share of all that is not background; "others" is for those not named. What would lose more '
            "is put aside as `too_much_text`."
        ),
    )
    untrusted: dict[ObjectKey, Globs] = Field(
        default_factory=dict,
        description=(
            "Further objects to refuse as `screen_capture`: globs for sop_class_uid, modality, "
            'conversion_type or image_type, such as {image_type = "*REPORT*"}.'
        ),
    )


class Source(Section):
    """The store of what came in, never altered."""

    retention_days: Annotated[float, Field(ge=0)] = Field(
        default=0.0,
        description="Days to keep source instances once they are done with; 0 keeps them.",
    )
    retention_bytes: Bytes = Field(
        default=0, description="Bytes to keep at most, oldest go first; 0 keeps all."
    )
    conflict: Literal["quarantine", "replace", "keep_first"] = Field(
        default="quarantine",
        description="What to do when a known SOP Instance UID arrives with other content.",
    )


class Key(Section):
    """The site key that pseudonyms, UIDs and date shifts come from."""

    file: Location | None = Field(
        default=None,
        description=(
            "File with the site key, mode 0600. Not set: the credential `dicomveil.key` of systemd "
            "where there is one, else `site.key` in `state_dir`, made at the first start."
        ),
    )


class Log(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe level that is written."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="JSON lines, or columns for people; auto is columns on a terminal, else JSON.",
    )


class Trust(Section):
    """Who may reach the service."""

    allow_insecure_network: bool = Field(
        default=False,
        description=(
            "Listen on other addresses than loopback although the listeners have neither TLS nor "
            "authentication: everybody who reaches the port can send, and read what came in."
        ),
    )
    allow_any_origin_on_source: bool = Field(
        default=False,
        description=(
            'Accept "*" in `http.cors_origins` for the source: every page that a browser on this network '
            "shows can read what came in, names and all."
        ),
    )


class Healthcare(Section):
    """The Cloud Healthcare API's surface."""

    folders: Folders = Field(
        default=(),
        description=(
            "Folders that requests may name files of, by file:///... addresses; empty: none. Whoever may ask "
            "may import from them and export into them."
        ),
    )


class Deidentifier(Section):
    """A named configuration; `[deidentifiers.NAME]` may be repeated with other names."""

    config: Annotated[str | dict[str, JsonValue], BeforeValidator(checks.json_values)] = Field(
        default="default",
        description=(
            "Name of a shipped preset, a JSON file (relative to this file), or a table, in the "
            "syntax of the Cloud Healthcare API's DeidentifyConfig."
        ),
    )


class Route(Section):
    """One rule; the first that matches wins, and a rule without conditions matches everything."""

    name: str = Field(default="", description="What outcome records and `status` call this route.")
    receiver: Literal["", "dimse", "stow", "watch"] = Field(
        default="", description="The way the instance came in; empty is any."
    )
    calling_ae: Globs = Field(
        default=(), description="Globs, one of which the calling AE title matches."
    )
    called_ae: Globs = Field(
        default=(), description="Globs, one of which the called AE title matches."
    )
    peer: Globs = Field(
        default=(),
        description="Globs, one of which the network address or the watched folder matches.",
    )
    modality: Globs = Field(
        default=(), description="Globs, one of which Modality (0008,0060) matches."
    )
    sop_class: Globs = Field(
        default=(),
        description='Globs, one of which the SOP class matches, by UID or by keyword ("CT*").',
    )
    header: dict[Keyword, Globs] = Field(
        default_factory=dict,
        description="Globs for any other data element of the top level, by keyword.",
    )
    deidentifier: str = Field(default="default", description="Name of the deidentifier to use.")


class Settings(Section):
    """All settings of a site."""

    state_dir: Location = Field(
        default=Path("/var/lib/dicomveil"),
        description="Folder for the database, the spool and both stores.",
    )
    dimse: Dimse = Dimse()
    http: Http = Http()
    pages: Pages = Pages()
    metrics: Metrics = Metrics()
    watch: Annotated[tuple[Watch, ...], Field(strict=False)] = ()
    spool: Spool = Spool()
    workers: Workers = Workers()
    pixels: Pixels = Pixels()
    source: Source = Source()
    fhir: Fhir = Fhir()
    healthcare: Healthcare = Healthcare()
    key: Key = Key()
    log: Log = Log()
    trust: Trust = Trust()
    deidentifiers: dict[DeidentifierName, Deidentifier] = Field(
        default_factory=lambda: {"default": Deidentifier()}
    )
    routes: Annotated[tuple[Route, ...], Field(strict=False)] = (Route(),)
