import operator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.errors import RequestError
from bench.model.gate import BUILT_IN, MAX_OBSERVATIONS, Gate, built_in, read_csv
from bench.model.trial import Trial

OPERATORS = {
    "or": operator.or_,
    "and": operator.and_,
    "xor": operator.xor,
    "nand": lambda a, b: 1 - (a & b),
    "nor": lambda a, b: 1 - (a | b),
    "xnor": lambda a, b: 1 - (a ^ b),
}
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def gate(inputs, targets, name="mine"):
    return Gate(name, np.array(inputs, dtype=np.float64), np.array(targets, dtype=np.float64))


@pytest.fixture
def csv(tmp_path):
    """Return a function that writes a CSV file and reads it as a gate."""

    def read(content, name="mine.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_csv(path)

    return read


def problem_of(read, *arguments):
    """Return the one sentence with which reading is refused."""
    with pytest.raises(RequestError) as caught:
        read(*arguments)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("name", OPERATORS)
def test_a_two_input_gate_is_its_bitwise_operator(name):
    """The built-in tables are those of Python's operators."""
    table = built_in(name)
    assert table.targets.tolist() == [OPERATORS[name](int(a), int(b)) for a, b in table.inputs]


@pytest.mark.parametrize("inputs", range(2, 9))
def test_parity_is_one_for_an_odd_number_of_ones(inputs):
    """The parity gates count ones as Python's int.bit_count does, row after row in binary order."""
    table = built_in(f"parity{inputs}")
    assert table.targets.tolist() == [row.bit_count() % 2 for row in range(2**inputs)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_rows_of_a_built_in_gate_count_up_in_binary(name):
    """Every combination of inputs comes once, the first input being the highest bit."""
    inputs = built_in(name).inputs
    assert [int("".join(f"{value:g}" for value in row), 2) for row in inputs] == list(range(2 ** inputs.shape[1]))


def test_a_misspelt_gate_is_told_its_nearest_name():
    """A near miss is suggested, and a CSV file is named as the other way."""
    problem = problem_of(built_in, "xro")
    assert problem.startswith("gate 'xro' is not known; did you mean 'xor'? choose from and, nand, nor, or, parity2")
    assert problem.endswith("or a path to a .csv file")


@pytest.mark.parametrize("name", ["parity1", "parity9", "parity", "parityX", ""])
def test_parity_has_two_to_eight_inputs(name):
    """A parity gate outside 2 to 8 inputs is unknown."""
    assert problem_of(built_in, name).startswith(f"gate {name!r} is not known")


def test_a_table_cannot_be_changed():
    """The arrays of a gate are read-only: its digest names its content for good."""
    table = gate([[0], [1]], [0, 1])
    for array in (table.inputs, table.targets):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_gates_of_equal_name_and_table_are_equal():
    """Equality and hash are by content."""
    one, same = gate([[0], [1]], [0, 1]), gate([[0], [1]], [0, 1])
    assert one == same
    assert hash(one) == hash(same)


@pytest.mark.parametrize(
    "other",
    [gate([[0], [1]], [0, 1], "yours"), gate([[0], [1]], [1, 1]), gate([[0], [2]], [0, 1]), "mine"],
    ids=["name", "targets", "inputs", "no gate"],
)
def test_gates_that_differ_are_not_equal(other):
    """Another name, another target or another input makes another gate."""
    assert gate([[0], [1]], [0, 1]) != other


def test_tables_of_equal_numbers_and_unequal_shape_differ():
    """The digest knows where the inputs end and the targets begin."""
    assert gate([[0, 0, 0], [0, 0, 0]], [0, 0]).digest != gate([[0], [0], [0], [0]], [0, 0, 0, 0]).digest


def test_all_problems_of_a_table_come_at_once():
    """An infinite input and an infinite target are two sentences of one error."""
    with pytest.raises(RequestError) as caught:
        gate([[np.inf], [1]], [0, np.inf])
    assert caught.value.problems == (
        "gate 'mine' has an input that is not finite; allowed are finite numbers",
        "gate 'mine' has the output inf; allowed are finite numbers",
    )


@pytest.mark.parametrize("target", [np.inf, -np.inf, np.nan])
def test_a_target_that_is_no_number_is_refused(target):
    """No network could say it."""
    assert f"has the output {target:g}; allowed are finite numbers" in problem_of(gate, [[0], [1]], [0, target])


@pytest.mark.parametrize(("output", "least", "most"), [("sigmoid", 0, 1), ("tanh", -1, 1), ("symmetric", -0.5, 0.5)])
def test_a_target_that_the_output_neuron_cannot_say_is_refused(output, least, most):
    """What is beyond the ends of its activation is never reached; a linear one reaches everything."""
    for target in (least - 0.001, most + 0.001):
        wrong = gate([[0], [1]], [least, target])
        problem = problem_of(lambda wrong=wrong: Trial(gate=wrong, output=output))
        assert problem.endswith(f"allowed with output = {output} are numbers from {least:g} to {most:g}")
        assert Trial(gate=wrong, output="linear").targets.tolist() == [least, target]
    assert Trial(gate=gate([[0], [1]], [least, most]), output=output)


@pytest.mark.parametrize("targets", [[], [0], [0, 1, 1], [[[0]], [[1]]]])
def test_a_gate_has_a_target_for_every_observation(targets):
    """Fewer targets, more of them and a table of them are refused with what is allowed."""
    shape = np.array(targets).shape
    expected = f"gate 'mine' has {shape} targets; allowed is one per observation"
    assert problem_of(gate, [[0], [1]], targets) == expected


@pytest.mark.parametrize("inputs", [0, 17])
def test_a_gate_has_one_to_sixteen_inputs(inputs):
    """No input and seventeen are refused with what is allowed."""
    expected = f"gate 'mine' has {inputs} inputs; allowed are 1 to 16"
    assert problem_of(gate, np.zeros((2, inputs)), [0, 1]) == expected


@pytest.mark.parametrize("observations", [0, MAX_OBSERVATIONS + 1])
def test_a_gate_has_one_to_65536_observations(observations):
    """An empty table and one beyond 16 inputs' combinations are refused."""
    problem = problem_of(gate, np.zeros((observations, 1)), np.zeros(observations))
    assert problem == f"gate 'mine' has {observations} observations; allowed are 1 to 65,536"


def test_the_largest_gate_is_accepted():
    """Sixteen inputs with all their combinations are allowed."""
    assert len(gate(np.zeros((MAX_OBSERVATIONS, 16)), np.zeros(MAX_OBSERVATIONS)).targets) == MAX_OBSERVATIONS


def test_a_csv_file_is_read_as_the_table_it_holds(csv):
    """Inputs and targets come from the columns between the index and the output; the name is the file's."""
    table = csv("observation,input1,input2,output\n0,0.5,-1,0\n1,2e-1,1,0.25\n", "majority.csv")
    assert table == gate([[0.5, -1], [0.2, 1]], [0, 0.25], "majority")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfobservation,input1,output\n0,0,1\n1,1,0\n",
        b"observation,input1,output\r\n0,0,1\r\n1,1,0\r\n",
        b"observation , input1 , output\n0, 0 , 1\n1,1,0\n",
        b'"observation","input1","output"\n"0","0","1"\n"1","1","0"\n',
        b"observation,input1,output\n\n0,0,1\n1,1,0\n\n\n",
        b"observation,input1,output\na,0,1\nb,1,0",
    ],
    ids=["byte order mark", "windows line ends", "spaces", "quotes", "blank lines", "index of letters"],
)
def test_a_csv_file_is_read_as_spreadsheets_write_it(csv, content):
    """What spreadsheets and editors add around the numbers changes nothing."""
    assert csv(content) == gate([[0], [1]], [1, 0])


