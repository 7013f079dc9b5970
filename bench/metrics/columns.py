"""Names of the columns of the training table: nothing else spells them."""

from collections.abc import Collection, Sequence

from bench.model.trial import BASIC
from bench.model.trial import PARAMETERS as TRIAL_PARAMETERS

TRIAL_ID = "trial_id"
SEED = "seed"
PARAMETERS = tuple(TRIAL_PARAMETERS)
GATE = "gate"
HIDDEN = "hidden"
LOSS = "loss"
REDUCTION = "reduction"
LEARNING_RATE = "learning_rate"
OPTIMIZER = "optimizer"
BACKEND = "backend"
DTYPE = "dtype"
DEVICE = "device"
SUMMATION = "summation"
ITERATIONS = "iterations"
CURVE_POINTS = "curve_points"
OUTPUT = "output"
TARGET_LOW, TARGET_HIGH = "target_low", "target_high"
SCALE = (TARGET_LOW, TARGET_HIGH, OUTPUT)  # what predictions and targets are measured by

OUTCOME = "outcome"
REASON = "reason"
SOLVED = "solved"
CORRECT = "correct"
SOLVED_AT = "solved_at"
CORRECT_AT = "correct_at"
FINAL_LOSS = "final_loss"
FINAL_MSE = "final_mse"
MAX_ABS_ERROR = "max_abs_error"
PREDICTIONS = "predictions"
ITERATION_US = "iteration_us"
ITERATIONS_DONE = "iterations_done"  # fewer than planned only with stop = "solved"
ALONE = "alone"  # nothing else of ours ran meanwhile: its timing may be compared

TARGETS = "targets"  # of the gate as the trial has them, [N] or, with several outputs, [N, O]
INITIAL_WEIGHTS = "initial_weights"
WEIGHTS = "weights"
CURVE = "curve"  # the loss at the trial's recorded iterations
CURVE_US = "curve_us"  # microseconds per iteration from each recorded iteration to the next
TOGETHER = "together"  # how many trainings advanced side by side while iteration_us was measured

DIAGNOSED = "diagnostics"  # the parameter that asks for these
DIAGNOSTICS = GRADIENT_NORM, LARGEST_WEIGHT, SMALLEST_CURVATURE, NEWTON_STEP = (
    "gradient_norm",
    "largest_weight",
    "smallest_curvature",
    "newton_step",
)

SEEDS = "seeds"  # of a timing: those that were trained side by side
ROUND = "round"
ORDER = "order"  # a timing's place in its round
THREADS = "threads"
TRAINING_US = "training_us"  # all that a batch took but for compiling, per iteration and training
CHUNK_US = "chunk_us"  # like curve_us, of a whole batch
COMPILE_S = "compile_s"
WALL_S = "wall_s"
CPU_S = "cpu_s"  # what the process worked meanwhile
IMPORT_S = "import_s"
FIRST_S = "first_s"

WEIGHTS_COUNT = "parameters"  # of a network: how many weights and biases it has

RESULTS = (SOLVED, CORRECT, SOLVED_AT, CORRECT_AT, FINAL_LOSS, FINAL_MSE, MAX_ABS_ERROR)  # what a training came to
SCALARS = (OUTCOME, REASON, *RESULTS, ITERATION_US, ITERATIONS_DONE, ALONE, TOGETHER)  # one number or word per training
LISTS = (CURVE, CURVE_US, INITIAL_WEIGHTS, WEIGHTS)  # kept for the first CURVES_PER_TRIAL seeds of a trial
DESCRIBED = (  # what a trial's run in MLflow is made from
    *(TRIAL_ID, SEED, ITERATIONS, CURVE_POINTS, OUTCOME, *RESULTS, ITERATION_US, ITERATIONS_DONE, CURVE, CURVE_US),
)
SCORED = (  # what objectives are computed from
    *(TRIAL_ID, SEED, ITERATIONS, OUTCOME, SOLVED, SOLVED_AT, FINAL_MSE, ITERATION_US, ITERATIONS_DONE),
)
RESUMED = (*DESCRIBED, ALONE)  # what a sweep that goes on must know of what there is
CURVES_PER_TRIAL = 10_000


def exported(parameters: Sequence[str] = BASIC) -> tuple[str, ...]:
    """Return the columns of an export, a row per training: a contract, scripts depend on it.

    The parameters are `BASIC` and those of a plan that some trial sets; diagnostics are there where one asks for them.
    """
    results = (OUTCOME, REASON, *RESULTS, PREDICTIONS, ITERATION_US, ITERATIONS_DONE, ALONE)
    return (TRIAL_ID, SEED, *parameters, *results, *diagnostics_of(parameters))


def diagnostics_of(parameters: Collection[str]) -> tuple[str, ...]:
    """Return the columns of diagnostics that there are where trials set these parameters: all, or none."""
    return DIAGNOSTICS if DIAGNOSED in parameters else ()


EXPORT = exported()
