"""What a sweep keeps of its plan: all that is needed to read it without the experiment's file."""

from typing import Any

from bench.config.experiment import Experiment
from bench.config.plan import Plan
from bench.config.search_state import BLOCKS, Proposals
from bench.config.seeds import write_seeds
from bench.config.until import until_row
from bench.metrics import columns as c


def plan_json(experiment: Experiment, plan: Plan) -> dict[str, Any]:
    """Return the document that a sweep keeps of its plan."""
    gates = {planned.trial.gate.digest: planned.trial.gate for planned in plan.trials}
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "about": experiment.about,
        "command": experiment.command,
        "blocks": [*(block.title for block in experiment.blocks), *(BLOCKS if experiment.search else ())],
        "duplicates": plan.duplicates,
        "until": until_row(plan.until),
        "gates": {
            digest: {"name": gate.name, "inputs": gate.inputs.tolist(), "targets": gate.targets.tolist()}
            for digest, gate in gates.items()
        },
        "trials": [
            {
                c.TRIAL_ID: planned.trial.trial_id,
                "blocks": planned.blocks,
                "seeds": write_seeds(planned.seeds),
                "trainings": planned.trainings,
                "weights": planned.trial.network.parameters,
                "table": planned.trial.gate.digest,
                "parameters": planned.trial.parameters,
            }
            for planned in plan.trials
        ],
        "timings": [
            {
                c.TRIAL_ID: timing.trial.trial_id,
                c.SEEDS: write_seeds(timing.seeds),
                c.TOGETHER: len(timing.seeds),
                "rounds": timing.rounds,
            }
            for timing in plan.timings
        ],
        "search": search_row(experiment, plan),
        "claims_left_out": experiment.claims_left_out,
        "claims": [
            {
                "claim": planned.claim.model_dump(by_alias=True, exclude_none=True),
                "trials": planned.trials,
                "than": planned.than,
            }
            for planned in plan.claims
        ],
    }


def search_row(experiment: Experiment, plan: Plan) -> dict[str, Any] | None:
    """Return what a sweep keeps of its search: what was asked, and what was proposed so far."""
    if plan.search is None:
        return None
    names = ("search", "held_out", "repeated")
    places = {name: len(experiment.blocks) + place for place, name in enumerate(names)}
    proposed = plan.proposals.row if plan.proposals else Proposals(()).row
    return {**plan.search.row, "blocks": places, **proposed}
