"""A sweep from its plan to its end: begun or resumed, trained, tracked, checked, reported and finished."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, NoReturn

from bench import plugins
from bench.config.experiment import ADHOC, Experiment
from bench.config.plan import Plan, make_plan
from bench.config.search_space import Choices
from bench.config.swept import sweep_name
from bench.console import repeats_words, say
from bench.errors import RequestError, before_any_work, collecting, printable, raising_all
from bench.estimates import Estimate, check_memory, estimate
from bench.listings import phase
from bench.metrics import columns as c
from bench.metrics.objectives import objective_names
from bench.model.gate import gate_names
from bench.model.trial import Trial, backend_names
from bench.report.map_words import map_title
from bench.report.number_format import plural
from bench.report.section import added_sections
from bench.report_files import check_report, read_for_claims, read_for_report, seeds_read
from bench.results import Sweep, write_report
from bench.running import executors, loop
from bench.running.adaptive_seeds import check_until
from bench.running.budget_check import CHECKED, check_budget
from bench.running.chunks import Job
from bench.running.dask_executor import SchedulerLostError
from bench.running.environment import environment, fingerprint
from bench.running.map_training import train_maps
from bench.running.progress import SweepProgress, interrupts
from bench.running.recorder import Recorder, Statistics, Step
from bench.running.work import Work, planned_work
from bench.stats.claims import check_claims, undecided
from bench.stats.mlflow_summary import describe_training, describe_trial
from bench.stats.proportions import COUNT, half_width, seeds_for_half_width
from bench.store.checkup import register_all
from bench.store.earlier_trainings import EarlierTrainings
from bench.store.finished_runs import Summary
from bench.store.mlflow_store import Store, StoreError
from bench.store.names import BUDGET_CHECK, CODE_TAG, COMMAND_TAG, KILLED, PLAN_TAG, is_there, tracking_uri
from bench.store.patience import in_a_line
from bench.store.reader import begun_sweeps, planned_trainings, read_environment, read_plan
from bench.store.shards import written_trainings
from bench.store.spool import Spool
from bench.store.writer import SweepWriter, beginnings, is_running
from bench.user_files import OutputError

if TYPE_CHECKING:
    from bench.search.optuna_journal import Journal
    from bench.stats.map_analysis import MapAnalysis

FEW_TRAININGS = 100  # up to here every training has an MLflow run of its own
REPORT, FIGURES = "report.html", "figures"  # what they are called beside the sweep
MOST_REASONS = 5
SAFE = "What was written is safe."
STATISTICS = Statistics(half_width, seeds_for_half_width, describe_trial, describe_training, seeds_read)


class SweepError(RuntimeError):
    """A sweep that its store, or a cluster's scheduler, did not let come to its end; what was written before is safe.

    ``sweep`` is the `Sweep`. The same call with ``resume=True`` goes on with it. Where all is done but the report,
    which could not be written, it is ``unreported``. Where a server stays away, it goes on in its ``spool``.
    """

    def __init__(self, message: str, sweep: Sweep, *, unreported: bool = False, spool: Spool | None = None) -> None:
        super().__init__(message)
        self.sweep = sweep
        self.unreported = unreported
        self.spool = spool


class Interrupted(KeyboardInterrupt):
    """An interrupt that a sweep heeded: what was finished is written, and ``sweep`` is the `Sweep`."""

    def __init__(self, message: str, sweep: Sweep) -> None:
        super().__init__(message)
        self.sweep = sweep


@dataclass(frozen=True)
class Options:
    """How a sweep is carried out; what it computes does not depend on any of it."""

    workers: int | None = None
    executor: str = "auto"
    tracking_uri: str | None = None
    resume: bool = False
    runs: str = "auto"
    budget_check: bool = True  # train some of what is stuck ten times as long
    report: bool | Path = False  # or where it goes
    quiet: bool = False  # say what is wrong, or may be, and nothing else
    whole: bool = False  # findings will be asked for: all that they need is read at once
    reuse: bool = True  # take over what earlier sweeps of the store have trained
    again: str = "Go on with the same call and resume=True"  # what an interrupt says
    resuming: str = "resume=True"
    say: Callable[[str], None] = say
    show: Callable[[Sweep], None] | None = None  # what came of the trainings, as soon as they are done
    progress: Callable[[Work, float, int], SweepProgress] = SweepProgress
    started: float = field(default_factory=time.monotonic)  # when the call was: imports take seconds too


def checked_plan(experiment: Experiment) -> Plan:
    """Return the plan of a request; raise RequestError for all that is wrong with it, or with the plug-ins here."""
    with raising_all() as problems:
        for check in (gate_names, backend_names, objective_names, added_sections):
            with collecting(problems):
                check()
    plan = make_plan(experiment)
    check_until(plan, STATISTICS)
    return plan


def finished(experiment: Experiment, plan: Plan, options: Options) -> Sweep | None:
    """Return the newest sweep of the store that has trained this plan with this code, if there is one."""
    uri = tracking_uri(options.tracking_uri)
    if not is_there(uri):
        return None
    store = Store(uri)
    code = fingerprint(environment(options.executor, executors.cpu_count(), _plugins(plan)))
    _, ended = begun_sweeps(store, experiment.name)
    wanted = {PLAN_TAG: plan.plan_id, CODE_TAG: code}
    same = (run for run in ended if {name: run.data.tags.get(name) for name in wanted} == wanted)
    run = next(same, None)
    return None if run is None else Sweep(store, run.info.run_id)


def carry_out(experiment: Experiment, options: Options) -> Sweep:
    """Plan, train, track, check and report.

    Raises RequestError before any work, Interrupted where it was asked to end early, and SweepError where the store or
    a cluster failed on the way.
    """
    imported = time.monotonic()
    with before_any_work(), _phase(options, "planning"):
        plan = checked_plan(experiment)
    with _checked(options) as pool:
        expected = estimate(plan, max(pool.workers, 1))
        check_memory(expected)
        try:
            return _carry_out(experiment, plan, options, pool, imported, expected)
        except SweepError as failed:
            if failed.spool is None:
                raise
            _go_on_in(failed.spool, failed, experiment, plan, options, pool, expected)


def _go_on_in(
    spool: Spool,
    failed: SweepError,
    experiment: Experiment,
    plan: Plan,
    options: Options,
    pool: executors.WorkerPool,
    expected: Estimate,
) -> NoReturn:
    """Go on in its spool with a sweep whose server stays away, to its report, and raise SweepError that says so."""
    fault, started = printable(str(failed)).partition("\n")[0], time.monotonic()
    options.say(f"{fault}; the sweep goes on in {str(spool.folder)!r}")
    there = replace(options, tracking_uri=spool.uri, resume=True, started=started)
    try:
        store = Store(spool.uri, options.say)
        register_all(store)
        store.client.set_terminated(spool.run_id, status=KILLED)  # it may have ended there before
        swept = _carry_out(experiment, plan, there, pool, started, expected)
    except (StoreError, RequestError, OSError):  # it cannot be used, either
        raise failed from failed.__cause__
    away = (
        f"{printable(tracking_uri(options.tracking_uri))} stayed away, and the sweep went on in {str(spool.folder)!r}"
    )
    raise SweepError(f"{away}: it is delivered once the server is back. {options.again}", swept) from None


def _carry_out(
    experiment: Experiment,
    plan: Plan,
    options: Options,
    pool: executors.WorkerPool,
    imported: float,
    expected: Estimate,
) -> Sweep:
    """Carry a plan out with these workers; ``imported`` is when all imports were done."""
    kind, cores = _kinds(plan, pool), pool.workers
    with _phase(options, "opening the store"):
        store = Store(tracking_uri(options.tracking_uri), options.say)
        journal = _journal(store, plan)
        facts = environment(kind, cores, _plugins(plan))
        code = fingerprint(facts)
        writer = _taken_up(store, experiment, plan, facts, code, options)
    few = plan.expected_trainings <= FEW_TRAININGS and plan.until is None
    training_runs = few if options.runs == "auto" else options.runs == "training"
    statistics = replace(STATISTICS, undecided=partial(_undecided, store, writer.run_id))
    earlier = EarlierTrainings(store, writer.run_id, code, options.say) if options.reuse else None
    recorder = Recorder(experiment, plan, writer, statistics, training_runs=training_runs, earlier=earlier)
    try:
        with _phase(options, "reading what was finished") if options.resume else nullcontext():
            already = recorder.resume() if options.resume else 0
        on = kind if kind == "serial" else f"{kind} on {cores}"
        begun = f"sweep {writer.run_id[:8]}: {_work(plan, already)}, {on}{'' if already else expected.long}"
        for words in () if options.quiet else (begun, *(repeats_words(plan.search) if plan.search else ())):
            options.say(words)
        recorder.seconds["import"] = imported - options.started
        recorder.seconds["prepare"] = time.monotonic() - imported
        check = options.budget_check
        try:
            bar = partial(SweepProgress, quiet=True) if options.quiet else options.progress
            done = _train(recorder, pool, already, journal, bar, store, check=check)
        except SchedulerLostError:  # here, so that a store that fails now is told like any other time
            recorder.flush()
            writer.finish(KILLED)
            raise
        if done:
            return _conclude(recorder, options, store)
        writer.finish(KILLED)
    except SchedulerLostError as error:
        raise SweepError(f"{error}\n{SAFE} {options.again}", _unfinished(recorder, options, store)) from error
    except (StoreError, RequestError, OSError) as error:
        away = isinstance(error, StoreError) or isinstance(error.__cause__, StoreError)
        spool = store.spools.get(writer.run_id) if away else None
        raise SweepError(
            f"{_fault(error, store)}\n{SAFE} {options.again}", _unfinished(recorder, options, store), spool=spool
        ) from error
    except KeyboardInterrupt as at_once:
        at_once.add_note(options.again)
        raise
    said = f"interrupted; {SAFE[0].lower()}{SAFE[1:]} {options.again}"
    raise Interrupted(said, _unfinished(recorder, options, store))


def _taken_up(
    store: Store, experiment: Experiment, plan: Plan, facts: Mapping[str, Any], code: str, options: Options
) -> SweepWriter:
    """Return the sweep that is gone on with, or a new one; raise RequestError where the store lets none be."""
    try:
        for left in beginnings(store, experiment.name):
            store.client.set_terminated(left, status=KILLED)
        if options.resume:
            writer = _resumed(store, experiment, plan, code)
            if other := _other_plugins(writer, plan, facts):
                options.say(other)
            return writer
        for said in _unfinished_ones(store, experiment, plan, options):
            options.say(said)
        return SweepWriter.begin(store, experiment, plan, facts, _name(experiment, plan), code)
    except (StoreError, OSError) as error:
        raise RequestError(f"{_fault(error, store)}; nothing was trained") from error


def _fault(error: Exception, store: Store) -> str:
    """Return in a sentence what failed, and where."""
    if isinstance(error, RequestError):
        return "; ".join(error.problems)
    if isinstance(error, OSError):
        place = f"{error.filename!r}: " if error.filename else ""
        return f"a file cannot be read or written: {place}{error.strerror or error}"
    return f"the store failed: {in_a_line(error)}; it is {store.uri}"


def write_runs_again(store: Store, sweep: str) -> bool:
    """Write the runs of a sweep again from its trainings, and end it; return whether that could be done.

    It cannot where trainings are missing, or where a strategy would have to say what more is known of the trials.
    """
    plan, run = read_plan(store, sweep), store.client.get_run(sweep)
    if plan.search or plan.until:
        return False
    question = plan.question
    writer = SweepWriter(store, run.info.experiment_id, sweep)
    experiment = Experiment(question.experiment, question.title, question.about, (), (), ())
    few = plan.expected_trainings <= FEW_TRAININGS
    recorder = Recorder(experiment, plan, writer, STATISTICS, training_runs=few)
    recorder.resume()
    recorder.begin(Step(plan))
    whole = not (recorder.missing(alone=False) or recorder.missing(alone=True))
    if not whole or not all(writer.mapped(one).all() for one in plan.maps):
        return False
    _conclude(recorder, Options(quiet=True, whole=True, say=lambda _: None), store)
    return True


def _undecided(store: Store, sweep: str, plan: Plan) -> int:
    """Return how many claims about a plan's grid are undecided, by those of its trainings that are stored."""
    trainings = read_for_claims(store, sweep, plan)
    of_grid = [planned for planned in plan.claims if planned.seeds is None]
    return undecided(check_claims(of_grid, trainings, plan.look))


