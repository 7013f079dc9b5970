"""A sweep that is stored: its frames, its claims, its findings and its report, each read when it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bench.config.claims import FigureClaim
from bench.config.plan import Plan
from bench.errors import RequestError, check_text
from bench.metrics import columns as c
from bench.model.display_labels import USUAL, bare, varying
from bench.model.outcome import Result
from bench.model.parameter_fields import choice
from bench.notebook import sweep_html
from bench.report.map_words import map_row
from bench.report.number_format import interval, percent_interval, plural
from bench.report_files import (
    account_of,
    check_by,
    check_report,
    default_report,
    read_for_report,
    report_of,
    seeds_read,
    write_page,
)
from bench.stats import proportions, survival
from bench.stats.claims import PUBLISHED, Verdict, check_claims, verdict_rows
from bench.stats.grid_analysis import DIGITS, PLANNED, trial_table
from bench.stats.numeric_axis import thinned
from bench.stats.proportions import Account, account
from bench.store.export import LISTS, exported, write_trainings
from bench.store.mlflow_store import Store, existing_store
from bench.store.names import REUSED_FILES
from bench.store.reader import StoredSweep, planned_trainings, read_map, read_plan
from bench.store.shards import written_trainings
from bench.store.writer import SweepWriter, is_running
from bench.user_files import check_output

if TYPE_CHECKING:
    from bench.report.charts import Finding
    from bench.report.page import Report
    from bench.stats.combinations import CombinationResults
    from bench.stats.map_analysis import MapAnalysis
    from bench.stats.search_results import SearchResults

MOST_ROWS = 20  # of a sweep that is shown
TRAININGS, SOLVED_RATE, MEDIAN = "trainings", "solved_rate", "median_solved_at"
INTERVALS = {  # of `Sweep.trials`: what each estimate, and the ends of its 95 % interval, are called elsewhere
    SOLVED_RATE: (proportions.RATE, proportions.LOW, proportions.HIGH),
    MEDIAN: (survival.MEDIAN, survival.MEDIAN_LOW, survival.MEDIAN_HIGH),
    survival.RMST: (survival.RMST, survival.RMST_LOW, survival.RMST_HIGH),
    survival.ERT: (survival.ERT, survival.ERT_LOW, survival.ERT_HIGH),
}


class Sweep:
    """A sweep in a store: what was planned, every training, and what they show.

    `bench.sweep` and `bench.load` return one. Everything is read, or computed, when it is first asked for, and kept;
    a sweep that is still running is read anew with `bench.load`. In a notebook it is shown as a table of its trials.

    Attributes:
        id: its name for ever: that of its run in MLflow, 32 hexadecimal digits
        seconds: what this process waited for, by name, where it was carried out here; empty for one that was loaded

    """

    id: str
    seconds: Mapping[str, float]

    def __init__(
        self,
        store: Store,
        sweep: str,
        read: StoredSweep | None = None,
        *,
        plan: Plan | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        """Show a stored sweep; ``read`` is what was read of it for a report before."""
        self.id = sweep
        self.seconds = dict(seconds or {})
        self._store = store
        if plan is not None:
            self.__dict__["plan"] = plan
        if read is not None:
            self.__dict__["_read"] = read

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle where it is stored, and read it from there."""
        return _stored, (self.id, self._store.uri)

    @cached_property
    def _read(self) -> StoredSweep:
        """The sweep with all that a report needs."""
        return read_for_report(self._store, self.id)

    def _all(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return some columns of all trainings."""
        if "_read" in self.__dict__ and seeds_read(self.plan) is None:
            return self._read.trainings
        return planned_trainings(self._store, self.id, self.plan, columns)

    @property
    def status(self) -> str:
        """The status in MLflow: FINISHED, RUNNING, or KILLED where it was interrupted."""
        return str(self._store.client.get_run(self.id).info.status)

    @cached_property
    def plan(self) -> Plan:
        """What was planned: experiment, title, command, trials, claims and search, as the sweep keeps them."""
        return self._read.plan if "_read" in self.__dict__ else read_plan(self._store, self.id)

    @cached_property
    def trainings(self) -> pd.DataFrame:
        """One row per training, in the order of the trials and by seed: what ``python -m bench export`` writes.

        ``outcome`` is solved, slow, stuck, diverged, failed or unsupported, the last two with a ``reason``;
        ``solved_at`` and ``correct_at`` are iterations, missing where that never happened; ``iteration_us`` are
        microseconds, to be compared only where ``alone``.
        """
        columns = c.exported(self.plan.parameters)
        return exported(self._all(columns), columns)

    @cached_property
    def account(self) -> Account:
        """What became of every training: ``counts`` by trial and outcome, and ``reasons`` why some have no result."""
        if "_read" in self.__dict__ and seeds_read(self.plan) is None:
            return account([self._read.trainings])
        return account_of(self._store, self.id, self.plan)

    @property
    def reused(self) -> int:
        """How many of its trainings were taken over from earlier sweeps."""
        return written_trainings(self._store, self.id, REUSED_FILES)

    @property
    def sample(self) -> pd.DataFrame:
        """The trainings that its report is made of: all, or of many the first seeds of each trial."""
        return self._read.trainings

    @cached_property
    def outcomes(self) -> dict[str, int]:
        """How many trainings, those of maps included, were solved, slow, stuck, diverged, failed and unsupported."""
        found = self.account.counts.sum()
        of_maps = {result: sum(int(one.points.of(result).sum()) for one in self.maps) for result in Result}
        return {str(result): int(found[result]) + of_maps[result] for result in Result}

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per trial, in the plan's order: its parameters, what became of its trainings, and how well it does.

        ``trainings`` is how many are planned: the sum of the counts by outcome and of those ``missing``. Estimates
        have the ends of their 95 % intervals beside them, in ``_low`` and ``_high``: ``solved_rate`` (exact);
        ``median_solved_at`` in iterations, by Kaplan and Meier, missing where fewer than half have solved; ``rmst``,
        the mean of iterations to solution, what is unsolved counting at the budget; ``ert``, all iterations that were
        spent for each solution, infinite where there is none. They are over all seeds of the trial, and missing where
        its backend refused it.
        """
        rows = self._all([c.OUTCOME, c.SOLVED, c.SOLVED_AT, c.ITERATIONS, c.ITERATION_US])
        table = trial_table(self.plan)
        planned = table[list(self.plan.parameters)].reset_index()
        if planned[c.HIDDEN].astype(str).str.isdigit().all():
            planned[c.HIDDEN] = planned[c.HIDDEN].astype(np.int64)
        counts = proportions.ledger(self.account.counts, table[PLANNED]).rename(
            columns={proportions.PLANNED: TRAININGS}
        )
        rates = proportions.solved_rates(rows, [c.TRIAL_ID]).set_index(c.TRIAL_ID)
        times = survival.times_to_solution(rows).set_index(c.TRIAL_ID)
        found = {
            f"{name}{end}": known[column].rename(index=str)
            for name, columns in INTERVALS.items()
            for known in (rates if name == SOLVED_RATE else times,)
            for end, column in zip(("", "_low", "_high"), columns, strict=True)
        }
        return planned.join(counts, on=c.TRIAL_ID).join(pd.DataFrame(found), on=c.TRIAL_ID)

    def with_plan(self, plan: Plan) -> "Sweep":
        """Return it with a plan that asks other things of the same trainings."""
        return Sweep(self._store, self.id, self.__dict__.get("_read"), plan=plan, seconds=self.seconds)

    @property
    def figures(self) -> Mapping[str, float]:
        """What MLflow was told of the whole of it, by name."""
        return dict(self._store.client.get_run(self.id).data.metrics)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """What came of each claim of its experiment."""
        claims = self.plan.claims_now
        maps = self.maps if any(isinstance(one.claim, FigureClaim) and one.claim.map for one in claims) else ()
        return check_claims(claims, self._read.trainings, self.plan.look, maps) if claims else []

    @cached_property
    def claims(self) -> pd.DataFrame:
        """One row per claim of the experiment: id, source, what, expected, observed, and its ``verdict``.

        It ``holds``, or is refuted, or undecided: with about so many ``seeds``, if shares stay what they are, it would
        not be. Of claims about something published, whether they agree, with the difference and why they may differ.
        """
        more = () if any(one.is_published for one in self.verdicts) else PUBLISHED
        names = [*(one.name for one in fields(Verdict) if one.name not in more), "holds"]
        return pd.DataFrame(verdict_rows(self.verdicts), columns=names, dtype=object).astype({"holds": bool})

    @cached_property
    def maps(self) -> "tuple[MapAnalysis, ...]":
        """Its maps, each with ``frame()`` and ``arrays()`` of its pixels, ``fates``, ``shares`` and ``figures``."""
        from bench.stats.map_analysis import MapAnalysis

        return tuple(MapAnalysis(one, read_map(self._store, self.id, one)) for one in self.plan.maps)

    @cached_property
    def page(self) -> "Report":
        """Its report before it is written: every section, and the figures."""
        return self.part(1)

    def part(self, key: int) -> "Report":
        """Return its part of a report on several sweeps; ``key`` tells it from the others."""
        return report_of(self._store, self._read, self.verdicts, lambda: self.account, key, self.maps)

    @property
    def findings(self) -> "Sequence[Finding]":
        """Up to ten sentences that say what there is to know, each with its ``evidence``: interval and n."""
        return self.page.findings

    @property
    def search_results(self) -> "SearchResults | None":
        """What its search found: ``held_out`` has the best on other seeds, a row each; None where it has no search."""
        return self.page.search_results if self.plan.search else None

    @property
    def combinations(self) -> "CombinationResults | None":
        """What its search for each of several combinations found: ``table`` has the best of each; None without."""
        return self.page.data.combinations if self.plan.search else None

    def export(self, path: str | Path, lists: Sequence[str] = (), say: Callable[[str], None] | None = None) -> int:
        """Write `trainings` to a .parquet or .csv file, some at a time, and return how many there are.

        Args:
            path: where to; in a .csv file lists are JSON
            lists: what to add of each: ``"curves"``, the ``curve``, which is the loss before the iterations
                ``k * iterations // curve_points``, each once; ``"weights"``, the ``initial_weights`` and the
                ``weights`` at the end, layer after layer, each its weight ``[fan_in, fan_out]`` row by row and then its
                bias
            say: is told of how many trainings they were not kept, and why: these are null

        Raises:
            RequestError: the file cannot be written there, or there are no such lists

        """
        check_output(Path(path), ".parquet", ".csv")
        names = list(dict.fromkeys(column for name in lists for column in LISTS[choice(*LISTS)("with", name)]))
        count, without = write_trainings(self._store, self.id, self.plan, Path(path), names)
        kept = " and ".join(name for name in names if name != c.INITIAL_WEIGHTS)
        for why, missing in without.items():
            if say is not None:
                say(f"{kept} of {missing:,} of {plural(count, 'training')} are null: {why}")
        return count

    def rename(self, title: str) -> None:
        """Give it another title: on the page, when it is written again, and in MLflow."""
        check_text("title", title)
        self._writer.rename(self.plan, title)
        for known in ("plan", "_read", "page"):
            self.__dict__.pop(known, None)

    def note(self, text: str) -> None:
        """Add a paragraph to what MLflow shows with it; Markdown."""
        check_text("note", text)
        self._writer.add_note(text)

    def delete(self) -> None:
        """Delete it as MLflow does: `mlflow runs restore` brings its runs back until ``python -m bench gc``.

        Raises:
            RequestError: it is still running

        """
        self._writer.delete()

    @property
    def _writer(self) -> SweepWriter:
        run = self._store.client.get_run(self.id)
        if is_running(run):
            raise RequestError(f"sweep {self.id[:8]} is still running; allowed is one that has ended")
        return SweepWriter(self._store, run.info.experiment_id, self.id)

    def report(self, path: str | Path | None = None, by: str | None = None) -> Path:
        """Write its report, one HTML file that needs no network, and return where it is.

        Args:
            path: a file that ends in .html; by default ``reports/EXPERIMENT-ID.html`` in the working folder
            by: a parameter of two to six values, of which the first is compared with each other one: the same starts,
                all else the same, in solved rate and in time to solution

        Raises:
            RequestError: the file cannot be written there, or the parameter has one value, or more than six

        """
        return write_report([self], path, by=by)

    def __repr__(self) -> str:
        """Show its name, what became of its trainings, and its trials."""
        rows, more = self._shown()
        return "\n".join([f"Sweep {self._headline()}", rows.to_string(index=False), *([more] if more else [])])

    def _repr_html_(self) -> str:
        """Show the same in a notebook."""
        return sweep_html(self._headline(), *self._shown())

    def _headline(self) -> str:
        counts = [f"{count:,} {name}" for name, count in self.outcomes.items() if count]
        asked = plural(self.plan.trainings + self.plan.points, "training")
        became = f": {', '.join(counts)}" if counts else ""
        return f"{self.id[:8]} of {self.plan.question.experiment}, {self.status.lower()}, {asked}{became}"

    def _shown(self) -> tuple[pd.DataFrame, str]:
        """Return a row of words per trial, what varies first, and how many more there are; or a row per map."""
        if self.plan.maps and not self.plan.trials:
            return pd.DataFrame([map_row(one) for one in self.maps]), ""
        listed = self.trials.to_dict("records")
        names = varying(listed) or list(USUAL)  # type: ignore[arg-type]  # columns are named by text
        places, words = thinned(listed, names, MOST_ROWS)
        rows = [
            {
                **{name: bare(name, trial[name], DIGITS) for name in names},
                "solved [95 % interval]": _rate(trial),
                "median iterations": _median(trial),
            }
            for trial in (listed[place] for place in places[:MOST_ROWS])
        ]
        if words:
            return pd.DataFrame(rows), f"{words} in .trials"
        more = len(listed) - MOST_ROWS
        return pd.DataFrame(rows), f"and {plural(more, 'more trial')}, in .trials" if more > 0 else ""


def write_report(
    sweeps: Sequence[Sweep], path: str | Path | None = None, pictures: Path | None = None, by: str | None = None
) -> Path:
    """Write the report of one sweep, or of several side by side, or ``by`` a parameter, and return where it is.

    The first one's main figures are written into a folder for ``pictures`` too, if there is one.
    """
    target = None if path is None else Path(path)
    check_report(target)
    if by is not None:
        check_by([one.plan for one in sweeps], by)
    pages = [one.part(key) if key > 1 else one.page for key, one in enumerate(sweeps, 1)]
    pages[0].pictures = pictures
    target = target or default_report([(page.data.plan.question.experiment, page.data.sweep) for page in pages], by)
    write_page(pages, target, by)
    return target.resolve()


def comparison_words(sweeps: Sequence[Sweep], by: str | None = None) -> list[str]:
    """Return what differs between two sweeps, or the values of a parameter, in sentences; none of more sweeps."""
    from bench.report.sides import compared_words  # Matplotlib takes a second

    return compared_words([one.page.data for one in sweeps], by)


def _rate(trial: Mapping[Any, Any]) -> str:
    values = [trial[f"{SOLVED_RATE}{end}"] for end in ("", "_low", "_high")]
    return "–" if pd.isna(values[0]) else percent_interval(*values)


def _median(trial: Mapping[Any, Any]) -> str:
    """Write a median with its interval; that it is beyond the budget where fewer than half have solved."""
    if pd.isna(trial[SOLVED_RATE]):
        return "–"
    values = [trial[f"{MEDIAN}{end}"] for end in ("", "_low", "_high")]
    return f"> {trial[c.ITERATIONS]:,}" if pd.isna(values[0]) else interval(*values)


def _stored(sweep: str, uri: str) -> Sweep:
    return Sweep(existing_store(uri), sweep)
