"""Adaptive seeds: more in rounds, the same to every trial, until all solved rates are known well enough."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.backends import load
from bench.config.plan import MOST_TRAININGS, Plan, PlannedTrial
from bench.config.seeds import INTERVAL, MAX_SEEDS, Until
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.model.initialization import MAX_SEED
from bench.running.recorder import Recorder, Statistics, Step


class AdaptiveSeeds:
    """The grid, and more seeds for its trials until each solved rate is known as well as the plan asks."""

    def __init__(self, statistics: Statistics) -> None:
        """Take the half-width of an interval, and how many seeds one takes."""
        self.statistics = statistics

    def steps(self, recorder: Recorder) -> Iterator[Step]:
        """Yield the grid, and then rounds of more seeds; runs are written when all rates are known."""
        growing = [planned.trial.trial_id for planned in recorder.plan.trials if _grows(planned)]
        yield Step(recorder.plan, open=growing)
        while (until := recorder.plan.until) is not None and not until.stopped_by:
            trials = [planned for planned in recorder.plan.trials if planned.trial.trial_id in growing]
            solved = [int(recorder.trainings(p.trial.trial_id, p.together)[c.SOLVED].sum()) for p in trials]
            until, seeds = next_round(list(zip(trials, solved, strict=True)), until, self.statistics)
            plan = recorder.plan.grown(growing, seeds, until)
            message = _ended(until, len(trials)) if until.stopped_by else _added(until, len(trials), seeds)
            yield Step(plan, open=() if until.stopped_by else growing, message=message)


def _grows(planned: PlannedTrial) -> bool:
    """Whether seeds may be added to a trial: not if it is alone, nor if there is nothing that trains it here."""
    return bool(planned.together) and load(planned.trial.backend).unsupported(planned.trial) is None


def check_until(plan: Plan, statistics: Statistics) -> None:
    """Raise RequestError where no seeds can be added, or where more might be than a sweep or a seed allows."""
    if plan.until is None:
        return
    until, together = plan.until, [planned for planned in plan.trials if planned.together]
    asked = f"until is {until.half_width:g}"
    if plan.search and not plan.trials:
        raise RequestError(f"{asked}, and there is only a search, whose trials keep their seeds; allowed with a grid")
    if not together:
        raise RequestError(
            f"{asked}, and no trial is trained together with others; allowed is with a grid that is not alone"
        )
    most, added = _most(together), _most_added(together, until, statistics)
    if until.max_seeds is not None and until.max_seeds < most:
        raise RequestError(f"max-seeds is {until.max_seeds}; allowed is at least {most:,}, as many as the grid has")
    trainings = plan.expected_trainings + added * len(together)
    if trainings > MOST_TRAININGS:
        raise RequestError(
            f"{asked}, which may take {trainings:,} trainings; allowed in one sweep are {MOST_TRAININGS:,}"
            " (--max-seeds sets a limit)"
        )
    if _last(together) + added > MAX_SEED:
        raise RequestError(
            f"{asked}, which may take seeds to {_last(together) + added}; allowed are seeds to {MAX_SEED}"
        )


def next_round(solved: Sequence[tuple[PlannedTrial, int]], until: Until, statistics: Statistics) -> tuple[Until, range]:
    """Return what is known of trials of which so many trainings solved their gate, and the seeds to add to each.

    As many as Wilson's formula asks for at the widest trial's rate, but never more than doubles the seeds, because
    the rate itself is not known yet; and those that follow the greatest that any trial has. That the width of an
    interval decides when to stop leaves its confidence as it was, for narrow ones (Chow and Robbins 1965).
    """
    widths = [float(statistics.half_width(count, len(planned.together))) for planned, count in solved]
    wide = sum(width > until.half_width for width in widths)
    trials = [planned for planned, _ in solved]
    room = MAX_SEED if until.max_seeds is None or not trials else until.max_seeds - _most(trials)
    if not wide or room <= 0:
        return replace(until, wide=wide, stopped_by=MAX_SEEDS if wide else INTERVAL), range(0)
    widest, count = solved[max(range(len(widths)), key=widths.__getitem__)]
    size = len(widest.together)
    more = max(statistics.seeds_for_half_width(count / size, until.half_width) - size, 1)
    start = _last(trials) + 1
    return replace(until, wide=wide, rounds=until.rounds + 1), range(start, start + min(more, _most(trials), room))


def _most(trials: Sequence[PlannedTrial]) -> int:
    return max(planned.trainings for planned in trials)


def _most_added(trials: Sequence[PlannedTrial], until: Until, statistics: Statistics) -> int:
    """Return how many seeds each trial gets at most: at no rate does an interval take more than at one half."""
    fewest = min(len(planned.together) for planned in trials)
    most = max(statistics.seeds_for_half_width(0.5, until.half_width) - fewest, 0)
    return most if until.max_seeds is None else min(most, until.max_seeds - _most(trials))


def _last(trials: Sequence[PlannedTrial]) -> int:
    return max(planned.seeds[-1] for planned in trials)


def _added(until: Until, trials: int, seeds: range) -> str:
    more = f"{len(seeds):,} more seed{'' if len(seeds) == 1 else 's'} for each trial, from {seeds[0]}"
    return f"round {until.rounds}: {_wide(until, trials)}; {more}"


def _ended(until: Until, trials: int) -> str:
    rounds = f"after {until.rounds} round{'' if until.rounds == 1 else 's'} of more seeds"
    if until.stopped_by == INTERVAL:
        return f"{rounds}, every solved rate is known to ± {until.half_width:g}"
    return f"{rounds}, no more than {until.max_seeds:,} being allowed, {_wide(until, trials)}"


def _wide(until: Until, trials: int) -> str:
    return f"{until.wide:,} of {trials:,} solved rates are known less well than ± {until.half_width:g}"