def _unfinished(recorder: Recorder, options: Options, store: Store) -> Sweep:
    """Return the sweep as far as it came."""
    return Sweep(store, recorder.writer.run_id, plan=recorder.plan, seconds=_seconds(recorder, options))


def _checked(options: Options) -> executors.WorkerPool:
    """Check whatever can be wrong before any work, and return who trains."""
    if options.report:
        check_report(options.report if isinstance(options.report, Path) else None)
    with before_any_work():
        return executors.WorkerPool(options.executor, options.workers or executors.cpu_count(), options.say)


def _journal(store: Store, plan: Plan) -> "Journal | None":
    """Return Optuna's journal, where there is a search; one that cannot be read is told before any work."""
    if plan.search is None:
        return None
    from bench.search.optuna_journal import Journal

    return Journal(store.journal)


def _work(plan: Plan, already: int) -> str:
    done = f" ({already:,} more {'is' if already == 1 else 'are'} done)" if already else ""
    more = f", and more seeds until {plan.until}" if plan.until else ""
    left = max(plan.expected_trainings - already, 0)
    parts = [f"{plural(left, 'training')} of {plural(plan.expected_trials, 'trial')}{done}{more}"] * bool(
        plan.expected_trials
    )
    parts += [f"{plural(len(plan.maps), 'map')} of {plural(plan.points, 'training')}"] * bool(plan.maps)
    return " and ".join(parts)


