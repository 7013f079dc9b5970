"""Tables and their downloads."""

import io
import math
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.charts import csv_uri, number
from bench.user_files import as_text

TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text.strip() == text)
FLOATS = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=False)


def read(uri):
    head, content = uri.split(",", 1)
    assert head == "data:text/csv;charset=utf-8"
    text = unquote(content)
    return pd.read_csv(
        io.StringIO(text), keep_default_na=False, na_values=[""], dtype={"name": str}, lineterminator="\n"
    )


@given(st.lists(st.tuples(TEXTS, FLOATS, st.integers(-(2**53), 2**53)), min_size=1, max_size=20))
def test_a_download_has_every_row_with_six_digits(rows):
    """Names as they are, whatever is in them, but for formulas; whole numbers whole."""
    data = pd.DataFrame(rows, columns=["name", "value", "count"])
    found = read(csv_uri(data))
    assert found["name"].tolist() == [as_text(name) for name in data["name"]]
    assert found["count"].tolist() == data["count"].tolist()
    np.testing.assert_allclose(found["value"].astype(float), data["value"], rtol=5e-6)


def test_a_download_of_nothing_has_its_heading():
    """A table without rows is one."""
    assert list(read(csv_uri(pd.DataFrame(columns=["name", "value"]))).columns) == ["name", "value"]


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA])
def test_a_cell_without_a_number_has_nothing_to_be_sorted_by(missing):
    """So that it stands last."""
    assert number("–", missing).value is None


@given(st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False)))
def test_a_cell_is_sorted_by_its_number(value):
    """Whatever it says."""
    assert number("words", value).value == float(value)
