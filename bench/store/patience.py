"""MLflow's client with patience: it waits for a store that is locked, and asks again where an answer was lost.

A server may have acted before its answer was lost, and a run that is created twice is one too many. So a run has a tag
of its own from the beginning, by which it is looked for before it is created again.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException

PATIENCE_S = 60.0  # for a store that is locked, or whose answers are lost
TELL_S = 10.0  # after which, and again and again, it is said that a store does not answer
PAUSES_S = (0.2, 1.0, 2.0, 4.0, 8.0)  # before asking again; the last one then stays
ATTEMPT_TAG = "bench.attempt"  # of a run that was asked for across a network, a name of its own
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
PASSES = ("database is locked", "database table is locked")  # what SQLite says of others' transactions
LOST = ("failed with exception", "not in a valid JSON format", "failed with error code 5")  # MLflow's of answers


class PatientClient:
    """MLflow's client, each of whose calls waits for what passes; ``say`` is told of it.

    ``check`` is asked before and after each call whether the store is still there, and raises if it is not.
    """

    def __init__(
        self, client: MlflowClient, where: str, check: Callable[[], None], say: Callable[[str], None], *, remote: bool
    ) -> None:
        """Wait for the store at ``where``, which is ``remote`` where a server is between us and the data."""
        self._client, self._where, self._check, self._say, self._remote = client, where, check, say, remote

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a call of MLflow's client that waits."""
        return partial(self._ask, getattr(self._client, name))

    def create_run(self, experiment_id: str, *, tags: dict[str, str], run_name: str | None = None) -> Any:
        """Create a run once, however often the answer is lost."""
        ask = partial(self._client.create_run, experiment_id, run_name=run_name)
        if not self._remote:
            return self._ask(ask, tags=tags)
        attempt = uuid4().hex
        where, asked = f"tags.`{ATTEMPT_TAG}` = '{attempt}'", list[str]()

        def once() -> Any:
            found = self._client.search_runs([experiment_id], where) if asked else []
            asked.append(attempt)
            with _no_retries():
                return found[0] if found else ask(tags={**tags, ATTEMPT_TAG: attempt})

        return self._ask(once)

    def _ask(self, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        with waiting(self._where, self._say):
            for pause in _pauses():
                self._check()
                try:
                    answer = call(*given, **named)
                except MlflowException as error:
                    self._check()
                    if not may_pass(error) or time.monotonic() + pause > deadline:
                        raise
                    time.sleep(pause)
                else:
                    self._check()
                    return answer
        raise AssertionError


@contextmanager
def waiting(where: str, say: Callable[[str], None]) -> Iterator[None]:
    """Say every TELL_S seconds that a store has not answered meanwhile."""
    answered = Event()

    def tell() -> None:
        started = time.monotonic()
        while not answered.wait(TELL_S):
            say(f"{where} has not answered for {time.monotonic() - started:.0f} s: it is locked or busy; waiting")

    teller = Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        answered.set()


def may_pass(error: Exception) -> bool:
    """Whether it may help to ask again: a store was locked, or an answer was lost or cut off on its way."""
    if any(words in str(error) for words in PASSES):
        return True
    return not isinstance(error, RestException) and any(words in str(error) for words in LOST)


def in_a_line(error: Exception) -> str:
    """Return what a store's error says in its first line, or in that which has SQLite's own words."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next((line for line in lines if "(sqlite3." in line), lines[0])


def _pauses() -> Iterator[float]:
    yield from PAUSES_S
    while True:
        yield PAUSES_S[-1]


@contextmanager
def _no_retries() -> Iterator[None]:
    """Keep MLflow from asking again by itself, which would not look whether the run is there."""
    before = os.environ.get(RETRIES)
    os.environ[RETRIES] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[RETRIES]
        else:
            os.environ[RETRIES] = before