def _train(
    recorder: Recorder,
    pool: executors.WorkerPool,
    already: int,
    journal: "Journal | None",
    bar: Callable[[Work, float, int], SweepProgress],
    store: Store,
    *,
    check: bool,
) -> bool:
    """Carry the plan's strategies out, and ``check`` what is stuck; return whether all is done."""
    steps = loop.strategies(recorder.plan, recorder.statistics, journal)
    plan = recorder.plan
    share = min(already / max(plan.expected_trainings + plan.points, 1), 1.0)
    with (
        interrupts() as stop,
        bar(planned_work(plan), share, max(pool.workers, 1)) as progress,
        _no_spool_once(stop, store),
    ):
        loop.run(steps, recorder, pool, progress, stop)
        with recorder.clock("train"):
            recorder.seconds["workers_train"] += train_maps(plan, recorder.writer, pool, progress, stop)
        if check and not stop.is_set():
            progress.update("checking the budget")
            with recorder.clock("train"):
                read = seeds_read(recorder.plan)
                trainings = planned_trainings(store, recorder.writer.run_id, recorder.plan, CHECKED, read)
                checked = check_budget(recorder.plan, trainings, pool, stop)
            recorder.writer.json(BUDGET_CHECK, checked or [])
    return not stop.is_set()


@contextmanager
def _no_spool_once(stop: Event, store: Store) -> Iterator[None]:
    """Let no sweep go on in its spool whose end was asked for meanwhile."""
    try:
        yield
    except (StoreError, RequestError):
        if stop.is_set():
            store.spools.clear()
        raise


