"""The page: what a sweep asked, what became of every training, and what that shows, in one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

from bench.analysis.claims import Verdict
from bench.analysis.solved import outcome_ledger, solved_rates
from bench.analysis.summary import trial_medians
from bench.problem.label import labels, varying
from bench.problem.outcome import Result
from bench.report import figures
from bench.report.backends import backends
from bench.report.pictures import block_pictures, single_pictures
from bench.tracking import columns as c


@dataclass(frozen=True, eq=False)
class Swept:
    """Everything that the page shows of one sweep, as plain data."""

    sweep: str
    status: str
    started: datetime
    plan: dict[str, Any]
    environment: dict[str, Any]
    figures: dict[str, float]
    trainings: pd.DataFrame
    timings: pd.DataFrame
    cold_starts: Sequence[dict[str, Any]]
    verdicts: Sequence[Verdict]
    claims_left_out: bool = False


def render(swept: Sequence[Swept]) -> str:
    """Return the HTML of one sweep's report, or of several one after the other."""
    folder = files("bench.report").joinpath("templates")
    jinja = Environment(
        loader=DictLoader({file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with figures.style():
        sections = [_section(one) for one in swept]
        return jinja.get_template("report.html").render(sections=sections, comparison=_comparison(swept))


def _section(swept: Swept) -> dict[str, Any]:
    """Return what the template needs for one sweep."""
    trials = swept.plan["trials"]
    data = swept.trainings.assign(**{c.HIDDEN: swept.trainings[c.HIDDEN].astype(str)})
    first = {trial[c.TRIAL_ID]: trial["blocks"][0] for trial in trials}
    found = labels([t["parameters"] for t in trials], [t["blocks"][0] for t in trials])
    name_of = dict(zip([t[c.TRIAL_ID] for t in trials], found, strict=True))
    blocks = [
        dict(zip(("pictures", "note"), block_pictures(data[data[c.TRIAL_ID].map(first) == place]), strict=True))
        | {"title": title or "The grid"}
        for place, title in enumerate(swept.plan["blocks"])
    ]
    blocks.append({"title": "Trainings drawn one by one", "pictures": single_pictures(data), "note": ""})
    done = len(data)
    planned = sum(trial["trainings"] for trial in trials)
    return {
        "swept": swept,
        "plan": swept.plan,
        "done": done,
        "planned": planned,
        "varying": _varying(trials),
        "fixed": _fixed(trials),
        "outcomes": {str(r): int((data[c.OUTCOME] == r).sum()) for r in Result},
        "occurred": [str(r) for r in Result if (data[c.OUTCOME] == r).any()],
        "colours": figures.OUTCOME_COLOURS,
        "trials": _trial_rows(data, trials, name_of),
        "blocks": [block for block in blocks if block["pictures"] or block["note"]],
        "backends": backends(data, swept.timings, swept.cold_starts, name_of),
        "warnings": _warnings(swept, data, planned),
    }


def _comparison(swept: Sequence[Swept]) -> dict[str, Any]:
    """Return what differs between sweeps, and the solved rates of the trials that all of them have."""
    facts = [{"command": one.plan["command"], **_flat(one.environment)} for one in swept]
    differing = [name for name in facts[0] if len({str(fact.get(name)) for fact in facts}) > 1]
    shared = set.intersection(*({t[c.TRIAL_ID] for t in one.plan["trials"]} for one in swept))
    trials = [trial for trial in swept[0].plan["trials"] if trial[c.TRIAL_ID] in shared]
    names = labels([t["parameters"] for t in trials], [t["blocks"][0] for t in trials])
    rates = [solved_rates(one.trainings, [c.TRIAL_ID]).set_index(c.TRIAL_ID).to_dict("index") for one in swept]
    return {
        "differing": {name: [fact.get(name) for fact in facts] for name in differing},
        "trials": [
            {"name": name, "rates": [rate.get(trial[c.TRIAL_ID]) for rate in rates]}
            for trial, name in zip(trials, names, strict=True)
        ],
    }


def _flat(environment: dict[str, Any]) -> dict[str, Any]:
    """Return the environment one level deep."""
    nested = {name: value if isinstance(value, dict) else {"": value} for name, value in environment.items()}
    return {f"{name} {key}".strip(): item for name, values in nested.items() for key, item in values.items()}


def _varying(trials: Sequence[dict[str, Any]]) -> dict[str, str]:
    parameters = [trial["parameters"] for trial in trials]
    return {name: ", ".join(dict.fromkeys(str(values[name]) for values in parameters)) for name in varying(parameters)}


def _fixed(trials: Sequence[dict[str, Any]]) -> dict[str, str]:
    varied = varying([trial["parameters"] for trial in trials])
    return {name: str(value) for name, value in trials[0]["parameters"].items() if name not in varied}


def _trial_rows(data: pd.DataFrame, trials: Sequence[dict[str, Any]], names: dict[str, str]) -> list[dict[str, Any]]:
    """Return a row for every planned trial, those without a finished training included."""
    rates = solved_rates(data, [c.TRIAL_ID]).set_index(c.TRIAL_ID)
    counts = outcome_ledger(data)
    medians = trial_medians(data)
    return [
        {
            "id": trial_id,
            "block": trial["blocks"][0],
            "name": names[trial_id],
            "seeds": trial["seeds"],
            "planned": trial["trainings"],
            "done": int(counts.loc[trial_id].sum()) if trial_id in counts.index else 0,
            "counts": {k: int(v) for k, v in counts.loc[trial_id].items()} if trial_id in counts.index else {},
            "rate": rates.loc[trial_id].to_dict() if trial_id in rates.index else None,
            "medians": medians.loc[trial_id].to_dict() if trial_id in medians.index else {},
        }
        for trial in trials
        for trial_id in [trial[c.TRIAL_ID]]
    ]


def _warnings(swept: Swept, data: pd.DataFrame, planned: int) -> list[str]:
    """Return in plain words whatever a reader must know before trusting the rest."""
    found = []
    if len(data) < planned:
        found.append(
            f"This sweep is not finished: {len(data):,} of {planned:,} planned trainings are here. "
            f"Go on with: {swept.plan['command']} --resume"
        )
    for result in (Result.FAILED, Result.UNSUPPORTED):
        rows = data[data[c.OUTCOME] == result]
        for reason, some in rows.groupby(c.REASON):
            found.append(f"{len(some):,} trainings {result}: {reason}")
    most = max((trial["trainings"] for trial in swept.plan["trials"]), default=0)
    if most > c.CURVES_PER_TRIAL:
        found.append(f"Curves are kept for the first {c.CURVES_PER_TRIAL:,} seeds of a trial; rates count all seeds.")
    if swept.claims_left_out:
        found.append(
            "The experiment's claims speak of the file as written; with other values given they were not checked."
        )
    return found
