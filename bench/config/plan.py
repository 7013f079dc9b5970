"""The plan of a sweep: every trial with the seeds it is to be trained with."""

import hashlib
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bench.config.claims import (
    BEST,
    CLAIM,
    INPUTS,
    REFERENCE,
    TIMES,
    Claim,
    Comparison,
    Equivalence,
    FigureClaim,
    TrainingClaim,
)
from bench.config.experiment import Experiment
from bench.config.ranges import Linked
from bench.config.search_config import Search
from bench.config.search_state import BLOCKS, Proposals
from bench.config.seeds import Until, compact, read_seeds, until_row, write_seeds
from bench.config.values import MOST_TRAININGS, MOST_TRIALS, given_in_vain, read_table, write_value
from bench.errors import RequestError, collecting, raising_all, unknown
from bench.model.consistency import without_effect_in_all
from bench.model.gate import Gate
from bench.model.initial_table import InitialTable
from bench.model.maps import Map
from bench.model.timing import Timing
from bench.model.trial import PARAMETERS, Trial, shown_parameters


@dataclass(frozen=True)
class Question:
    """The question that a sweep asks, in words, and the command that asks it again."""

    experiment: str = ""
    title: str = ""
    about: str = ""
    command: str = ""
    blocks: tuple[str, ...] = ("",)  # the titles of the grid's blocks
    claims_left_out: bool = False
    parameter: str = ""  # that it is about, where its file says so


@dataclass(frozen=True)
class PlannedTrial:
    """A trial, the blocks that name it, and its seeds: those trained together and those trained alone."""

    trial: Trial
    blocks: tuple[int, ...]
    together: Sequence[int]
    alone: Sequence[int]

    @property
    def trainings(self) -> int:
        """How many trainings are planned."""
        return len(self.together) + len(self.alone)

    def with_seeds(self, more: "PlannedTrial") -> "PlannedTrial":
        """Return the same trial with the blocks and seeds of both; what either trains alone is not trained together."""
        blocks = tuple(dict.fromkeys((*self.blocks, *more.blocks)))
        alone = _union(self.alone, more.alone)
        return PlannedTrial(self.trial, blocks, _minus(_union(self.together, more.together), alone), alone)

    @property
    def seeds(self) -> Sequence[int]:
        """All planned seeds in order."""
        return _union(self.together, self.alone)


