"""Points of maps, a row each: in Parquet shards while they are trained, as arrays where they are read.

Shapes: T rows of a shard, M points of a map (see `bench.model.maps`), N observations.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.maps import MISSING, RESULTS, Map, MapPoints
from bench.model.outcome import NEVER, Record, Result, read_outcome
from bench.store.tables import CHECKSUMS, shard_file

ArrowTable: TypeAlias = pa.Table
PLACE, PREDICTION = "place", "prediction_"


def point_rows(record: Record) -> pa.Table:
    """Return what became of some points, the places being the record's seeds."""
    size, observations = len(record.seeds), len(record.trial.targets)
    if record.outcome is None:
        code = RESULTS.index(Result(str(record.result)))
        outcome_T, loss_T = np.full(size, code, np.int8), np.full(size, np.nan, np.float32)
        solved_T = correct_T = np.full(size, NEVER, np.int32)
        predictions_TN = np.full((size, observations), np.nan, np.float32)
    else:
        reading = read_outcome(record.trial, record.outcome)
        outcome_T = np.zeros(size, np.int8)
        for code, result in enumerate(RESULTS):
            outcome_T[reading.result_T == result] = code
        with np.errstate(over="ignore"):  # of what diverges
            loss_T = reading.final_loss_T.astype(np.float32)
            predictions_TN = record.outcome.predictions_TN.astype(np.float32)
        solved_T, correct_T = (
            at_T.astype(np.int32) for at_T in (record.outcome.solved_at_T, record.outcome.correct_at_T)
        )
    columns: dict[str, Any] = {
        PLACE: np.asarray(record.seeds, np.int32),
        c.OUTCOME: outcome_T,
        c.SOLVED_AT: solved_T,
        c.CORRECT_AT: correct_T,
        c.FINAL_LOSS: loss_T,
        **{f"{PREDICTION}{n}": np.ascontiguousarray(predictions_TN[:, n]) for n in range(observations)},
        c.REASON: pa.array([record.reason] * size, pa.string()),
    }
    return pa.table(columns)


def write_points(table: pa.Table, path: Path) -> None:
    """Write a shard: whole numbers by their differences, others by their bytes, which halves them."""
    whole = [PLACE, c.SOLVED_AT, c.CORRECT_AT]
    real = [field.name for field in table.schema if field.type == pa.float32()]
    encoding = {**dict.fromkeys(whole, "DELTA_BINARY_PACKED"), **dict.fromkeys(real, "BYTE_STREAM_SPLIT")}
    pq.write_table(
        table,
        path,
        compression="zstd",
        use_dictionary=[c.OUTCOME, c.REASON],
        column_encoding=encoding,
        write_statistics=False,
        store_schema=False,
        **CHECKSUMS,
    )


def read_points(found: Map, files: Iterable[Path]) -> MapPoints:
    """Return all points that the shards have, each once; a shard that was cut off by a kill counts as never written."""
    size, observations = found.points, len(found.trial.targets)
    points = MapPoints(
        outcome_M=np.full(size, MISSING, np.int8),
        solved_at_M=np.full(size, NEVER, np.int32),
        correct_at_M=np.full(size, NEVER, np.int32),
        final_loss_M=np.full(size, np.nan, np.float32),
        predictions_MN=np.full((size, observations), np.nan, np.float32),
        reasons={},
    )
    for path in files:
        with shard_file(path) as file:
            if file is not None:
                for group in range(file.num_row_groups):
                    _put(file.read_row_group(group), points)
    return points


def _put(table: pa.Table, points: MapPoints) -> None:
    place_T = table[PLACE].to_numpy()
    points.outcome_M[place_T] = table[c.OUTCOME].to_numpy()
    points.solved_at_M[place_T] = table[c.SOLVED_AT].to_numpy()
    points.correct_at_M[place_T] = table[c.CORRECT_AT].to_numpy()
    points.final_loss_M[place_T] = table[c.FINAL_LOSS].to_numpy()
    for n in range(points.predictions_MN.shape[1]):
        points.predictions_MN[place_T, n] = table[f"{PREDICTION}{n}"].to_numpy()
    if table[c.REASON].null_count < len(table):
        for counted in table[c.REASON].value_counts().to_pylist():
            if counted["values"] is not None:
                points.reasons[counted["values"]] = points.reasons.get(counted["values"], 0) + counted["counts"]


def trained_places(found: Map, files: Iterable[Path]) -> NDArray[np.bool_]:
    """Return which points of a map the shards have ``[M]``."""
    there_M = np.zeros(found.points, bool)
    for path in files:
        with shard_file(path) as file:
            if file is not None:
                there_M[file.read([PLACE])[PLACE].to_numpy()] = True
    return there_M
