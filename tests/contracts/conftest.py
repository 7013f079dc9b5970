"""Which tests of a product of parameters run in the quick suite, where every single one is costly."""

from itertools import combinations, groupby

import pytest

COSTLY = {"jax"}  # backends that compile for every shape: a third of a second a test


@pytest.hookimpl(tryfirst=True)  # before those that are marked slow are left out
def pytest_collection_modifyitems(items):
    """Of a costly backend's tests, mark those slow whose parameters meet in pairs in other tests already."""
    costly = [item for item in items if getattr(item, "callspec", None) and parameters(item)["backend"] in COSTLY]
    for _, group in groupby(costly, lambda item: (item.path, item.originalname, item.callspec.params["backend"])):
        tests = list(group)
        kept = pairwise_covering([pairs(item) for item in tests])
        for place, item in enumerate(tests):
            if place not in kept:
                item.add_marker(pytest.mark.slow)


def parameters(item):
    """Return a test's parameters by name, those of unnamed backends None."""
    return {"backend": None} | item.callspec.params


def pairs(item):
    """Return all pairs of a test's parameters, or the only one there is."""
    values = sorted((name, str(value)) for name, value in item.callspec.params.items() if name != "backend")
    return set(combinations(values, min(2, len(values))))


def pairwise_covering(tests):
    """Return the places of tests that together hold every pair that any test holds: greedily the most new ones."""
    missing, kept = set().union(*tests), set()
    while missing:
        best = max(range(len(tests)), key=lambda place: len(tests[place] & missing))
        kept.add(best)
        missing -= tests[best]
    return kept or set(range(len(tests)))