@given(
    table=st.tuples(st.integers(1, 6), st.integers(1, 4)).flatmap(
        lambda shape: st.tuples(
            arrays(np.float64, shape, elements=FINITE),
            arrays(np.float64, shape[0], elements=st.floats(0, 1)),
        )
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_table_survives_its_csv_file(csv, table):
    """Writing a table as CSV and reading it gives the same numbers."""
    inputs, targets = table
    names = ",".join(f"input{place}" for place in range(inputs.shape[1]))
    rows = [
        ",".join(map(repr, [place, *row.tolist(), target]))
        for place, (row, target) in enumerate(zip(inputs, targets.tolist(), strict=True))
    ]
    read = csv("\n".join([f"observation,{names},output", *rows]))
    assert read.inputs.tolist() == inputs.tolist()
    assert read.targets.tolist() == targets.tolist()


@pytest.mark.parametrize("cell", ["yes", "", "nan", "True", "0x10", "1 0"])
def test_a_cell_that_is_no_number_is_named_by_its_place(csv, tmp_path, cell):
    """The sentence says which file, which row, which column, and what it found."""
    problem = problem_of(csv, f"observation,input1,input2,output\n0,0,0,0\n1,1,{cell},1\n")
    path = str(tmp_path / "mine.csv")
    assert problem == f"gate {path!r}, row 2, column 'input2': got {cell!r}; allowed are numbers"


@pytest.mark.parametrize(
    "header",
    ["input1,input2,output", "observation,input1", "observation,output", "observation,output,input1", "output"],
)
def test_a_missing_column_is_shown_beside_the_allowed_ones(csv, header):
    """A file without an index, inputs or output is refused with its header and the allowed one."""
    row = ",".join("0" * len(header.split(",")))
    problem = problem_of(csv, f"{header}\n{row}\n")
    assert problem.endswith(f"has the columns {header}; allowed is observation,input1,...,output, each once")


def test_outputs_that_leave_out_a_number_are_told_how_several_are_written(csv):
    """The header of a file with one output would be no help."""
    problem = problem_of(csv, "observation,input1,output1,output3\n1,0,0,1\n")
    assert problem.endswith("; allowed is observation,input1,...,output1,output2,... without a gap, each once")


@pytest.mark.parametrize("names", ["a,a", "a, a ", "a,output", "observation,a"])
def test_a_column_that_comes_twice_is_refused(csv, names):
    """Whether both are written alike, or with spaces around one of them, nobody could say which is meant."""
    problem = problem_of(csv, f"observation,{names},output\n0,0,1,1\n")
    columns = ",".join(name.strip() for name in f"observation,{names},output".split(","))
    assert problem.endswith(f"has the columns {columns}; allowed is observation,input1,...,output, each once")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read as CSV: No columns"),
        (b"\n\n", "cannot be read as CSV: No columns"),
        (b"observation,input1,output\n", "has 0 observations"),
        (b"observation,input1,output\n0,0,1\n1,1,0,0\n", "cannot be read as CSV: Error tokenizing"),
        (b"observation,input1,output\n0,0,1,0\n1,1,0,0\n", "cannot be read as CSV: Error tokenizing"),
        (b"observation,input1,output\n0,0\n", "row 1, column 'output': got ''"),
        (b"observation,input1,output\n0,\xe9,1\n", "cannot be read as CSV: 'utf-8' codec"),
        (b"observation,input1,output\n0,inf,1\n", "has an input that is not finite"),
        (b"observation,input1,output\n0,0,inf\n", "has the output inf; allowed are finite numbers"),
        (b"observation;input1;output\n0;0;1\n", "has the columns observation;input1;output"),
    ],
    ids=[
        "empty",
        "blank",
        "no rows",
        "long row",
        "long rows",
        "short row",
        "latin-1",
        "infinite",
        "target",
        "semicolons",
    ],
)
def test_a_csv_file_that_is_no_table_is_refused_with_the_reason(csv, content, reason):
    """Whatever is wrong with a file, the user reads one sentence, not a parser's traceback."""
    assert reason in problem_of(csv, content)