@dataclass(frozen=True)
class PlannedClaim:
    """A claim with the ids of the trials that it is about, and of those that it compares them with.

    One about a search's winner has ``seeds``, the held-out ones, and its trials once they are known. ``along`` has for
    each of its trials the value of the parameter that a claim about a shape or a growth goes along.
    """

    claim: Claim
    trials: tuple[str, ...]
    than: tuple[str, ...] = ()
    seeds: Sequence[int] | None = None
    along: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Every training of a sweep, none left out and none twice."""

    trials: tuple[PlannedTrial, ...]
    duplicates: int
    claims: tuple[PlannedClaim, ...] = ()
    search: Search | None = None
    timings: tuple[Timing, ...] = ()
    until: Until | None = None
    proposals: Proposals | None = None  # of the search, so far
    maps: tuple[Map, ...] = ()
    question: Question = Question()

    @property
    def blocks(self) -> tuple[str, ...]:
        """The titles of all blocks: the grid's, then those of the search."""
        return (*self.question.blocks, *(BLOCKS if self.search else ()))

    def block(self, name: str) -> int:
        """Return the place of one of the search's blocks: they come after the grid's."""
        return len(self.question.blocks) + BLOCKS.index(name)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that its tables have: the basic ones, and those that some trial sets."""
        return shown_parameters([planned.trial for planned in self.trials])

    @property
    def claims_now(self) -> tuple[PlannedClaim, ...]:
        """The claims, those about a search's winner with the trials that are known by now."""
        return tuple(self._resolved(planned) for planned in self.claims)

    @property
    def look(self) -> int:
        """How often its claims have been looked at, see `Until.look`."""
        return self.until.look if self.until else 0

    def _resolved(self, planned: PlannedClaim) -> PlannedClaim:
        if self.search is None or planned.seeds is None:
            return planned
        winners = self.proposals.winners if self.proposals else ()
        trials = {one.rank: one.trial_id for one in winners if one.study == 0}
        known = trials.get(planned.claim.where[BEST])
        return replace(planned, trials=(known,) if known else (), seeds=self.search.held_out)

    @property
    def combination_titles(self) -> dict[str, str]:
        """What the best of each combination of a search is called, by its trial; none before they are known."""
        if self.search is None or self.proposals is None or not self.search.each:
            return {}
        return {one.trial_id: self.search.each[one.study].title for one in self.proposals.winners}

    @property
    def trainings(self) -> int:
        """How many trainings are planned."""
        return sum(planned.trainings for planned in self.trials)

    @property
    def expected_trials(self) -> int:
        """How many trials there will be once a search has proposed its own, each another."""
        return len(self.trials) + (self.search.expected_trials if self.search and not self.proposals else 0)

    @property
    def expected_trainings(self) -> int:
        """How many trainings there will be once a search has proposed its trials, each another, and pruned none."""
        return self.trainings + (self.search.expected_trainings if self.search and not self.proposals else 0)

    @property
    def points(self) -> int:
        """How many trainings the points of all maps are; they are no rows of the sweep's trainings."""
        return sum(one.points for one in self.maps)

    @property
    def iterations(self) -> int:
        """How many iterations are planned, every round of every timing included, and every point of every map."""
        together = sum(len(planned.together) * planned.trial.iterations for planned in self.trials)
        timed = sum(len(t.seeds) * t.rounds * t.trial.iterations for t in self.timings)
        return together + timed + sum(one.iterations for one in self.maps)

    @property
    def expected_iterations(self) -> int:
        """How many iterations there will be at most, those of a search's trainings included."""
        return self.iterations + (self.search.expected_iterations if self.search and not self.proposals else 0)

    def extended(self, more: Sequence[PlannedTrial], proposals: Proposals) -> "Plan":
        """Return this plan with further trials, and with further seeds and blocks of those that it has already."""
        trials = {planned.trial.trial_id: planned for planned in self.trials}
        for planned in more:
            known = trials.get(planned.trial.trial_id)
            trials[planned.trial.trial_id] = known.with_seeds(planned) if known else planned
        return replace(self, trials=tuple(trials.values()), proposals=proposals)

    def grown(self, trial_ids: Collection[str], seeds: range, until: Until) -> "Plan":
        """Return this plan with further seeds, greater than any they have, for some trials: trained together."""
        trials = (
            replace(p, together=_followed(p.together, seeds)) if p.trial.trial_id in trial_ids else p
            for p in self.trials
        )
        return replace(self, trials=tuple(trials), until=until)

    def to_json(self) -> dict[str, Any]:
        """Return the document that a sweep keeps of its plan: it can be read without the experiment's file."""
        return _document(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Plan":
        """Return the plan of such a document; its trials have the names that they had when it was written."""
        return _read(document)

    def extends(self, search: Search | None, plan_id: str) -> bool:
        """Return whether it asks the same as a plan of that id with that search, but for more of the search's trials.

        A search whose time was up may be given more of it.
        """
        if self.search is None or search is None or self.search.trials < search.trials:
            return False
        before = replace(self.search, trials=search.trials, timeout_s=search.timeout_s)
        return before != self.search and replace(self, search=before).plan_id == plan_id

    @property
    def plan_id(self) -> str:
        """A hash of what is to be trained: the same request gives the same, however it was written."""
        searched = [self.search.digest] if self.search else []
        lines = searched + sorted(
            f"{planned.trial.trial_id} {write_seeds(planned.together)} {write_seeds(planned.alone)}"
            for planned in self.trials
        )
        lines += sorted(f"{t.trial.trial_id} {write_seeds(t.seeds)} x {t.rounds}" for t in self.timings)
        lines += sorted(f"map {one.map_id}" for one in self.maps)
        lines += self.until.request if self.until else []
        if self.until and self.until.half_width is None:  # which seeds there are depends on them
            lines += sorted(planned.claim.model_dump_json() for planned in self.claims)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def make_plan(experiment: Experiment) -> Plan:
    """Multiply out every block; trainings that several blocks or values name are planned once and counted.

    A training named by an ``alone`` block is trained alone, whoever else names it. Each trial of such a block is a
    timing; one that several blocks name is taken once, in as many rounds as the most of them ask for.
    """
    grid, search = experiment.blocks, experiment.search
    counts = [math.prod(map(len, block.axes.values())) for block in grid]  # nothing of it is made yet
    size = sum(count * len(block.seeds) for count, block in zip(counts, grid, strict=True))
    if sum(counts) > MOST_TRIALS:
        given = f"{sum(counts):,} trials of {size:,} trainings are asked for"
        raise RequestError(f"{given}; allowed in one sweep are {MOST_TRIALS:,} trials")
    size += search.expected_trainings if search else 0
    size += sum(one.points for one in experiment.maps)
    if size > MOST_TRAININGS:
        raise RequestError(f"{size:,} trainings are asked for; allowed in one sweep are {MOST_TRAININGS:,}")
    planned: dict[str, PlannedTrial] = {}
    timings: dict[tuple[str, str], Timing] = {}
    total = 0
    with raising_all() as problems:
        for place, block in enumerate(grid):
            names = [name for name in PARAMETERS if name in block.axes]
            made: list[Trial] = []
            for values in itertools.product(*(block.axes[name] for name in names)):
                with collecting(problems, block.source):
                    trial = Trial(**_resolved(dict(zip(names, values, strict=True))))
                    made.append(trial)
                    _check_table(trial, block.seeds, experiment)
                    together, alone = ((), block.seeds) if block.alone else (block.seeds, ())
                    new = PlannedTrial(trial, (place,), together, alone)
                    known = planned.get(trial.trial_id)
                    planned[trial.trial_id] = known.with_seeds(new) if known else new
                    total += len(block.seeds)
                    if block.alone:
                        key = (trial.trial_id, write_seeds(block.seeds))
                        rounds = max(block.rounds, timings[key].rounds if key in timings else 0)
                        timings[key] = Timing(planned[trial.trial_id].trial, block.seeds, rounds)
            if not problems:  # one that is refused might have had an effect
                reasons = without_effect_in_all(made, block.given)
                problems += [f"{block.source}{problem}" for problem in given_in_vain(block.axes, reasons)]
    trials = tuple(planned.values())
    maps = tuple({one.map_id: one for one in reversed(experiment.maps)}.values())[::-1]  # of two alike, the first
    of_maps = [one.trial.gate for one in maps]
    _check_names("gate", [*(one.trial.gate for one in trials), *([search.gate] if search else []), *of_maps])
    _check_names("init_table", _tables(trials, maps))
    if search and (search.default("init_table") or "init_table" in search.space):
        raise RequestError("init is table in a [search]; allowed is that in a [[grid]] and in a [[map]]")
    return Plan(
        trials,
        duplicates=total - sum(one.trainings for one in trials),
        claims=plan_claims(experiment.claims, trials, experiment.search, len(maps)),
        search=search,
        timings=tuple(timings.values()),
        until=experiment.until,
        maps=maps,
        question=Question(
            experiment.name,
            experiment.title,
            experiment.about,
            experiment.command,
            tuple(block.title for block in grid),
            experiment.claims_left_out,
            experiment.parameter,
        ),
    )


def _resolved(values: dict[str, Any]) -> dict[str, Any]:
    """Return a combination of values of which those that follow from the gate are numbers."""
    linked = {name: value for name, value in values.items() if isinstance(value, Linked)}
    gate = values.get("gate", Trial().gate) if linked else None
    return {**values, **{name: value.value(gate) for name, value in linked.items() if gate}}


def _tables(trials: Sequence[PlannedTrial], maps: Sequence[Map]) -> list[InitialTable]:
    """Return the tables of initial weights that trials have, and those of maps."""
    found = [*(one.trial.init_table for one in trials), *(one.trial.init_table for one in maps)]
    return [one for one in found if isinstance(one, InitialTable)]


def _check_table(trial: Trial, seeds: Sequence[int], experiment: Experiment) -> None:
    """Raise RequestError where a trial's table of initial weights has no row of some seed."""
    if trial.init == "table":
        trial.initial_weights(seeds)
        if experiment.until:
            raise RequestError("init is table with until; allowed is that without, since a table has no further seeds")


def _check_names(what: str, some: Sequence[Gate | InitialTable]) -> None:
    """Raise RequestError where one name stands for two tables: nothing could tell their trials apart."""
    tables: dict[str, set[str]] = {}
    for one in some:
        tables.setdefault(one.name, set()).add(one.digest)
    doubled = [name for name, found in tables.items() if len(found) > 1]
    if doubled:
        raise RequestError(*(f"{what} {name!r} names {len(tables[name])} tables; allowed is one" for name in doubled))


def _union(some: Sequence[int], others: Sequence[int]) -> Sequence[int]:
    """Return the seeds of both, sorted and distinct; where there are no others, they are taken as they are."""
    return compact(sorted({*some, *others})) if len(some) and len(others) and some != others else some or others


def _minus(seeds: Sequence[int], others: Sequence[int]) -> Sequence[int]:
    return compact(sorted(set(seeds).difference(others))) if others else seeds


def _followed(seeds: Sequence[int], more: range) -> Sequence[int]:
    """Return seeds and those after them; of ranges that meet, nothing is written out."""
    if isinstance(seeds, range) and seeds.stop == more.start:
        return range(seeds.start, more.stop)
    return (*seeds, *more) if more else seeds


# ------------------------------------------------------------------ claims


def plan_claims(
    claims: Sequence[tuple[Claim, range]], trials: Sequence[PlannedTrial], search: Search | None = None, maps: int = 0
) -> tuple[PlannedClaim, ...]:
    """Find the trials of every claim; raise RequestError for all selections that are wrong or select nothing."""
    with raising_all() as problems:
        return tuple(_planned_claim(claim, own, trials, search, problems, maps) for claim, own in claims)


def _figure_problems(planned: PlannedClaim) -> Iterator[str]:
    """Yield what is wrong with a figure: of times over several trials, or along a parameter with one number or none."""
    claim = planned.claim
    if not isinstance(claim, FigureClaim):
        return
    several = max(len(planned.trials), len(planned.than))
    is_time, values = claim.figure in TIMES, len(set(planned.along))
    if is_time and claim.along is None and several > 1:
        yield f"claim {claim.id!r} selects {several} trials; allowed for {claim.figure} is one"
    if claim.along is not None and claim.along not in (*PARAMETERS, INPUTS):
        yield f"claim {claim.id!r}: along: {unknown('parameter', claim.along, [*PARAMETERS, INPUTS])}"
    elif claim.along is not None and (values < 2 or (is_time and values < several)):
        one = ", one trial for each" if is_time else ""
        yield f"claim {claim.id!r} goes along {claim.along}; allowed are two numbers of it and more{one}"


def _along(claim: Claim, chosen: Sequence[str], trials: Sequence[PlannedTrial]) -> tuple[float, ...]:
    """Return the value of each chosen trial along which a claim goes; nothing where it is no number."""
    name = claim.along if isinstance(claim, FigureClaim) else None
    if name is None or (name != INPUTS and (name not in PARAMETERS or PARAMETERS[name].number is None)):
        return ()
    known = {one.trial.trial_id: one.trial for one in trials if one.trial.trial_id in chosen}
    values = {key: one.gate.inputs.shape[1] if name == INPUTS else one.parameters[name] for key, one in known.items()}
    return tuple(float(values[key]) for key in chosen)


def _planned_claim(
    claim: Claim,
    own: range,
    trials: Sequence[PlannedTrial],
    search: Search | None,
    problems: list[str],
    maps: int,
) -> PlannedClaim:
    if isinstance(claim, FigureClaim) and claim.map is not None:
        if claim.map > maps:
            problems.append(
                f"claim {claim.id!r} is about map {claim.map}; allowed are those of its file, {maps or 'none'}"
            )
        return PlannedClaim(claim, ())
    than = claim.than if isinstance(claim, Comparison | Equivalence | FigureClaim) else None
    if BEST not in claim.where:
        others = () if than is None else _chosen(claim, than, own, trials, problems)
        chosen = _chosen(claim, claim.where, own, trials, problems)
        planned = PlannedClaim(claim, chosen, others, along=_along(claim, chosen, trials))
        problems += _figure_problems(planned) if chosen else []
        return planned
    others = () if than is None else _reference(claim, than, search, problems)
    is_one = search and search.validate and len(search.objectives) == 1 and not search.each
    allowed = search.best if search and is_one else 0
    needed = "without [search.each]" if search and search.each else "with held-out seeds and one objective"
    rank = claim.where[BEST]
    if set(claim.where) != {BEST} or type(rank) is not int or not 1 <= rank <= allowed:
        ranks = f"{{ best = 1 }} to {{ best = {allowed} }}" if allowed else f"that {needed}"
        problems.append(f"claim {claim.id!r} selects {dict(claim.where)} of the search; allowed is {ranks}")
    if isinstance(claim, TrainingClaim):
        problems.append(f"claim {claim.id!r} is about one training of the search's best; allowed are shares over seeds")
    if isinstance(claim, Comparison) and claim.measure == "iteration_us":
        problems.append(f"claim {claim.id!r} compares iteration_us; allowed are trials of a grid with alone = true")
    return PlannedClaim(claim, (), others, search.held_out if search else ())


def _reference(claim: Claim, than: Mapping[str, Any], search: Search | None, problems: list[str]) -> tuple[str, ...]:
    """Return the id of the search's reference of that title."""
    known = {one.title: one.trial.trial_id for one in search.references} if search else {}
    if set(than) != {REFERENCE} or than[REFERENCE] not in known:
        titles = " or ".join(f"{{ {REFERENCE} = {title!r} }}" for title in known) or "that with a [[search.reference]]"
        problems.append(f"claim {claim.id!r} compares with {dict(than)}; allowed beside {{ best = … }} is {titles}")
        return ()
    return (known[than[REFERENCE]],)


def _chosen(
    claim: Claim, where: Mapping[str, Any], own: range, trials: Sequence[PlannedTrial], problems: list[str]
) -> tuple[str, ...]:
    """Return the ids of the trials, named by the claim's own blocks, that have the selected parameters."""
    wanted = read_table(where, dict.fromkeys(PARAMETERS, _read_selected), f"claim {claim.id!r}: ", problems)
    if None in wanted.values():
        return ()
    chosen = [p for p in trials if not set(own).isdisjoint(p.blocks) and _matches(p.trial, wanted)]
    seed = claim.seed if isinstance(claim, TrainingClaim) else None
    if isinstance(claim, Comparison) and claim.measure == "iteration_us" and any(p.together for p in chosen):
        problems.append(f"claim {claim.id!r} compares iteration_us; allowed are trials of a grid with alone = true")
    if not chosen:
        problems.append(f"claim {claim.id!r} selects no trial with {dict(where)}; allowed is one that its grid has")
    elif seed is not None and len(chosen) > 1:
        problems.append(
            f"claim {claim.id!r} selects {len(chosen)} trials with {dict(where)}; allowed with a seed is one"
        )
    elif seed is not None and seed not in chosen[0].seeds:
        problems.append(f"claim {claim.id!r} has the seed {seed}; allowed is one of {write_seeds(chosen[0].seeds)}")
    return tuple(p.trial.trial_id for p in chosen)


def _matches(trial: Trial, wanted: Mapping[str, Any]) -> bool:
    return all(
        trial.parameters[name] in (value if isinstance(value, list) else [value]) for name, value in wanted.items()
    )


def _read_selected(name: str, value: Any) -> Any:
    """Read one value or a list as `Trial.parameters` has it: 3 and "3" select the same hidden layers."""
    if isinstance(value, list):
        return [_read_selected(name, item) for item in value]
    if name == "gate":
        return value  # a name: a .csv gate's is its file's
    found = PARAMETERS[name].read(value)
    return write_value(found) if name == "hidden" else found


# ------------------------------------------------------------------ as a document


def _document(plan: Plan) -> dict[str, Any]:
    others = [*([plan.search.gate] if plan.search else []), *(one.trial.gate for one in plan.maps)]
    gates: dict[str, Gate] = {}
    for gate in (*(planned.trial.gate for planned in plan.trials), *others):
        known = gates.setdefault(gate.digest, gate)
        if known.name != gate.name:  # the same table by another name
            gates[f"{gate.digest} {gate.name}"] = gate
    return {
        **vars(plan.question),
        "blocks": list(plan.blocks),
        "duplicates": plan.duplicates,
        "until": until_row(plan.until),
        "gates": {
            digest: {"name": gate.name, "inputs": gate.inputs.tolist(), "targets": gate.targets.tolist()}
            for digest, gate in gates.items()
        },
        **_tables_document(plan),
        "trials": [
            {
                "trial_id": planned.trial.trial_id,
                "blocks": planned.blocks,
                "seeds": write_seeds(planned.seeds),
                "alone": write_seeds(planned.alone),
                "trainings": planned.trainings,
                "weights": planned.trial.network.parameters,
                "table": planned.trial.gate.digest,
                "parameters": planned.trial.content,
                **planned.trial.kept_table,
            }
            for planned in plan.trials
        ],
        "timings": [
            {
                "trial_id": timing.trial.trial_id,
                "seeds": write_seeds(timing.seeds),
                "together": len(timing.seeds),
                "rounds": timing.rounds,
            }
            for timing in plan.timings
        ],
        "search": _search_document(plan.search, plan) if plan.search else None,
        "maps": [one.to_json() for one in plan.maps],
        "claims": [
            {
                "claim": planned.claim.model_dump(by_alias=True, exclude_none=True),
                "trials": planned.trials,
                "than": planned.than,
            }
            for planned in plan.claims
        ],
    }


def _tables_document(plan: Plan) -> dict[str, Any]:
    """Return the tables of initial weights, if there are any, by their digests."""
    found = {one.digest: one for one in _tables(plan.trials, plan.maps)}
    rows = {
        digest: {
            "name": one.name,
            "columns": list(one.columns),
            "seeds": one.seeds_S.tolist(),
            "weights": one.weights_SP.tolist(),
        }
        for digest, one in found.items()
    }
    return {"init_tables": rows} if rows else {}


def _read_until(row: Mapping[str, Any] | None) -> Until | None:
    # the number of what is still open was called "wide"
    return Until(**{"open" if name == "wide" else name: value for name, value in row.items()}) if row else None


def _search_document(search: Search, plan: Plan) -> dict[str, Any]:
    places = {name: plan.block(block) for name, block in zip(("search", "held_out", "repeated"), BLOCKS, strict=True)}
    return {**search.row, "fixed": search.fixed_row, "blocks": places, **(plan.proposals or Proposals(())).row}


def _read(document: Mapping[str, Any]) -> Plan:
    gates = {
        digest: Gate(one["name"], np.array(one["inputs"], dtype=float), np.array(one["targets"], dtype=float))
        for digest, one in document["gates"].items()
    }
    named = {gate.name: gate for gate in gates.values()}
    for row in (*document["trials"], *document.get("maps", ())):  # gates of several names may share a table
        name, table = row["parameters"]["gate"], gates[row["table"]]
        if name not in named:
            named[name] = table if table.name == name else replace(table, name=name)
    tables = {
        digest: InitialTable(
            one["name"], tuple(one["columns"]), np.array(one["seeds"], np.int64), np.array(one["weights"], dtype=float)
        )
        for digest, one in document.get("init_tables", {}).items()
    }
    planned = {row["trial_id"]: _planned_trial(row, named, tables) for row in document["trials"]}
    trials = {name: one.trial for name, one in planned.items()}
    search = document["search"]
    own = tuple(planned.values())
    claims = [(CLAIM.validate_python(row["claim"]), row) for row in document["claims"]]
    return Plan(
        trials=own,
        duplicates=document["duplicates"],
        claims=tuple(
            PlannedClaim(
                claim,
                tuple(row["trials"]),
                tuple(row["than"]),
                () if BEST in claim.where else None,
                _along(claim, row["trials"], own),
            )
            for claim, row in claims
        ),
        search=Search.from_json(search, trials, named) if search else None,
        timings=tuple(
            Timing(trials[row["trial_id"]], read_seeds(row["seeds"]), row["rounds"]) for row in document["timings"]
        ),
        until=_read_until(document["until"]),
        proposals=Proposals.from_json(search) if search else None,
        maps=tuple(Map.from_json(row, named, tables) for row in document.get("maps", ())),
        question=Question(
            **{name: document[name] for name in vars(Question()) if name != "blocks" and name in document},
            blocks=tuple(document["blocks"][: -len(BLOCKS)] if search else document["blocks"]),
        ),
    )


def _planned_trial(
    row: Mapping[str, Any], gates: Mapping[str, Gate], tables: Mapping[str, InitialTable]
) -> PlannedTrial:
    table = tables[row["init_table"]] if "init_table" in row else None
    trial = Trial.stored(row["parameters"], gates[row["parameters"]["gate"]], table)
    trial.__dict__["trial_id"] = row["trial_id"]  # as it was named then, with the parameters that there were
    alone = read_seeds(row["alone"]) if row.get("alone") else ()
    return PlannedTrial(trial, tuple(row["blocks"]), _minus(read_seeds(row["seeds"]), alone), alone)
