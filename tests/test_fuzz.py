"""Fuzzing: whatever is read comes to what is valid, or to an error of our own; nothing else is raised, nothing hangs.

Quickly with a few examples of each kind; `make test-faults` goes on for minutes, from other beginnings each time.
"""

import json
import os
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bench.config.experiment import read_experiment
from bench.config.files import experiments
from bench.config.overrides import BLOCK_KEYS, MAP_KEYS, SEARCH_KEYS
from bench.config.plan import Plan, make_plan
from bench.config.values import Overrides
from bench.errors import LONGEST, RequestError, printable
from bench.model.gate import read_csv
from bench.model.initial_table import read_initial_table
from bench.request import read_request
from bench.store.tables import TRAINING_SCHEMA, concat, count_rows, read_table, rows, write_table

FEW, MANY = 10, 200  # examples at a time
FUZZ_S = float(os.environ.get("FUZZ_SECONDS", "75"))  # of each kind
SLOW_S = 20.0  # of the processor, that no example may take
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)  # what the store tells of a broken document
AXES = ["map.x=weight:output.bias:-5..5", "map.y=learning_rate:0.1..10:log"]
READ, REFUSED = "read", "refused"

# ------------------------------------------------------------------ what is tried

ODD = st.one_of(
    st.sampled_from([0, -1, 1, 2**31, 2**63 - 1, -(2**63), 2**64, 10**30, 1e-300, 1e300, float("inf"), float("nan")]),
    st.sampled_from(
        ["", " ", "0..1", "1..0", "0..1:log", "1..10:log:5", "0:5", "5:0", "2*inputs", "nan", "inf", "xor"]
    ),
    st.sampled_from([True, False, None, [], {}, [[]], [{}], [None], ["2", 3, 4.5], "\x1b[31m", "\udcff", "a\0b"]),
    st.sampled_from(["4-4", "0", "64-64", "-", "1-", "x.csv", "/dev/zero", "../..", "{", "numba", "torch", "claims"]),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
)
PUT_IN = [b"", b"[", b"]]", b'"""', b"0", b"1", b"9", b"-", b".", b",", b"e9", b"\n", b"\xff"]
EDITS = st.lists(
    st.tuples(
        st.integers(0, 10**6), st.sampled_from([0, 0, 1, 1, 2, 30]), st.sampled_from(PUT_IN) | st.binary(max_size=8)
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def mutated_bytes(draw, valid: SearchStrategy[bytes]) -> bytes:
    """Return valid bytes of which some are cut out, others put in, or that end early."""
    found = draw(valid)
    for place, cut, put in draw(EDITS):
        at = place % (len(found) + 1)
        found = found[:at] + put + found[at + cut :]
    return found[: draw(st.integers(0, len(found)))] if draw(st.integers(0, 9)) == 0 else found


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to everything within a document."""
    items: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document[:20]))
    return [one for key, value in items for one in [(*path, key), *places(value, (*path, key))]]


def one_of(known: Sequence[Any]) -> SearchStrategy[Any]:
    """Return a strategy for one of some values, which are too long for messages."""
    return st.integers(0, len(known) - 1).map(lambda place: known[place])


@st.composite
def mutated_document(draw, valid: SearchStrategy[Any]) -> Any:
    """Return a valid document in which some values are odd, gone, or of another key."""
    found = json.loads(json.dumps(draw(valid)))
    for _ in range(draw(st.integers(1, 4))):
        known = places(found)
        if not known:
            break
        *way, last = draw(one_of(known))
        within = found
        for key in way:
            within = within[key]
        do = draw(st.integers(0, 9))
        if do == 0:
            del within[last]
        elif do == 1 and isinstance(within, dict):
            within[draw(st.text(max_size=8))] = within.pop(last)
        elif do == 2:
            other = found
            for key in draw(one_of(known)):
                other = other[key] if isinstance(other, dict) and key in other else other
            within[last] = json.loads(json.dumps(other, default=str))
        else:
            within[last] = deepcopy(draw(ODD))  # [] is one list for all examples
    return found


# ------------------------------------------------------------------ how it is read


@dataclass(frozen=True)
class Kind:
    """Something that is read: what it may look like, how it is read, and what may be said of it."""

    examples: SearchStrategy[Any]
    read: Callable[[Any], object]
    allowed: tuple[type[Exception], ...] = (RequestError,)


def planned(experiment: Any) -> None:
    """Plan an experiment; what a sweep would keep of it is read back as the same."""
    plan = make_plan(experiment)
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert plan.search is not None or again.plan_id == plan.plan_id  # a search's references are planned later


def file(name: str, content: bytes) -> Path:
    """Return a file in the working folder."""
    Path(name).write_bytes(content)
    return Path(name)


def read_table_whole(content: bytes) -> object:
    """Return what is read of a shard, in one piece and by its groups."""
    path = file("shard.parquet", content)
    assert count_rows(path) >= 0
    read_table(path, TRAINING_SCHEMA, {"none": 1})
    found = read_table(path, TRAINING_SCHEMA, None)
    assert found is None or found.schema.names == TRAINING_SCHEMA.names
    if found is None:
        raise RequestError("it is not whole")
    return found


def texts() -> list[str]:
    """Return the texts of experiments that are short enough to be mutated much."""
    found = [path.read_text(encoding="utf-8") for path in experiments().values()]
    return sorted((text for text in found if len(text) < 6000), key=len)


def contents() -> list[dict[str, Any]]:
    """Return the contents of experiments."""
    return [tomllib.loads(text) for text in texts()]


VALID = [
    *("hidden=2", "hidden=3,4-4", "gate=or,xor", "seeds=0:5", "learning_rate=0.1..1:log:3", "dtype=float64"),
    *("hidden=2..4", "search.trials=5", "learning_rate=1..2", "optimizer=adam", "map.size=4", *AXES),
]
WORDS = st.lists(
    st.sampled_from(VALID)
    | st.tuples(
        st.sampled_from([*BLOCK_KEYS, *SEARCH_KEYS, *MAP_KEYS, "", "search", "each"]),
        st.lists(ODD.map(str), min_size=1, max_size=3).map(",".join),
    ).map("=".join)
    | st.text(max_size=10),
    min_size=1,
    max_size=4,
)
GATE = st.sampled_from([b"observation,input1,input2,output\n1,0,0,0\n2,0,1,1\n3,1,0,1\n4,1,1,0\n"])
TABLE = st.sampled_from([b"seed,hidden[0].input[0],output.bias\n0,0.5,1e-3\n1,-0.5,2\n"])


@pytest.fixture(scope="module")
def kinds(trained) -> Mapping[str, Kind]:
    """Return all that is read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.config.plan.MOST_TRIALS", 300)  # 0.2 ms each
        asked = [["hidden=2,4-4", "seeds=0:3"], ["hidden=2..4", "search.trials=9"], AXES]
        documents = [make_plan(read_request(words)).to_json() for words in asked]
        yield {
            "experiment, any text": Kind(
                st.text().map(str.encode) | st.binary(),
                lambda some: planned(read_experiment(file("x.toml", some), Overrides(), [])),
            ),
            "experiment, bytes changed": Kind(
                mutated_bytes(st.sampled_from([text.encode() for text in texts()])),
                lambda some: planned(read_experiment(file("x.toml", some), Overrides(), [])),
            ),
            "experiment, values changed": Kind(
                mutated_document(one_of(contents())),
                lambda some: planned(read_experiment(Path("x"), Overrides(), [], some)),
            ),
            "words of a command": Kind(WORDS, lambda some: planned(read_request(some))),
            "gate, any bytes": Kind(st.binary(), lambda some: read_csv(file("g.csv", some))),
            "gate, bytes changed": Kind(mutated_bytes(GATE), lambda some: read_csv(file("g.csv", some))),
            "table, bytes changed": Kind(
                mutated_bytes(TABLE), lambda some: read_initial_table(str(file("t.csv", some)))
            ),
            "shard, bytes changed": Kind(mutated_bytes(st.just(trained)), read_table_whole),
            "plan, values changed": Kind(
                mutated_document(one_of(documents)), Plan.from_json, (RequestError, *MALFORMED)
            ),
        }


NAMES = (
    *("experiment, any text", "experiment, bytes changed", "experiment, values changed", "words of a command"),
    *("gate, any bytes", "gate, bytes changed", "table, bytes changed", "shard, bytes changed"),
    "plan, values changed",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> bytes:
    """Return a shard as a sweep writes it."""
    from bench.backends.numpy_loop import NumpyLoop
    from bench.model.outcome import Batch, Record
    from bench.model.trial import Trial

    trial = Trial(hidden=(2,), iterations=20)
    record = Record(trial, (0, 1, 2), alone=False, outcome=NumpyLoop().train(Batch.of(trial, (0, 1, 2))))
    path = tmp_path_factory.mktemp("shard") / "shard.parquet"
    write_table(concat([rows(record, 10)]), path)
    return path.read_bytes()


def tried(kind: Kind, examples: int) -> Counter[str]:
    """Return how often examples were read, and how often refused; raise whatever else comes of one."""
    found: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(kind.examples)
    def check(example: Any) -> None:
        begun = time.process_time()
        try:
            kind.read(example)
            found[READ] += 1
        except kind.allowed as error:
            found[REFUSED] += 1
            said = getattr(error, "problems", ())
            assert all(len(problem) <= LONGEST and printable(problem) == problem for problem in said)
        assert time.process_time() - begun < SLOW_S

    check()
    return found


@pytest.mark.untraced
@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_read_is_valid_or_refused(kinds, tmp_path, monkeypatch, name):
    """Arbitrary bytes, and valid ones that were changed."""
    monkeypatch.chdir(tmp_path)
    assert sum(tried(kinds[name], FEW).values()) > 0


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_read_for_minutes_is_valid_or_refused(kinds, tmp_path, monkeypatch, fault_table, name):
    """As above, from other beginnings as long as there is time."""
    monkeypatch.chdir(tmp_path)
    end = time.monotonic() + FUZZ_S
    while time.monotonic() < end:
        for outcome, count in tried(kinds[name], MANY).items():
            fault_table(name, outcome, count)
