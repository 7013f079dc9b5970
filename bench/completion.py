"""Completion of words in a shell: experiments, KEY=VALUE, ids of sweeps. It is silent where it knows nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from click import Context
from click.shell_completion import CompletionItem

from bench.config import files
from bench.config.files import experiments, title_of

EQUALS, COMMA = "=", ","
Items = list[CompletionItem]


def quietly(complete: Callable[[Context, str], Iterator[CompletionItem]], context: Context, begun: str) -> Items:
    """Return what a word may become; nothing where that cannot be found out: a shell has no place for errors."""
    found: Items = []
    with suppress(Exception):
        found += complete(context, begun)
    return found


def words(context: Context, begun: str) -> Iterator[CompletionItem]:
    """Yield what a word of a sweep may become: an experiment, a key, or a value of one.

    Some shells (bash) break a word at ``=``, and complete what follows as a word of its own.
    """
    from bench.config.overrides import BLOCK_KEYS, MAP_KEYS, SEARCH_KEYS  # NumPy takes a tenth of a second

    keys = (*BLOCK_KEYS, *SEARCH_KEYS, *MAP_KEYS)
    before = " ".join(context.params.get("words") or ()).replace(f" {EQUALS} ", EQUALS).split()
    broken = before[-1] if before and EQUALS not in begun else ""
    if broken in keys or broken == EQUALS:
        yield from _values(before[-2] if broken == EQUALS else broken, begun)
        return
    key, equals, text = begun.partition(EQUALS)
    if equals:
        yield from _values(key, text, f"{key}{EQUALS}")
        return
    if all(EQUALS in word for word in before):  # one experiment is named already otherwise
        for name, path in experiments().items():
            if name.startswith(begun):
                yield CompletionItem(name, help=title_of(path))
    named = [name for name in keys if name.startswith(begun)]
    for name in named:
        yield CompletionItem(f"{name}{EQUALS}", help=_about(name))
    if len(named) == 1:  # with its values, so that the shell does not take it for a word that is whole
        yield from _values(named[0], "", f"{named[0]}{EQUALS}")


def sweeps(context: Context, begun: str) -> Iterator[CompletionItem]:
    """Yield the ids of a store's sweeps that begin like a word, each as `list` shows it."""
    from bench.store.listing import read_list
    from bench.store.names import is_there, tracking_uri

    uri = tracking_uri(context.params.get("tracking_uri"))
    for info in read_list(uri) or [] if is_there(uri) else []:
        if info.sweep.startswith(begun):
            yield CompletionItem(info.sweep[: max(8, len(begun))], help=info.name)


def papers(context: Context, begun: str) -> Iterator[CompletionItem]:
    """Yield the experiments about papers whose names begin like a word."""
    for name, path in files.papers().items():
        if name.startswith(begun) and name not in (context.params.get("names") or ()):
            yield CompletionItem(name, help=title_of(path))


def names(_context: Context, begun: str) -> Iterator[CompletionItem]:
    """Yield the parameters of a trial whose names begin like a word."""
    from bench.model.trial import PARAMETERS

    for name in PARAMETERS:
        if name.startswith(begun):
            yield CompletionItem(name, help=_about(name))


def _values(key: str, text: str, before: str = "") -> Iterator[CompletionItem]:
    """Yield what may follow after ``key=`` and the values that are there; ``before`` is said first."""
    *listed, last = text.split(COMMA)
    for value in _known(key):
        if value.startswith(last) and value not in listed:
            yield CompletionItem(before + COMMA.join([*listed, value]))


def _known(key: str) -> Sequence[str]:
    """Return the values of a key that has few; of another parameter its default, which shows how one is written."""
    from bench.config.overrides import SEARCH
    from bench.config.search_config import SAMPLERS
    from bench.config.search_parsing import NONE
    from bench.metrics.objectives import objective_names
    from bench.model.gate import gate_names
    from bench.model.parameter_fields import Choice, flag
    from bench.model.trial import PARAMETERS, Trial, backend_names

    files = sorted(map(str, Path().glob("*.csv")))
    known: dict[str, Sequence[str]] = {
        "gate": [*gate_names(), *files],
        "init_table": files,
        "backend": backend_names(),
        "alone": ("true", "false"),
        f"{SEARCH}objective": objective_names(),
        f"{SEARCH}sampler": list(SAMPLERS),
        f"{SEARCH}baseline": [*SAMPLERS, NONE],
        **dict.fromkeys((f"{SEARCH}timeout", f"{SEARCH}constraints", f"{SEARCH}prune"), (NONE,)),
    }
    if key in known:
        return known[key]
    if key not in PARAMETERS:
        return []
    reader = PARAMETERS[key].reader
    if isinstance(reader, Choice):
        return reader.names
    return ("true", "false") if reader is flag else [str(Trial().parameters[key])]


def _about(key: str) -> str | None:
    from bench.model.trial import PARAMETERS

    return PARAMETERS[key].doc if key in PARAMETERS else None
