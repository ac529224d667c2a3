"""De-identify a store or dataset from a page: configure, try on one study, start, follow, cancel.

``/deidentify`` lists what was begun, which names nobody. What begins, cancels or tries stands below
``/source/deidentify``: whoever may not see the source decides nothing about what is made of it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson
from aiohttp import web

from config import presets
from daemon.healthcare.errors import ApiError
from daemon.pages.attributes import text
from daemon.pages.compare import MOST_AT_ONCE, Compared
from daemon.pages.quarantine import advice_for
from daemon.pages.view import SOURCE, Page
from daemon.reasons import remedy_of_operation
from deid.configuration.explain import explain
from deid.configuration.json_text import loads
from deid.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from multidict import MultiDictProxy

    from daemon.pages.ports import Console
    from daemon.pages.view import View
    from deid.configuration.explain import Explanation

_ADDRESS: Final = "/deidentify"
_IDENTIFIED: Final = f"{SOURCE}/deidentify"
_TRIAL: Final = f"{_IDENTIFIED}/trials/{{uid:[0-9]{{1,18}}}}"
_PASTED: Final = "pasted"
_DEFAULT: Final = "default"
_MOST_CHARACTERS: Final = 200_000
_OPERATION: Final = re.compile(
    r"projects/[^/]+/locations/[^/:]+/datasets/[^/:]+/operations/[0-9]{1,18}"
)
_UID: Final = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a configuration, or what it does."""

    problems: Sequence[str] = ()
    explanation: Explanation | None = None


class _Wrong(Exception):
    """What a form says makes no sense; its text is for the person who sent it."""


def _routes(view: View) -> list[web.RouteDef]:
    pages = _Pages(view, view.console)
    return [
        web.get(_ADDRESS, pages.show),
        web.get(f"{_ADDRESS}/operation", pages.operation),
        web.post(f"{_ADDRESS}/check", pages.check),
        web.post(f"{_IDENTIFIED}/start", pages.start),
        web.post(f"{_IDENTIFIED}/cancel", pages.cancel),
        web.post(f"{_IDENTIFIED}/studies", pages.studies),
        web.post(f"{_IDENTIFIED}/dry", pages.begin_dry),
        web.get(f"{_IDENTIFIED}/dry", pages.dry),
        web.get(f"{_TRIAL}", pages.trial),
        web.get(f"{_TRIAL}/study.json", pages.trial_study),
        web.get(f"{_TRIAL}/outcome.json", pages.trial_outcome),
        web.get(f"{_TRIAL}/header", pages.trial_header),
        web.get(f"{_TRIAL}/resources", pages.trial_resources),
    ]


def checked(configuration: str) -> Checked:
    """Return what is wrong with a pasted configuration, each with its place, or what it does in words."""
    if len(configuration) > _MOST_CHARACTERS:
        return Checked([f"the configuration is longer than {_MOST_CHARACTERS} characters"])
    try:
        given, _was_single_quoted = loads(configuration)
    except ValueError as error:
        return Checked([f"the configuration {error}"])
    if not isinstance(given, dict):
        return Checked(["the configuration is no JSON object"])
    try:
        return Checked(explanation=explain(given.get("config", given)))
    except ConfigurationInvalid as error:
        return Checked(error.problems)


