"""Experiment files as text, read and planned."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.config.experiment import Experiment, read_experiment
from bench.config.overrides import read_overrides
from bench.config.plan import Plan, make_plan
from bench.config.search_config import Search
from bench.errors import RequestError


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the text of an experiment file, and of others beside it; return its path."""

    def written(text: str, **others: str) -> Path:
        for name, content in {"question": text, **others}.items():
            (tmp_path / f"{name}.toml").write_text(content, encoding="utf-8")
        return tmp_path / "question.toml"

    return written


@pytest.fixture
def read(write: Callable[..., Path]) -> Callable[..., Experiment]:
    """Read the text of an experiment file with ``key=value`` words in place."""

    def experiment(text: str, *words: str, **others: str) -> Experiment:
        return read_experiment(write(text, **others), read_overrides(words, Path.cwd()), words)

    return experiment


@pytest.fixture
def plan(read: Callable[..., Experiment]) -> Callable[..., Plan]:
    """Plan the text of an experiment file with ``key=value`` words in place."""

    def planned(text: str, *words: str, **others: str) -> Plan:
        return make_plan(read(text, *words, **others))

    return planned


@pytest.fixture
def claim() -> Callable[..., str]:
    """Write a claim as text; without more it bounds the final squared error of seed 0 of whatever is planned."""

    def written(name: str = "a", where: str = "{}", body: str = 'seed = 0\nof = "final_mse"\nbelow = 1') -> str:
        return f'[[claim]]\nid = "{name}"\nsource = "s"\nwhat = "w"\nwhere = {where}\n{body}\n'

    return written


@pytest.fixture
def search(read: Callable[..., Experiment]) -> Callable[..., Search]:
    """Read the text of a ``[search]`` table, perhaps with others after it, and ``key=value`` words in place."""

    def searched(text: str, *words: str, defaults: str = "") -> Search:
        found = read(f"[defaults]\n{defaults}\n[search]\n{text}\n", *words).search
        assert found is not None
        return found

    return searched


@pytest.fixture
def wrong(search: Callable[..., Search]) -> Callable[..., tuple[str, ...]]:
    """Return what is wrong with the text of a ``[search]`` table, each problem without its file's name."""

    def problems(text: str, *words: str, defaults: str = "") -> tuple[str, ...]:
        with pytest.raises(RequestError) as caught:
            search(text, *words, defaults=defaults)
        return tuple(problem.removeprefix("question.toml: ") for problem in caught.value.problems)

    return problems
