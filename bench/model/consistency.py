"""What the parameters of a trial must be to go together: constants of optimizers, schedules, outputs and targets."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.model.initial_table import InitialTable
from bench.model.network import OUTPUT_RANGES, weight_names
from bench.model.optimizer import OPTIMIZERS, takers
from bench.model.parameter_fields import Parameter

if TYPE_CHECKING:
    from bench.model.trial import Trial

CONSTANTS = tuple(dict.fromkeys(name for one in OPTIMIZERS.values() for name in one.takes))
ONLY_WITH = {  # a parameter that only some values of another take, and what of it they need
    "schedule_length": ("schedule", ("cosine", "step", "warmup"), True),
    "schedule_factor": ("schedule", ("step",), False),
    "batch_size": ("update", ("minibatch",), True),
    "shuffle": ("update", ("online", "minibatch"), False),
    "success_loss": ("success", ("loss",), True),
    "init_table": ("init", ("table",), True),
}
OF_STEPS = ("learning_rate", "momentum", "update", "batch_size", "shuffle", "slope_offset", "iterations", "stop")


def problems_of(trial: "Trial", parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """Yield a sentence for everything that does not go together: what, got, allowed."""
    yield from _constants(trial, parameters)
    yield from _pairs(trial, parameters)
    yield from _sizes(trial)
    yield from _outputs(trial)


def _constants(trial: "Trial", parameters: Mapping[str, Parameter]) -> Iterator[str]:
    optimizer = OPTIMIZERS[trial.optimizer]
    for name in CONSTANTS:
        value = getattr(trial, name)
        if name not in optimizer.takes and value != parameters[name].default:
            others = ", ".join(takers(name))
            yield f"{name} is {written(value)} with optimizer = {trial.optimizer}; allowed is that with {others}"


def _pairs(trial: "Trial", parameters: Mapping[str, Parameter]) -> Iterator[str]:
    for name, (of, values, needed) in ONLY_WITH.items():
        value, other, default = getattr(trial, name), getattr(trial, of), parameters[name].default
        if other in values and needed and value == default:
            is_number = isinstance(default, int | float)
            without = f"and {name} is {value:g}" if is_number else f"without {name}"
            more = f" above {default:g}" if is_number else ", the path of a .csv file"
            yield f"{of} is {other} {without}; allowed is that with {name}{more}"
        elif other not in values and value != default:
            yield f"{name} is {written(value)} with {of} = {other}; allowed is that with {of} = {' or '.join(values)}"


def _sizes(trial: "Trial") -> Iterator[str]:
    if trial.init_low >= trial.init_high:
        of = "" if trial.init == "uniform" else f"; both belong to init = uniform, and init is {trial.init}"
        yield f"init_low is {trial.init_low:g}; allowed are numbers below init_high, {trial.init_high:g}{of}"
    if trial.target_low >= trial.target_high:
        yield f"target_low is {trial.target_low:g}; allowed are numbers below target_high, {trial.target_high:g}"
    apart = trial.target_high - trial.target_low
    has_both = _is_logical(trial) and len(np.unique(trial.gate.targets)) == 2
    if trial.success == "tolerance" and 0 < apart <= 2 * trial.tolerance and has_both:
        which = f"with targets of {trial.target_low:g} and {trial.target_high:g}"
        yield f"tolerance is {trial.tolerance:g} {which}; allowed are numbers below {apart / 2:g}, half of that"
    if trial.step_min > trial.step_max:
        yield f"step_min is {trial.step_min:g}; allowed are numbers up to step_max, {trial.step_max:g}"
    if isinstance(trial.init_table, InitialTable):
        yield from _columns(trial, trial.init_table)
    observations = len(trial.gate.inputs)
    if trial.batch_size > observations:
        yield f"batch_size is {trial.batch_size}; allowed for gate {trial.gate.name} are 1 to {observations}"
    for name in ("shortcuts", "dropout"):
        if getattr(trial, name) and not trial.hidden:
            yield f"{name} is {written(getattr(trial, name))} with hidden = 0; allowed is that with hidden layers"


def _columns(trial: "Trial", table: InitialTable) -> Iterator[str]:
    names = weight_names(trial.network)
    missing = [name for name in names if name not in table.columns]
    others = [name for name in table.columns if name not in names]
    found = [f"has no column {', '.join(missing)}"] * bool(missing)
    which = "no weight" if len(others) == 1 else "no weights"
    found += [f"has {', '.join(others)}, {which} of this network"] * bool(others)
    if found:
        yield f"init_table {table.name!r} {' and '.join(found)}; allowed is a column for each weight, and seed"
    if beyond := table.beyond(trial.dtype, trial.init_scale):
        row, column = beyond
        cell = f"init_table {table.name!r}, row {row + 1}, column {table.columns[column]!r}"
        times = "" if trial.init_scale == 1 else f", times init_scale {trial.init_scale:g}"
        most = f"{np.finfo(trial.dtype).max:.4g}"
        yield f"{cell}: got {table.weights_SP[row, column]:g}{times}; allowed in {trial.dtype} are -{most} to {most}"


def _is_logical(trial: "Trial") -> bool:
    """Whether a trial's gate says 0 and 1, and nothing between."""
    return bool(np.isin(trial.gate.targets, (0, 1)).all())


