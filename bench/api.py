"""What ``import bench`` offers: carry a sweep out, load one, train from initial weights of one's own."""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack, get_args

from bench.errors import RequestError, before_any_work, collecting, raising_all

if TYPE_CHECKING:
    from bench.model.outcome import Batch, Outcome
    from bench.model.trial import Trial
    from bench.results import Sweep
    from bench.running.progress import SweepProgress
    from bench.running.work import Work

T = TypeVar("T")
Many: TypeAlias = T | Iterable[T]
Numbers: TypeAlias = float | str | Iterable[float]  # a text is a range: "0.01..10:log:50"
Seeds: TypeAlias = int | str | Iterable[int]
Runs = Literal["auto", "trial", "training"]


class Parameters(TypedDict, total=False):
    """What a sweep takes by name: the parameters of a trial, each with a value or several, and what goes with them."""

    gate: Many[str | Path]
    hidden: Many[int | str | tuple[int, ...]]
    activation: Many[str]
    hidden_bias: Many[bool]
    output_bias: Many[bool]
    init: Many[str]
    init_bias: Many[str]
    init_low: Numbers
    init_high: Numbers
    init_scale: Numbers
    draws_before: Numbers
    loss: Many[str]
    reduction: Many[str]
    learning_rate: Numbers
    momentum: Numbers
    update: Many[str]
    iterations: Numbers
    stop: Many[str]
    tolerance: Numbers
    curve_points: Numbers
    dtype: Many[str]
    summation: Many[str]
    backend: Many[str]
    device: Many[str]
    encoding: Many[str]
    target_low: Numbers
    target_high: Numbers
    output: Many[str]
    shortcuts: Many[bool]
    init_table: Many[str]
    optimizer: Many[str]
    beta1: Numbers
    beta2: Numbers
    alpha: Numbers
    epsilon: Numbers
    eta_minus: Numbers
    eta_plus: Numbers
    step_min: Numbers
    step_max: Numbers
    growth: Numbers
    kappa: Numbers
    phi: Numbers
    theta: Numbers
    learning_rate_output: Numbers
    weight_decay: Numbers
    clip: Numbers
    noise: Numbers
    label_flips: Numbers
    dropout: Numbers
    slope_offset: Numbers
    frozen: Many[str]
    schedule: Many[str]
    schedule_length: Numbers
    schedule_factor: Numbers
    batch_size: Numbers
    shuffle: Many[str]
    success: Many[str]
    success_loss: Numbers
    success_for: Numbers
    diagnostics: Many[bool]
    seeds: Seeds
    alone: bool
    rounds: int
    search: Mapping[str, Any]


def sweep(
    *question: str | Path | Mapping[str, Any],
    workers: int | None = None,
    executor: str = "auto",
    tracking_uri: str | None = None,
    resume: bool = False,
    until: float | Literal["claims"] | None = None,
    max_seeds: int | None = None,
    runs: Runs = "auto",
    budget_check: bool = True,
    fresh: bool = False,
    report: bool | str | Path = False,
    progress: bool | None = None,
    **parameters: Unpack[Parameters],
) -> "Sweep":
    """Train every seed of every configuration that is asked for, log to MLflow, and return what came of it.

    Args:
        *question: what the command line takes: ``"gate=xor"``, ``"hidden=2,3"``, a range for a search
            (``"hidden=2..16"``), an option of one (``"search.trials=200"``); and, before them, an experiment: its name,
            its path, or the content of its file as a dict (``{"grid": [{"hidden": [2, 3]}], "claim": [...]}``);
            nothing at all is the default experiment, ``"sensitivity"``
        workers: how many chunks are trained at a time; by default, as many as there are cores
        executor: auto, serial, threads, processes, dask (a cluster of its own), ``dask://HOST:PORT`` or
            ``tls://HOST:PORT``
        tracking_uri: the MLflow store; by default ``$MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``
        resume: go on with the unfinished sweep of the same request of which most is there
        until: add seeds, the same to every trial, until each solved rate is known to ± this (95 % interval), or until
            every claim is decided: ``"claims"``, with ``max_seeds``
        max_seeds: with ``until``: end when there are so many seeds of each trial
        runs: an MLflow run for each trial, or for each training as well; auto: for up to 100 trainings
        budget_check: train some of what is stuck on to ten times its budget, to say how much of it is only slow
        fresh: train everything, also what an earlier sweep of the store has trained with the same code
        report: write the report, where it is said or into ``reports/``, and keep it with the sweep in MLflow;
            `Sweep.report` writes it later
        progress: show it; by default, in a notebook and on a terminal
        **parameters: the same as words by their names, a value or several: ``gate="xor"``, ``hidden=[2, 3]``,
            ``hidden=[(4, 4), 3]`` (two layers, and one), ``learning_rate="0.01..10:log:50"`` (so many values);
            ``seeds=range(100)``, ``"0:100"``, ``[0, 3, 5]``, and 100 is one seed; ``alone`` and ``rounds`` for timings;
            ``search={"trials": 200}``

    Raises:
        RequestError: something of this is wrong; nothing was trained, and no sweep was begun
        KeyboardInterrupt: Ctrl-C; what was finished is written and in its ``sweep``, and ``resume=True`` goes on
        SweepError: the store failed on the way; the same holds. Where a server stayed away, the sweep has gone on
            in ``bench-spool`` in the working folder, and ``resume=True`` delivers it

    """
    started = time.monotonic()
    with before_any_work(), _without_widgets():
        from bench.lifecycle import Options, carry_out
        from bench.request import read_request

        experiment = read_request(question, parameters, until, max_seeds)
        _check(
            workers,
            runs,
            executor,
            tracking_uri,
            report,
            resume=resume,
            budget_check=budget_check,
            fresh=fresh,
            progress=False if progress is None else progress,
        )
    _say_of_one_seed(parameters.get("seeds"))
    say, bar = _channels(progress=progress)
    where = Path(report) if isinstance(report, str) else report
    options = Options(
        workers, executor, tracking_uri, resume, runs, budget_check, where,
        reuse=not fresh, say=say, progress=bar, started=started,
    )  # fmt: skip
    return carry_out(experiment, options)


