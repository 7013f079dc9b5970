"""The project's own promises."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from bench.model.trial import PARAMETERS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = {
    line.partition("==")[0].lower().replace("_", "-")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if "==" in line
}


EXTRAS = PROJECT["optional-dependencies"]


def names(*groups):
    """Return the names of the distributions that groups of requirements ask for."""
    return sorted({re.split(r"[\[<>=!~; ]", line)[0].lower() for group in groups for line in group} - {"bench"})


@cache
def imported():
    """Return for every third-party module that the package imports the distributions that it may come from."""
    found = set()
    for path in (ROOT / "bench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module)
    modules = {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"bench"}
    known = packages_distributions()
    return {module: {name.lower() for name in known.get(module, [module])} for module in modules}


@pytest.mark.parametrize("name", names(PROJECT["dependencies"], *EXTRAS.values()))
def test_every_dependency_is_pinned(name):
    """The constraints file says which version is tested."""
    assert name in PINNED


@pytest.mark.parametrize("name", names(PROJECT["dependencies"]))
def test_every_dependency_is_imported(name):
    """Nobody installs what is not used."""
    assert name in set().union(*imported().values())


def test_whatever_is_imported_is_a_dependency():
    """Of all, or of the extra that needs it; nothing is there by chance because something else wants it."""
    asked = {"ipython"}  # what shows a notebook: it is there wherever one is, and asked for nowhere else
    asked |= set(names(PROJECT["dependencies"], *(lines for extra, lines in EXTRAS.items() if extra != "dev")))
    assert [module for module, distributions in imported().items() if not distributions & asked] == []


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_in_the_readme(name):
    """Users find each parameter with what it means."""
    assert f"`{name}`" in (ROOT / "README.md").read_text()


def test_every_file_is_named_in_the_architecture():
    """Whoever looks for something finds its room."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = {path.parent.name for path in (ROOT / "bench").rglob("*.py")} - {"bench"}
    assert all(f"`{room}/`" in text for room in rooms)
