from pathlib import Path

import pytest

from bench.config.files import experiments, find_experiment
from bench.errors import RequestError

OWN = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def working(tmp_path, monkeypatch):
    """Work in a folder with an empty ``experiments/``."""
    (tmp_path / "experiments").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_experiments_of_bench_are_found_from_everywhere(working):
    """Whoever installed bench can name its experiments in any folder."""
    assert {path.stem for path in OWN.glob("*.toml")} <= set(experiments())
    assert find_experiment("sensitivity").samefile(OWN / "sensitivity.toml")


def test_experiments_of_the_working_folder_are_found_by_name(working):
    """A file in ``experiments/`` needs no path."""
    (working / "experiments" / "mine.toml").write_text("[[grid]]\n")
    assert find_experiment("mine").samefile(working / "experiments" / "mine.toml")


def test_an_experiment_of_the_working_folder_hides_that_of_bench(working):
    """One's own file goes before bench's of the same name."""
    (working / "experiments" / "sensitivity.toml").write_text("[[grid]]\n")
    assert find_experiment("sensitivity").samefile(working / "experiments" / "sensitivity.toml")


def test_an_experiment_can_be_given_by_path(working):
    """A path is taken as it is, whatever the file is called."""
    path = working / "anything.txt"
    path.write_text("[[grid]]\n")
    assert find_experiment(str(path)) == path


def test_an_unknown_name_gets_the_nearest_and_all_others(working):
    """A near miss is answered with what was probably meant."""
    with pytest.raises(
        RequestError, match=r"experiment 'sensitivty' is not known; did you mean 'sensitivity'.*printed"
    ):
        find_experiment("sensitivty")


@pytest.mark.parametrize("name", ["nowhere.toml", "folder/nowhere"])
def test_a_path_that_leads_nowhere_is_refused_as_a_path(working, name):
    """Whoever wrote a path is told that the file is missing."""
    with pytest.raises(RequestError, match=f"experiment file '{name}' does not exist.*sensitivity"):
        find_experiment(name)


@pytest.mark.parametrize("name", ["", "experiments", "."])
def test_a_folder_is_no_experiment(working, name):
    """A folder, or nothing, is refused like any unknown name."""
    with pytest.raises(RequestError, match="is not known; choose from"):
        find_experiment(name)
