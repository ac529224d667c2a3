"""Places by hand: where systems and people put originals that no element is meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.fhir_leaks.by_hand.bundles import bundles
from tests.benchmarks.fhir_leaks.by_hand.elements import elements
from tests.benchmarks.fhir_leaks.by_hand.extended import extended
from tests.benchmarks.fhir_leaks.by_hand.planting import Planting, digits_of
from tests.benchmarks.fhir_leaks.by_hand.resources import resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.fhir_leaks.by_hand.planting import Place
    from tests.benchmarks.fhir_leaks.corpus import Person

__all__ = ["digits_of", "places"]


def places(person: Person) -> Iterator[Place]:
    """Yield names of places and resources that hold the person's originals there."""
    here = Planting(person)
    for some in (extended, elements, resources, bundles):
        yield from some(here)
