"""Adaptive seeds: more in rounds, the same to every trial, until solved rates are known, or claims decided."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.backends import load
from bench.config.plan import Plan, PlannedTrial
from bench.config.seeds import CLAIMS, INTERVAL, MAX_SEEDS, Until
from bench.config.values import MOST_TRAININGS
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.model.initialization import MAX_SEED
from bench.running.recorder import Recorder, Statistics, Step


class AdaptiveSeeds:
    """The grid, and more seeds for its trials until all is known that the plan asks."""

    def __init__(self, statistics: Statistics) -> None:
        """Take the half-width of an interval, how many seeds one takes, and how many claims are undecided."""
        self.statistics = statistics

    def steps(self, recorder: Recorder) -> Iterator[Step]:
        """Yield the grid, and then rounds of more seeds; runs are written when no more are added."""
        growing = [planned.trial.trial_id for planned in recorder.plan.trials if _grows(planned)]
        yield Step(recorder.plan, open=growing)
        while (until := recorder.plan.until) is not None and not until.stopped_by:
            trials = [planned for planned in recorder.plan.trials if planned.trial.trial_id in growing]
            if until.half_width is None:
                until, seeds = next_look(trials, until, self.statistics.undecided(recorder.plan))
                of = sum(planned.seeds is None for planned in recorder.plan.claims)
            else:
                solved = [int(recorder.trainings(p.trial.trial_id, p.together)[c.SOLVED].sum()) for p in trials]
                until, seeds = next_round(list(zip(trials, solved, strict=True)), until, self.statistics)
                of = len(trials)
            plan = recorder.plan.grown(growing, seeds, until)
            message = _ended(until, of) if until.stopped_by else _added(until, of, seeds)
            yield Step(plan, open=() if until.stopped_by else growing, message=message)


def _grows(planned: PlannedTrial) -> bool:
    """Whether seeds may be added to a trial: not if it is alone, nor if there is nothing that trains it here."""
    return bool(planned.together) and load(planned.trial.backend).unsupported(planned.trial) is None


def check_until(plan: Plan, statistics: Statistics) -> None:
    """Raise RequestError where no seeds can be added, or where more might be than a sweep or a seed allows."""
    if plan.until is None:
        return
    until, together = plan.until, [planned for planned in plan.trials if planned.together]
    asked = f"until is {CLAIMS if until.half_width is None else f'{until.half_width:g}'}"
    if until.half_width is None and not plan.claims:
        raise RequestError(f"{asked}, and there is none; allowed is that with an experiment that has a [[claim]]")
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

    As many as the interval takes at the widest trial's rate, but never more than doubles the seeds, because
    the rate itself is not known yet; and those that follow the greatest that any trial has. That the width of an
    interval decides when to stop leaves its confidence as it was, for narrow ones (Chow and Robbins 1965).
    """
    assert until.half_width is not None
    widths = [float(statistics.half_width(count, len(planned.together))) for planned, count in solved]
    wide = sum(width > until.half_width for width in widths)
    trials = [planned for planned, _ in solved]
    room = _room(trials, until)
    if not wide or room <= 0:
        return replace(until, open=wide, stopped_by=MAX_SEEDS if wide else INTERVAL), range(0)
    widest, count = solved[max(range(len(widths)), key=widths.__getitem__)]
    size = len(widest.together)
    more = max(statistics.seeds_for_half_width(count / size, until.half_width) - size, 1)
    return replace(until, open=wide, rounds=until.rounds + 1), _next_seeds(trials, min(more, room))


def next_look(trials: Sequence[PlannedTrial], until: Until, undecided: int) -> tuple[Until, range]:
    """Return what is known of claims, of which so many are undecided, and the seeds to add to each trial.

    As many as there are: that the number does not depend on what was seen keeps the error of all looks together.
    """
    room = _room(trials, until)
    if not undecided or not trials or room <= 0:
        return replace(until, open=undecided, stopped_by=MAX_SEEDS if undecided else CLAIMS), range(0)
    return replace(until, open=undecided, rounds=until.rounds + 1), _next_seeds(trials, room)


def _room(trials: Sequence[PlannedTrial], until: Until) -> int:
    """Return how many more seeds a trial may have."""
    return MAX_SEED if until.max_seeds is None or not trials else until.max_seeds - _most(trials)


def _next_seeds(trials: Sequence[PlannedTrial], more: int) -> range:
    """Return the seeds after the greatest that there is: so many, but never more than double them."""
    start = _last(trials) + 1
    return range(start, start + min(more, _most(trials)))


def _most(trials: Sequence[PlannedTrial]) -> int:
    return max(planned.trainings for planned in trials)


def _most_added(trials: Sequence[PlannedTrial], until: Until, statistics: Statistics) -> int:
    """Return how many seeds each trial gets at most: at no rate does an interval take more than at one half."""
    if until.half_width is None:
        return _room(trials, until)
    fewest = min(len(planned.together) for planned in trials)
    most = max(statistics.seeds_for_half_width(0.5, until.half_width) - fewest, 0)
    return most if until.max_seeds is None else min(most, _room(trials, until))


def _last(trials: Sequence[PlannedTrial]) -> int:
    return max(planned.seeds[-1] for planned in trials)


def _added(until: Until, of: int, seeds: range) -> str:
    more = f"{len(seeds):,} more seed{'' if len(seeds) == 1 else 's'} for each trial, from {seeds[0]}"
    return f"round {until.rounds}: {_open(until, of)}; {more}"


def _ended(until: Until, of: int) -> str:
    rounds = f"after {until.rounds} round{'' if until.rounds == 1 else 's'} of more seeds"
    if until.stopped_by == INTERVAL:
        return f"{rounds}, every solved rate is known to ± {until.half_width:g}"
    if until.stopped_by == CLAIMS:
        who = "the 1 claim about the grid is" if of == 1 else f"all {of:,} claims about the grid are"
        return f"{rounds}, {who} decided"
    return f"{rounds}, no more than {until.max_seeds:,} being allowed, {_open(until, of)}"


def _open(until: Until, of: int) -> str:
    if until.half_width is None:
        return f"{until.open:,} of {of:,} claims about the grid are undecided"
    return f"{until.open:,} of {of:,} solved rates are known less well than ± {until.half_width:g}"