def _outputs(trial: "Trial") -> Iterator[str]:
    low, high = OUTPUT_RANGES[trial.output]
    outside = trial.targets[~((trial.targets >= low) & (trial.targets <= high))]
    if outside.size:
        what = f"gate {trial.gate.name!r} has the output {outside[0]:g}"
        yield f"{what}; allowed with output = {trial.output} are numbers from {low:g} to {high:g}"
    if trial.loss == "bce" and trial.output != "sigmoid":
        yield f"loss is bce with output = {trial.output}; allowed is that with output = sigmoid"
    if not _is_logical(trial):
        asked = [f"label_flips is {trial.label_flips:g}"] * bool(trial.label_flips)
        asked += ["success is correct"] * (trial.success == "correct")
        for one in asked:
            yield f"{one} for gate {trial.gate.name}; allowed is that where outputs are 0 and 1"


# ------------------------------------------------------------------ what changes nothing


def without_effect(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that change nothing of a trial, whatever they are: each with why, and what is allowed.

    Those of optimizers, and those that only some values of another take, are refused by `problems_of`. Of the extra
    parameters, those that are not their default are enough.
    """
    found: dict[str, str] = {}
    optimizer, success, most = parameters.get("optimizer", "sgd"), parameters.get("success", "tolerance"), 1
    if optimizer == "none":
        found |= dict.fromkeys(OF_STEPS, "with optimizer = none, which trains nothing; allowed is that with others")
        looks = "optimizer = none, which looks once"
    else:
        most, looks = int(parameters["iterations"]), f"iterations = {parameters['iterations']}"
    if str(parameters["hidden"]) == "0":
        found["learning_rate_output"] = "with hidden = 0; allowed is that with hidden layers"
        if parameters.get("frozen") != "biases":
            found["frozen"] = "with hidden = 0; allowed are hidden layers, and biases"
    if success != "tolerance":
        found["tolerance"] = f"with success = {success}; allowed is that with success = tolerance"
    if parameters.get("success_for", 1) > most:  # nothing could be solved
        found["success_for"] = f"with {looks}; allowed are whole numbers from 1 to {most:,}"
    return found


def without_effect_in_all(trials: Iterable["Trial"], given: Collection[str]) -> dict[str, str]:
    """Return those of the given parameters that change nothing of any of these trials, with reasons of one of them."""
    found = dict.fromkeys(given, "")
    for trial in trials:
        own = without_effect(trial.parameters)
        found = {name: own[name] for name in found if name in own}
        if not found:
            break
    return found


def written(value: object) -> str:
    """Write a value of a parameter as its user would: true, 0.5, sgd."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