def _conclude(recorder: Recorder, options: Options, store: Store) -> Sweep:
    """Check the claims, write the report, and end the sweep, in this order: FINISHED says that all is there."""
    reporting = time.monotonic()
    writer, plan = recorder.writer, recorder.plan
    with _phase(options, "writing the runs"):
        recorder.finish()
    with _phase(options, "reading the results"):
        read = read_for_report(store, writer.run_id) if options.whole or options.report or plan.claims else None
        swept = Sweep(store, writer.run_id, read, plan=plan, seconds=recorder.seconds)
        writer.json("claims.json", swept.claims.to_dict("records"))
        reused = swept.reused
    sizes = {"trials": len(plan.trials), "trainings": plan.trainings + plan.points, "reused": reused}
    if reused and not options.quiet:
        options.say(f"{reused:,} of {plan.trainings:,} trainings were taken over from earlier sweeps")
    if recorder.went_on and not options.quiet:
        options.say(f"{recorder.went_on:,} trainings went on from where one with a smaller budget had ended")
    figures = {**swept.outcomes, **sizes, "total_seconds": time.monotonic() - options.started}
    writer.figures(figures)
    if read:
        read.figures.update(figures)
    if options.show:
        options.show(swept)
    for number, one in enumerate(swept.maps, 1):
        _write_map(writer, one, number)
    unwritten = _write_report(swept, options, writer) if options.report else None
    if read:
        writer.conclude(swept.page.answer, [(one.sentence, one.evidence) for one in swept.findings])
    recorder.seconds["report"] = time.monotonic() - reporting
    swept.seconds = _seconds(recorder, options)
    _tell_reasons(swept, options.say)
    if swept.account.trainings < plan.trainings:
        back = f"{swept.account.trainings:,} of {plan.trainings:,}"
        raise SweepError(f"only {back} trainings could be read back; {options.resuming} does the rest", swept)
    writer.finish()
    if unwritten:
        again = f"All trainings are safe. Write it again with: python -m bench report {swept.id[:8]} -o REPORT.html"
        raise SweepError(f"{unwritten}\n{again}", swept, unreported=True)
    return swept


