"""Optuna's journal: whole after whatever happened, and each trial in it once."""

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from bench.errors import RequestError
from bench.search.optuna_journal import Journal

from .conftest import played


def read(path):
    """Load the only study as a stranger would."""
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.load_study(study_name=None, storage=storage)


def kept(path, search, trials):
    """Append trials to the study of the journal, opening it anew."""
    study = Journal(path).study("a search", search, {"command": "bench sweep"})
    for trial in trials:
        study.add(trial)


def test_a_journal_holds_what_was_told(tmp_path, searched):
    """Numbers, parameters, values, states, and the names of the objectives."""
    search = searched()
    trials = played(search, "tpe")[0].optuna.trials
    kept(tmp_path / "j", search, trials)
    found = read(tmp_path / "j")
    assert [(t.number, t.params, t.values, t.state) for t in found.trials] == [
        (t.number, t.params, t.values, t.state) for t in trials
    ]
    assert found.metric_names == ["rmst"]
    assert found.user_attrs == {"command": "bench sweep"}


def test_no_trial_is_appended_twice(tmp_path, searched):
    """Told again from the start, as a resumed search is, the journal takes only what it has not yet."""
    search = searched()
    trials = played(search, "random")[0].optuna.trials
    kept(tmp_path / "j", search, trials[:5])
    kept(tmp_path / "j", search, trials)
    assert [trial.number for trial in read(tmp_path / "j").trials] == list(range(len(trials)))


def test_a_line_that_was_cut_off_is_dropped(tmp_path, searched):
    """A kill in the middle of a write loses that write, and nothing that is written after it."""
    search = searched()
    trials = played(search, "random")[0].optuna.trials
    kept(tmp_path / "j", search, trials[:5])
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole[:-20])
    kept(tmp_path / "j", search, trials)
    assert [trial.params for trial in read(tmp_path / "j").trials] == [trial.params for trial in trials]


def test_searches_share_a_journal(tmp_path, searched):
    """One dashboard shows them all."""
    search = searched()
    trials = played(search, "random")[0].optuna.trials
    for name in ("one", "two"):
        study = Journal(tmp_path / "j").study(name, search, {})
        study.add(trials[0])
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "j")))
    assert sorted(optuna.get_all_study_names(storage)) == ["one", "two"]


@pytest.mark.parametrize("content", [b"garbage", b"garbage\n", b'{"op": 7}\n', b"[]\n", b"7\n", None])
def test_what_is_no_journal_is_told(tmp_path, content):
    """And left as it is: nothing is decided by it, but nothing is thrown away either."""
    path = tmp_path / "j"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(RequestError, match=r"cannot be read .* move it away"):
        Journal(path)
    assert content is None or path.read_bytes() == content