def test_a_csv_file_of_too_many_inputs_is_refused(csv):
    """Seventeen input columns are one too many."""
    names = ",".join(f"input{place}" for place in range(1, 18))
    assert problem_of(csv, f"observation,{names},output\n0,{'0,' * 17}1\n") == (
        "gate 'mine' has 17 inputs; allowed are 1 to 16"
    )


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_path_that_is_no_file_is_refused_with_the_built_in_names(tmp_path, name):
    """A missing file and a folder are told apart from a gate, and the gates are listed."""
    path = tmp_path / name
    assert problem_of(read_csv, path).startswith(f"gate {str(path)!r} is not a file; allowed are or, and, xor, nand")


def test_the_last_columns_of_a_file_may_be_several_outputs(csv):
    """A half adder: the sum and the carry; which of them is which is in the column's name."""
    rows = ["observation,input1,input2,output1,output2", "0,0,0,0,0", "1,0,1,1,0", "2,1,0,1,0", "3,1,1,0,1"]
    adder = csv("\n".join(rows).encode())
    assert (adder.outputs, adder.targets.tolist()) == (2, [[0, 0], [1, 0], [1, 0], [0, 1]])
    assert Trial(gate=adder, hidden=3).network.parameters == 3 * 3 + 4 * 2
    assert adder.digest != Gate(adder.name, adder.inputs.copy(), adder.targets[:, 0].copy()).digest