def _write_report(swept: Sweep, options: Options, writer: SweepWriter) -> OutputError | None:
    """Write the report, and keep it with the sweep; return the error where its file cannot be written."""
    with _phase(options, "writing the report"), tempfile.TemporaryDirectory() as folder:
        try:
            path = write_report([swept], options.report if isinstance(options.report, Path) else None, Path(folder))
        except OutputError as error:
            return error
        writer.file(path, REPORT)
        writer.folder(Path(folder), FIGURES)
    return None


def _phase(options: Options, words: str) -> AbstractContextManager[None]:
    """Show what is being done meanwhile, unless nothing is to be said."""
    return nullcontext() if options.quiet else phase(words)


def _write_map(writer: SweepWriter, one: "MapAnalysis", number: int) -> None:
    """Write the run of a map, with its figures and its picture."""
    from bench.report.maps import write_map_picture  # Matplotlib takes a second

    with tempfile.TemporaryDirectory() as folder:
        picture = write_map_picture(one, Path(folder) / "map.png", f"sweep {writer.run_id[:8]}, map {number}")
        writer.map_run(one.map, f"map {number}: {map_title(one.map)}", Summary(one.metrics), picture)


def _seconds(recorder: Recorder, options: Options) -> dict[str, float]:
    seconds = {**recorder.seconds, "total": time.monotonic() - options.started}
    return {name: round(value, 3) for name, value in seconds.items()}


def _tell_reasons(swept: Sweep, say: Callable[[str], None]) -> None:
    """Say why trainings failed or were refused, each reason once."""
    reasons = swept.account.reasons.to_dict("records")
    for row in reasons[:MOST_REASONS]:
        say(f"{plural(row[COUNT], 'training')} {row[c.OUTCOME]}: {row[c.REASON]}")
    if len(reasons) > MOST_REASONS:
        say(f"and {plural(len(reasons) - MOST_REASONS, 'more reason')}, in the report and the export")


def _kinds(plan: Plan, pool: executors.WorkerPool) -> str:
    """Return the executors that a plan will be trained with, in words."""
    jobs = [Job(planned.trial, planned.together) for planned in plan.trials if planned.together]
    jobs += [Job(one.trial, range(one.points), of=one) for one in plan.maps]
    if plan.search:
        jobs += [Job(part.first_trial, range(part.expected_trainings)) for part in plan.search.parts]
    return " and ".join(pool.divide(jobs)) or "serial"


def _name(experiment: Experiment, plan: Plan) -> str:
    """Return what a sweep is called in MLflow: what it asks, and when it began."""
    what = experiment.name if experiment.name != ADHOC else sweep_name(plan) or ADHOC
    return f"{what} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"