def load(sweep: str | None = None, tracking_uri: str | None = None) -> "Sweep":
    """Return a sweep that is stored.

    Args:
        sweep: its id, or the beginning of it; by default, the newest
        tracking_uri: the MLflow store; by default ``$MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``

    Raises:
        RequestError: there is no such sweep, or no such store

    """
    with _without_widgets():
        from bench.results import Sweep
        from bench.store.mlflow_store import existing_store
        from bench.store.reader import find_sweep

    _check_uri(tracking_uri)
    if sweep is not None and not isinstance(sweep, str):
        raise RequestError(f"sweep is {sweep!r}; allowed is its id, or the beginning of it, as text")
    store = existing_store(tracking_uri)
    return Sweep(store, find_sweep(store, sweep))


def train(what: "Trial | Batch", seeds: Seeds | None = None) -> "Outcome":
    """Train here and now, without a store: a trial from some seeds, or a batch from its own initial weights.

    Args:
        what: a `Trial`, which is trained from the weights that each seed draws, or a `Batch`
        seeds: of a trial: ``range(10)``, ``"0:10"``, ``[0, 3, 5]``, or one; what comes back is in their order

    Raises:
        RequestError: seeds are missing or wrong, or the trial's backend cannot train it here

    """
    from threadpoolctl import threadpool_limits

    from bench.backends import load
    from bench.model.outcome import Batch
    from bench.model.trial import Trial
    from bench.request import SEEDS_IN_PYTHON, read_seeds_in_order
    from bench.running.chunks import THREADS

    if isinstance(what, Batch) and seeds is not None:
        raise RequestError(f"seeds is {seeds!r}, but a Batch has its initial weights; allowed are seeds of a Trial")
    if isinstance(what, Trial):
        if seeds is None:
            raise RequestError(f"seeds is missing; allowed with a trial are {SEEDS_IN_PYTHON}")
        what = Batch.of(what, read_seeds_in_order(seeds))
        _say_of_one_seed(seeds)
    if not isinstance(what, Batch):
        raise RequestError(f"got {what!r}; allowed are a bench.Trial and a bench.Batch")
    backend = load(what.trial.backend)
    refused = backend.unsupported(what.trial)
    if refused:
        raise RequestError(refused)
    with threadpool_limits(limits=THREADS):  # as in a sweep, so that its sums are the same
        return backend.train(what)


@contextmanager
def _without_widgets() -> Iterator[None]:
    """Import MLflow, in a notebook too, without tqdm's warning that there are no widgets: bench needs none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        yield


def _say_of_one_seed(seeds: object) -> None:
    """Say that a whole number is a seed and not how many: who writes 100 may mean either."""
    if isinstance(seeds, Integral) and int(seeds) > 1:
        said = (
            f'seeds={seeds} is one seed; {seeds} of them are seeds=range({seeds}) or "0:{seeds}", and one is [{seeds}]'
        )
        warnings.warn(said, stacklevel=3)


def _check(workers: object, runs: object, executor: object, uri: object, report: object, **flags: object) -> None:
    """Raise RequestError for options that the command line checks by itself."""
    from bench.model.parameter_fields import choice, flag, whole

    with raising_all() as problems:
        with collecting(problems):
            whole(1, 100_000)("workers", 1 if workers is None else workers)
        with collecting(problems):
            choice(*get_args(Runs))("runs", runs)
        for name, value in flags.items():
            with collecting(problems):
                flag(name, value)
        if not isinstance(executor, str):
            problems.append(f"executor is {executor!r}; allowed is text")
        if not isinstance(report, bool | str | Path):
            problems.append(f"report is {report!r}; allowed is a path, True or False")
        with collecting(problems):
            _check_uri(uri)


def _check_uri(uri: object) -> None:
    if uri is not None and not (isinstance(uri, str) and uri):
        raise RequestError(f"tracking_uri is {uri!r}; allowed is text such as 'sqlite:///mlflow.db'")


def _channels(*, progress: bool | None) -> "tuple[Callable[[str], None], Callable[[Work, float, int], SweepProgress]]":
    """Return what says a line, and what shows how far a sweep has come: here, in a notebook, or nowhere."""
    from rich.console import Console

    from bench.console import say
    from bench.notebook import NotebookProgress
    from bench.running.progress import SweepProgress

    here = Console(stderr=True)
    if progress is False or not (progress or here.is_terminal or here.is_jupyter):
        return (lambda _: None), partial(SweepProgress, quiet=True)
    return (print, NotebookProgress) if here.is_jupyter else (say, SweepProgress)
