"""The viewer's first page and its configuration, made for the address that they are served at.

The page as it was built stands at the root of a server and asks for its files there. Here a ``base`` element
says where they are, and the addresses in it are made relative, so that a proxy may put anything before them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIGURATION: Final = "app-config.js"
_HEAD: Final = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_FROM_ROOT: Final = re.compile(r"(\s(?:href|src|content)=[\"'])/(?!/)", re.IGNORECASE)
_ROOT_IN_SCRIPT: Final = re.compile(r"(window\.PUBLIC_URL\s*=\s*)([\"'])/\2")
_INLINE_SCRIPT: Final = re.compile(
    r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE
)
_KIND: Final = "@ohif/extension-default.dataSourcesModule.dicomweb"


@dataclass(frozen=True, slots=True)
class Source:
    """A DICOM store as the viewer offers it.

    Attributes
    ----------
    name
        What links to the viewer call it, as ``datasources``.
    path
        Its DICOMweb service from the service's root, without a slash at either end.
    is_writable
        Whether instances may be stored into it by whoever looks at it.
    """

    name: str
    path: str
    is_writable: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and the policy that it runs under."""

    html: str
    policy: str


def first_page(built: str, base: str) -> Page:
    """Return the viewer's page for an address.

    Parameters
    ----------
    built
        The page as it came.
    base
        Path that the viewer is served at, with slashes at both ends.
    """
    html = _FROM_ROOT.sub(r"\1", built)
    html = _ROOT_IN_SCRIPT.sub(lambda found: f"{found[1]}{json.dumps(base)}", html)
    html = _HEAD.sub(lambda found: f'{found[0]}<base href="{base}">', html, count=1)
    return Page(html, _policy(_INLINE_SCRIPT.findall(html)))


def _policy(scripts: Sequence[str]) -> str:
    """Return what the page may do: nothing beyond this host, and no script in it but those it was built with.

    Text is evaluated by what reads segmentations (ndarray makes its constructors so); nobody else's text gets
    into the page. Documents are shown from memory (``blob:``), where workers begin, too. Styles
    are set by scripts, on elements, in more places than could be named.
    """
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'unsafe-eval' {hashes}".rstrip(),
            "worker-src 'self' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' blob: data:",
            "font-src 'self' data:",
            "media-src 'self' blob:",
            "connect-src 'self' blob: data:",
            "object-src 'self' blob:",
            "frame-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def configuration(sources: Sequence[Source], base: str) -> str:
    """Return the script that tells the viewer which stores there are; the first one is the default.

    The addresses of stores are made in the browser, from the one that it has the page from.
    """
    configured = {
        "name": "dicomveil",
        "routerBasename": base.rstrip("/"),
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 3,
        "showWarningMessageForCrossOrigin": True,
        "showCPUFallbackMessage": True,
        "showLoadingIndicator": True,
        "strictZSpacingForVolumeViewport": True,
        "groupEnabledModesFirst": True,
        "showErrorDetails": "always",
        "maxNumRequests": {"interaction": 100, "thumbnail": 5, "prefetch": 25},
        "defaultDataSourceName": sources[0].name if sources else "",
        "dataSources": [_data_source(each) for each in sources],
    }
    return _SCRIPT.format(configuration=_in_script(configured))


def _data_source(source: Source) -> dict[str, object]:
    return {
        "namespace": _KIND,
        "sourceName": source.name,
        "configuration": {
            "friendlyName": source.name,
            "name": source.name,
            "root": source.path,
            "qidoSupportsIncludeField": True,
            "imageRendering": "wadors",
            "thumbnailRendering": "thumbnail",
            "thumbnailRequestStrategy": "fetch",
            "enableStudyLazyLoad": True,
            "supportsFuzzyMatching": True,
            "supportsWildcard": True,
            "singlepart": "bulkdata,pdf,video",
            "dicomUploadEnabled": source.is_writable,
            "omitQuotationForMultipartRequest": True,
            "bulkDataURI": {"enabled": True},
        },
    }


def _in_script(value: object) -> str:
    """Return JSON that is a JavaScript literal, too, whatever the strings in it are."""
    return json.dumps(value, ensure_ascii=True, indent=1).replace("<", "\\u003c")


_SCRIPT: Final = """\
// Made by dicomveil for its stores, at each request.
window.config = {configuration};
for (const {{ configuration }} of window.config.dataSources) {{
  const root = new URL(`../${{configuration.root}}`, document.baseURI).href;
  Object.assign(configuration, {{ qidoRoot: root, wadoRoot: root, wadoUriRoot: `${{root}}/wado` }});
}}
// Of a study's address the viewer reads which store only in the path; its list, in the query. Here both do.
const wanted = new URLSearchParams(window.location.search).get("datasources");
if (window.config.dataSources.some((each) => each.sourceName === wanted)) {{
  window.config.defaultDataSourceName = wanted;
}}
"""