def _plugins(plan: Plan) -> dict[str, str]:
    """Return which plug-ins take part in a plan, and where each is from."""
    used = [(plugins.SECTION, one.name) for one in added_sections()]
    trials: list[Trial] = [planned.trial for planned in plan.trials] + [one.trial for one in plan.maps]
    if plan.search:
        trials += [part.first_trial for part in plan.search.parts]
        if (searched := plan.search.space.get(c.BACKEND)) and isinstance(searched.over, Choices):
            used += [(plugins.BACKEND, name) for name in searched.over.values]
        measures = [*plan.search.objectives, *(limit.measure for limit in plan.search.constraints)]
        used += [(plugins.OBJECTIVE, name) for name in measures]
    for trial in trials:
        used += [(plugins.GATE, trial.gate.name), (plugins.BACKEND, trial.backend)]
    return plugins.origins(dict.fromkeys(used))


def _other_plugins(writer: SweepWriter, plan: Plan, facts: Mapping[str, Any]) -> str:
    """Say where a sweep that goes on has been given other plug-ins than it was begun with; nothing where it has not.

    Where it no longer says what it was begun with, it says from now on what it goes on with.
    """
    try:
        before = read_environment(writer.store, writer.run_id).get(plugins.RECORDED, {})
    except RequestError:
        writer.environment(facts)
        return ""
    now = _plugins(plan)
    other = [
        f"{one} was of {before[one]}, and is of {now[one]}" for one in now if before.get(one, now[one]) != now[one]
    ]
    return f"{'; '.join(other)}: what is trained now may differ from what was trained before" if other else ""


def _unfinished_ones(store: Store, experiment: Experiment, plan: Plan, options: Options) -> Iterator[str]:
    """Yield what there is of the same request that could be gone on with."""
    found, _ = begun_sweeps(store, experiment.name)
    for run in found:
        if run.data.tags.get(PLAN_TAG) == plan.plan_id and not is_running(run):
            done = f"{written_trainings(store, run.info.run_id):,} of {plan.expected_trainings + plan.points:,}"
            yield (
                f"sweep {run.info.run_id[:8]} of the same request is not finished: {done} trainings are there, and "
                f"{options.resuming} would go on with it; this one begins anew"
                + (", and takes over what the same code trained" if options.reuse else "")
            )
            return


def _resumed(store: Store, experiment: Experiment, plan: Plan, code: str) -> SweepWriter:
    """Return the unfinished sweep of this request of which most is there, or one that ended with fewer trials.

    Of several with as much, and of those that ended with fewer trials of the same search, the newest. Raise
    RequestError if there is none.
    """
    found, ended = begun_sweeps(store, experiment.name)
    same = [run for run in found if run.data.tags.get(PLAN_TAG) == plan.plan_id]
    for run in ended if store.is_remote else ():
        Spool.of(run.info.run_id, experiment.name).drop()  # of a process that was killed as it ended
    for run in same if store.is_remote else ():
        spool = Spool.of(run.info.run_id, experiment.name)
        if not is_running(run) and (delivered := spool.deliver(store)):
            store.say(
                f"{plural(delivered, 'training')} that the server lacked are delivered from {str(spool.folder)!r}"
            )
    if same:
        most = max(same, key=lambda run: (not is_running(run), written_trainings(store, run.info.run_id)))
        return SweepWriter.resume(store, most, experiment, plan, code)
    for run in ended if plan.search else ():
        if _extends(store, plan, run.info.run_id, run.data.tags.get(PLAN_TAG, "")):
            return SweepWriter.resume(store, run, experiment, plan, code)
    others = "; ".join(f"{run.data.tags.get(COMMAND_TAG, '?')} --resume" for run in found[:5])
    hint = f"unfinished sweeps of {experiment.name} that asked something else: {others}" if others else "there is none"
    raise RequestError(f"nothing to resume: no unfinished sweep of this request in {store.uri}; {hint}")


def _extends(store: Store, plan: Plan, sweep: str, plan_id: str) -> bool:
    """Return whether a plan asks for more of the search of a sweep that has ended; one that cannot be read has none."""
    try:
        earlier = read_plan(store, sweep)
    except RequestError:
        return False
    return plan.extends(earlier.search, plan_id)
