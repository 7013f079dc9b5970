"""How much is left of a sweep: right within a factor of two after a tenth of the work, whatever the estimates."""

import io

import pytest
from rich.console import Console

from bench.backends.base import compiles
from bench.config.experiment import adhoc
from bench.config.overrides import read_overrides
from bench.config.plan import make_plan
from bench.model.outcome import Batch
from bench.model.trial import Trial
from bench.running.chunks import loaded_backend
from bench.running.progress import SweepProgress, units
from bench.running.work import Kind, TimeLeft, Work, planned_work, total

LANES, LOOP, TIMED = Kind("numba", alone=False), Kind("torch", alone=False), Kind("torch", alone=True)
TRUE = {LANES: 3.0, LOOP: 0.2, TIMED: 0.5}  # seconds that a second of the estimate takes


def chunk(kind, cost_s):
    """The work of a chunk that took what it truly does."""
    return Work(1000, {kind: cost_s}, {kind: cost_s}, {kind: cost_s * TRUE[kind]})


def true_left(chunks, workers):
    return sum(sum(one.taken_s.values()) / (1 if next(iter(one.cost_s)).alone else workers) for one in chunks)


@pytest.mark.untraced
@pytest.mark.parametrize("kinds", [[LANES], [LOOP], [LANES, LOOP], [LANES, TIMED]], ids=str)
@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("overhead", [1.0, 1.7])
def test_after_a_tenth_the_time_left_is_right_within_a_factor_of_two(kinds, workers, overhead):
    """Kinds take turns; the driver's own time is in what went by."""
    chunks = [chunk(kinds[place % len(kinds)], 0.5) for place in range(60)]
    now = 0.0
    left = TimeLeft(workers, started=0.0)
    for place, one in enumerate(chunks, 1):
        now += overhead * true_left([one], workers)
        if place >= len(chunks) // 10:
            estimate = left.seconds(total(chunks), total(chunks[:place]), now)
            true = overhead * true_left(chunks[place:], workers)
            assert estimate == pytest.approx(true, rel=1.0, abs=1e-6) or estimate < true
            assert estimate >= true / 2 - 1e-6


def test_of_what_was_not_measured_the_speed_is_that_of_the_rest():
    """And while nothing was, nothing is said."""
    left = TimeLeft(1, started=0.0)
    whole = Work(0, {LANES: 10.0, LOOP: 10.0})
    assert left.seconds(whole, Work(), 1.0) is None
    assert left.seconds(whole, chunk(LANES, 5.0), 15.0) == pytest.approx(5 * 3 + 10 * 3)


def test_what_failed_is_done_and_says_nothing_of_the_speed():
    """It took no time worth counting."""
    left = TimeLeft(1, started=0.0)
    whole = Work(0, {LANES: 10.0})
    done = chunk(LANES, 2.0) + Work(0, {LANES: 6.0})
    assert left.seconds(whole, done, 6.0) == pytest.approx(2 * 3)


def test_the_rounds_of_timings_are_work(tmp_path):
    """Each of them: a bar over trainings would stand still from the second round on."""
    plan = make_plan(adhoc(read_overrides(["alone=true", "rounds=9", "seeds=0:4", "iterations=100"], tmp_path), []))
    work = planned_work(plan)
    assert work.iterations == 9 * 4 * 100
    assert list(work.cost_s) == [Kind("numba", alone=True)]


def test_a_search_is_its_expected_work(tmp_path):
    """Before it has proposed anything."""
    words = ["hidden=2..4", "search.trials=5", "search.validate=0", "seeds=0:4", "iterations=100"]
    assert planned_work(make_plan(adhoc(read_overrides(words, tmp_path), []))).iterations == 5 * 4 * 100


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0"), (950, "950"), (1250, "1.25 k"), (4e10, "40 G"), (3e15, "3e+03 T")]
)
def test_counts_have_three_digits(count, said):
    """And a unit."""
    assert units(count) == said


def test_the_bar_counts_iterations_and_what_was_done_before(monkeypatch):
    """Resumed, it begins where the sweep stopped."""
    monkeypatch.setattr(Console, "is_terminal", True)
    progress = SweepProgress(Work(10_000, {LANES: 10.0}), 0.25, 2)
    progress._bar.console.file = io.StringIO()
    assert progress.words == "2.5 k of 10 k iterations"
    progress.advance(chunk(LANES, 2.5))
    assert progress.share == pytest.approx(0.5)
    assert progress.words.startswith("3.5 k of 10 k iterations, 0:0")
    progress.update("timing", Work(20_000, {LANES: 20.0}))
    assert progress.share == pytest.approx(0.375)
    assert SweepProgress(Work()).share == 1.0


def test_the_kernel_that_is_compiled_is_named_with_how_many_there_are():
    """As many as are to come; of a number that is not known, or was too small, nothing is said."""
    progress = SweepProgress(Work())
    (task,) = progress._bar.tasks

    def shown():
        return str(progress._activity.render(task))

    progress.compiles(2)
    assert shown() == "training"
    for words in ("compiling kernel 1 of 2", "compiling kernel 2 of 2", "compiling kernel 3"):
        with compiles():
            assert shown() == words
    progress.compiles(0)
    with compiles():
        assert shown() == "compiling kernel 1"


def test_a_kernel_is_to_be_compiled_until_a_process_has_it(monkeypatch):
    """Trials that differ in what no kernel is compiled for share one."""
    monkeypatch.setattr("bench.backends.numba_lanes.COMPILED", set())
    backend = loaded_backend("numba")
    one, same, other = (
        backend.kernel(trial) for trial in (Trial(hidden=2), Trial(hidden=3, loss="bce"), Trial(momentum=0.9))
    )
    assert one == same != other
    backend.train(Batch.of(Trial(hidden=2, iterations=1), [0]))
    assert backend.kernel(Trial(hidden=2)) is None
    assert loaded_backend("numpy").kernel(Trial()) is None
