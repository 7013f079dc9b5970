"""The commands that train: they pick the parts and hand them to each other."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from bench.analysis.claims import verdict_rows
from bench.cli.carrying import Carried, Options, carry_out, checked_plan
from bench.cli.terminal import best_table, claims_table, findings_list, plan_table, say, trials_table
from bench.errors import RequestError
from bench.experiment.block import Values
from bench.experiment.find import find_experiment
from bench.experiment.spec import Experiment, adhoc, read_experiment, read_overrides
from bench.experiment.until import read_until, until_row
from bench.tracking import columns as c

DEFAULT_EXPERIMENT = "sensitivity"
DOCUMENTS = "documents"
CLOCKS = {"import": "imports", "train": "training", "optuna": "Optuna", "track": "MLflow", "report": "report"}


def request(words: Sequence[str], until: float | None = None, max_seeds: int | None = None) -> Experiment:
    """Return the experiment that the command line asks for; raise RequestError for a wrong one."""
    return replace(_experiment(words), until=read_until(until, max_seeds))


def _experiment(words: Sequence[str]) -> Experiment:
    named = [word for word in words if "=" not in word]
    overrides = read_overrides([word for word in words if word not in named], Path.cwd())
    if len(named) > 1:
        raise RequestError(f"got the experiments {', '.join(named)}; allowed is one")
    if not named and overrides:
        return adhoc(overrides, words)
    return read_experiment(find_experiment(named[0] if named else DEFAULT_EXPERIMENT), overrides, words)


def dry(experiment: Experiment, *, as_json: bool) -> None:
    """List the trials of a request and count its work."""
    plan = checked_plan(experiment)
    if as_json:
        counts = {"trials": plan.expected_trials, "trainings": plan.expected_trainings}
        listed = [{c.TRIAL_ID: p.trial.trial_id, "trainings": p.trainings, **p.trial.parameters} for p in plan.trials]
        counts |= {"iterations": plan.expected_iterations, "duplicates": plan.duplicates}
        rest = {"until": until_row(plan.until), "search": plan.search.row if plan.search else None, "list": listed}
        click.echo(json.dumps({"experiment": experiment.name, **counts, **rest}))
        return
    plan_table(plan)


def sweep(experiment: Experiment, options: Options, *, as_json: bool) -> int:
    """Carry out a sweep and print what came of it; return the exit status."""
    done = carry_out(experiment, options)
    if done.sweep is not None and not as_json:
        trials_table(done.sweep.plan, done.sweep.trainings)
        if done.searched is not None:
            best_table(done.searched)
        findings_list(done.findings)
    if done.verdicts:
        missed = [verdict for verdict in done.verdicts if not verdict.holds]
        say(f"{len(done.verdicts) - len(missed)} of {len(done.verdicts)} claims hold")
        claims_table(missed, on_stderr=as_json)
    if as_json:
        click.echo(json.dumps(done.summary))
    elif done.summary["report"]:
        click.echo(f"Report: {done.summary['report']}")
    if done.searched is not None:
        say(_search_words(done))
    return done.status


def _search_words(done: Carried) -> str:
    """Return where a search's time went, and where its study can be looked at."""
    seconds = done.summary["seconds"]
    parts = ", ".join(f"{words} {seconds[name]:.1f}" for name, words in CLOCKS.items())
    storage = shlex.quote(done.searched.search["storage"]) if done.searched else ""
    return f"{seconds['total']:.1f} s in all: {parts}. Optuna's study: optuna-dashboard {storage}"


def reproduce(options: Options, *, as_json: bool) -> int:
    """Train what the documents train and print every figure, expected beside observed; return the exit status."""
    done = carry_out(read_experiment(find_experiment(DOCUMENTS), Values(), [DOCUMENTS]), options)
    if as_json:
        click.echo(json.dumps(verdict_rows(done.verdicts), ensure_ascii=False))
    elif done.verdicts:
        claims_table(done.verdicts)
        click.echo(
            f"{sum(v.holds for v in done.verdicts)} of {len(done.verdicts)} hold. Report: {done.summary['report']}"
        )
    return done.status
