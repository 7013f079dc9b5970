"""Which tests of a product of parameters run in the quick suite, where every single one is costly."""

from collections import Counter
from itertools import combinations, groupby

import pytest

COSTLY = {"jax", "torch"}  # backends that compile for every shape, or train one after the other
LARGE = 100  # tests of one product that are many whatever each takes
COMPILED = {"jax", "numba"}  # those to which every mixture of parameters is a program: some are in their own tests


@pytest.hookimpl(tryfirst=True)  # before those that are marked slow are left out
def pytest_collection_modifyitems(items):
    """Of a costly backend's tests, and of large products, mark those slow whose parameters meet in pairs in others.

    And those of a mixture of parameters, where each is compiled.
    """
    for item in items:
        known = parameters(item) if getattr(item, "callspec", None) else {}
        if known.get("backend") in COMPILED and "mixture" in known:
            item.add_marker(pytest.mark.slow)
    multiplied = [item for item in items if getattr(item, "callspec", None)]
    for (_, _, backend), group in groupby(
        multiplied, lambda item: (item.path, item.originalname, parameters(item)["backend"])
    ):
        tests = list(group)
        if backend not in COSTLY and (backend is None or len(tests) < LARGE):
            continue
        kept = pairwise_covering([pairs(item) for item in tests])
        for place, item in enumerate(tests):
            if place not in kept:
                item.add_marker(pytest.mark.slow)


def parameters(item):
    """Return a test's parameters by name, those of unnamed backends None."""
    return {"backend": None} | item.callspec.params


def pairs(item):
    """Return all pairs of a test's parameters, or the only one there is; a precision need not meet all the others."""
    values = sorted((name, str(value)) for name, value in item.callspec.params.items() if name != "backend")
    precision = {(value,) for value in values if value[0] == "dtype"}
    others = [value for value in values if value[0] != "dtype"]
    return precision | set(combinations(others, min(2, len(others))))


def pairwise_covering(tests):
    """Return the places of tests that together hold every pair that any holds: the most new, then the rarest ones."""
    missing, kept, held = set().union(*tests), set(), Counter()

    def worth(place):
        return len(tests[place] & missing), -sum(held[pair] for pair in tests[place])

    while missing:
        best = max(range(len(tests)), key=worth)
        kept.add(best)
        held.update(tests[best])
        missing -= tests[best]
    return kept or set(range(len(tests)))
