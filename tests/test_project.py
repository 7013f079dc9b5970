"""The project's own promises."""

import re
import tomllib
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


def wanted():
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return sorted({re.split(r"[\[<>=!~; ]", line)[0].lower() for group in groups for line in group} - {"bench"})


@pytest.mark.parametrize("name", wanted())
def test_every_dependency_is_pinned(name):
    """The constraints file says which version is tested."""
    assert name in PINNED


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_in_the_readme(name):
    """Users find each parameter with what it means."""
    assert f"`{name}`" in (ROOT / "README.md").read_text()


def test_every_file_is_named_in_the_architecture():
    """Whoever looks for something finds its room."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = {path.parent.name for path in (ROOT / "bench").rglob("*.py")} - {"bench"}
    assert all(f"`{room}/`" in text for room in rooms)
