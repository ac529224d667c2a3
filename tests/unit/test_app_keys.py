"""Each deidentifier has a key of its own: what two of them make cannot be joined."""

from __future__ import annotations

from config.settings import Deidentifier as Section
from config.settings import Settings
from daemon.configured import deidentifiers
from deid.identity.keys import SiteKey

SITE = SiteKey(bytes(range(7, 39)))


def test_a_deidentifier_never_gets_the_site_key_itself() -> None:
    named = {"default": Section(), "research": Section(config="research")}
    found = deidentifiers(Settings(deidentifiers=named), SITE)
    secrets = {each.name: each.key.secret for each in found}
    assert len({*secrets.values(), SITE.secret}) == 3
    assert secrets == {name: SITE.derive(name).secret for name in named}
