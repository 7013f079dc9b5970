"""Files of rows: nothing is lost in them."""

import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.metrics import columns as c
from bench.store.tables import GROUP, TRAINING_SCHEMA, write_table

NUMBERS = st.one_of(st.none(), st.floats())
ROW = st.fixed_dictionaries(
    {
        c.TRIAL_ID: st.sampled_from(["a", "b"]),
        c.SEED: st.integers(0, 2**32 - 1),
        c.FINAL_LOSS: NUMBERS,
        c.SOLVED_AT: st.one_of(st.none(), st.integers(0, 2**40)),
        c.CURVE: st.one_of(st.none(), st.lists(st.floats(), max_size=5)),
    }
)


def bits(value):
    """Return what tells two numbers apart, a NaN of one sign from that of another too."""
    if isinstance(value, list):
        return [bits(item) for item in value]
    return struct.pack("d", value) if isinstance(value, float) else value


@given(st.lists(ROW, max_size=20), st.sampled_from([1, 7, GROUP]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_number_comes_back_bit_for_bit(tmp_path, rows, group):
    """Missing ones, infinities and lists of any length included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.store.tables.GROUP", group)
        write_table(pa.Table.from_pylist(rows, schema=TRAINING_SCHEMA), tmp_path / "x.parquet")
    back = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert [{name: bits(row[name]) for name in sent} for row, sent in zip(back, rows, strict=True)] == [
        {name: bits(value) for name, value in sent.items()} for sent in rows
    ]