class _Pages:
    """Handlers over what the API can do."""

    def __init__(self, view: View, console: Console) -> None:
        self._view = view
        self._console = console
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)

    async def show(self, request: web.Request) -> web.Response:
        """Show the form, and what was begun."""
        return await self._show(request)

    async def _show(
        self,
        request: web.Request,
        *,
        problem: str = "",
        form: Mapping[str, str] | None = None,
    ) -> web.Response:
        sees = self._view.sees_source
        return self._view.page(
            request,
            "deidentify.html",
            status=400 if problem else 200,
            context={
                "sources": await self._console.sources() if sees else (),
                "presets": [_DEFAULT, *(each for each in presets.names() if each != _DEFAULT)],
                "form": {"source": "", "preset": _DEFAULT, "config": "", "destination": ""}
                | dict(form or {}),
                "problem": problem,
                "operations": await self._console.operations(),
            },
        )

    async def check(self, request: web.Request) -> web.Response:
        """Say of a configuration, as it is typed, what is wrong with it or what it does."""
        form = await self._view.form(request)
        preset, pasted = str(form.get("preset", "")), str(form.get("config", ""))
        if preset != _PASTED:
            pasted = orjson.dumps(presets.resolve(_known(preset))).decode()
        elif not pasted.strip():
            return self._view.page(request, "checked.html", context={"checked": None})
        said = await asyncio.to_thread(checked, pasted)
        return self._view.page(request, "checked.html", context={"checked": said})

    async def start(self, request: web.Request) -> web.Response:
        """Begin, and lead to how far it is."""
        form = _form(await self._view.form(request))
        try:
            configuration = await _configuration(form)
            name = await self._console.start(form["source"], form["destination"], configuration)
        except (_Wrong, ApiError) as error:
            return await self._show(request, problem=str(error), form=form)
        return _lead(f"../..{_ADDRESS}/operation", name)

    async def cancel(self, request: web.Request) -> web.Response:
        """Let an operation end early."""
        name = _name(str((await self._view.form(request)).get("name", "")))
        try:
            await self._console.cancel(name)
        except ApiError:
            raise web.HTTPNotFound from None
        return _lead(f"../..{_ADDRESS}/operation", name)

    async def operation(self, request: web.Request) -> web.Response:
        """Show how far an operation is, and what it could not do."""
        name, progress = await self._progress(request)
        return self._view.page(request, "operation.html", context=progress | {"name": name})

    async def _progress(self, request: web.Request) -> tuple[str, dict[str, Any]]:
        """Return the name of the operation that is asked for, and how far it is."""
        name = _name(request.query.get("name", ""))
        try:
            operation = await self._console.operation(name)
            failures = await self._console.failures(name)
        except ApiError:
            raise web.HTTPNotFound from None
        return name, _progress(operation, failures)

    async def studies(self, request: web.Request) -> web.Response:
        """Let one of the newest studies be chosen for a trial."""
        form = _form(await self._view.form(request))
        try:
            await _configuration(form)
            found = await self._console.studies(form["source"])
        except (_Wrong, ApiError) as error:
            return await self._show(request, problem=str(error), form=form)
        studies = [orjson.loads(match.attributes) for match in found]
        listed = [
            {
                keyword: text(study, keyword)
                for keyword in (
                    "StudyInstanceUID", "StudyDate", "PatientName", "PatientID",
                    "ModalitiesInStudy", "StudyDescription",
                )
            }
            for study in studies
        ]  # fmt: skip
        return self._view.page(
            request, "dry_studies.html", context={"form": form, "studies": listed}
        )

    async def begin_dry(self, request: web.Request) -> web.Response:
        """Begin a trial, and lead to its result."""
        posted = await self._view.form(request)
        form, study_uid = _form(posted), str(posted.get("study", ""))
        try:
            configuration = await _configuration(form)
            name = await self._console.dry(form["source"], _study(study_uid), configuration)
        except (_Wrong, ApiError) as error:
            return await self._show(request, problem=str(error), form=form)
        return _lead("dry", name)

    async def dry(self, request: web.Request) -> web.Response:
        """Show how far a trial is, and what it refused; lead to what would become of the study."""
        name, progress = await self._progress(request)
        return self._view.page(
            request,
            "dry.html",
            context=progress | {"name": name, "number": name.rpartition("/")[2]},
        )

    async def _trial(self, request: web.Request) -> Compared:
        """Return the Compare page over the stores of a trial."""
        trial = await self._console.trial(int(request.match_info["uid"]))
        if trial is None:
            raise web.HTTPNotFound
        view = replace(self._view, received=trial.received, results=trial.result, pairing=trial)
        return Compared(
            view,
            title="Trial",
            received_root=trial.received_root,
            result_root=trial.result_root,
            at_once=self._at_once,
        )

    async def trial(self, request: web.Request) -> web.Response:
        """Show source and result of a trial in step."""
        return (await self._trial(request)).show_trial(request)

    async def trial_study(self, request: web.Request) -> web.Response:
        """Tell what the trial holds."""
        return await (await self._trial(request)).both_studies(request)

    async def trial_outcome(self, request: web.Request) -> web.Response:
        """Tell what was filled."""
        return await (await self._trial(request)).either_outcome(request)

    async def trial_resources(self, request: web.Request) -> web.Response:
        """Show that there are no resources."""
        return await (await self._trial(request)).both_resources(request)

    async def trial_header(self, request: web.Request) -> web.Response:
        """Show headers beside each other."""
        return await (await self._trial(request)).both_headers(request)


def _progress(
    operation: Mapping[str, Any], failures: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    metadata = operation["metadata"]
    counter = {
        name: int(metadata.get("counter", {}).get(name, 0))
        for name in ("success", "failure", "pending")
    }
    error = operation.get("error", {}).get("message", "")
    return {
        "counter": counter,
        "total": sum(counter.values()),
        "is_done": bool(operation.get("done")),
        "is_cancelled": bool(metadata.get("cancelRequested")),
        "began": metadata.get("createTime", ""),
        "ended": metadata.get("endTime", ""),
        "note": metadata.get("dicomveil", {}).get("note", ""),
        "error": error,
        "failures": [
            (each, advice_for(each["reason"]).means, remedy_of_operation(each["reason"]))
            for each in failures
        ],
    }


def _form(posted: MultiDictProxy[Any]) -> dict[str, str]:
    return {
        name: str(posted.get(name, "")).strip()
        for name in ("source", "preset", "config", "destination")
    }


async def _configuration(form: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the DeidentifyConfig that a form asks for; None is the preset `default`."""
    if form["preset"] == _DEFAULT:
        return None
    if form["preset"] != _PASTED:
        return presets.resolve(_known(form["preset"]))
    said = await asyncio.to_thread(checked, form["config"])
    if said.problems:
        raise _Wrong(f"The configuration cannot be used: {'; '.join(said.problems)}")
    given = (await asyncio.to_thread(loads, form["config"]))[0]
    configuration: Mapping[str, Any] = given.get("config", given)
    return configuration


def _known(preset: str) -> str:
    if preset not in presets.names():
        raise web.HTTPNotFound
    return preset


def _name(given: str) -> str:
    if not _OPERATION.fullmatch(given):
        raise web.HTTPNotFound
    return given


def _study(given: str) -> str:
    if not _UID.fullmatch(given):
        raise _Wrong("No study was chosen.")
    return given


def _lead(address: str, name: str) -> web.Response:
    location = f"{address}?{urlencode({'name': name})}"
    return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


PAGE: Final = Page(_routes, "De-identify", _ADDRESS)
