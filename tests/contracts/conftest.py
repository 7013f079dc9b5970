"""Which tests of a product of parameters run in the quick suite, where every single one is costly."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from functools import partial
from itertools import combinations, groupby

import pytest

COSTLY = {"jax", "torch"}  # backends that compile for every shape, or train one after the other
LARGE = 100  # tests of one product that are many whatever each takes
COMPILED = {"jax", "numba"}  # those to which every mixture of parameters is a program: some are in their own tests


@pytest.hookimpl(tryfirst=True)  # before those that are marked slow are left out
def pytest_collection_modifyitems(items):
    """Of a costly backend's tests, and of large products, mark those slow whose parameters meet in pairs in others.

    And those of a mixture of parameters, where each is compiled.
    """
    for item in items:
        known = parameters(item) if getattr(item, "callspec", None) else {}
        if known.get("backend") in COMPILED and "mixture" in known:
            item.add_marker(pytest.mark.slow)
    multiplied = [item for item in items if getattr(item, "callspec", None)]
    for (_, _, backend), group in groupby(
        multiplied, lambda item: (item.path, item.originalname, parameters(item)["backend"])
    ):
        tests = list(group)
        if backend not in COSTLY and (backend is None or len(tests) < LARGE):
            continue
        kept = pairwise_covering([pairs(item) for item in tests])
        for place, item in enumerate(tests):
            if place not in kept:
                item.add_marker(pytest.mark.slow)


def parameters(item):
    """Return a test's parameters by name, those of unnamed backends None."""
    return {"backend": None} | item.callspec.params


def pairs(item):
    """Return all pairs of a test's parameters, or the only one there is; a precision need not meet all the others."""
    values = sorted((name, str(value)) for name, value in item.callspec.params.items() if name != "backend")
    precision = {(value,) for value in values if value[0] == "dtype"}
    others = [value for value in values if value[0] != "dtype"]
    return precision | set(combinations(others, min(2, len(others))))


def pairwise_covering(tests):
    """Return the places of tests that together hold every pair that any holds: the most new, then the rarest ones."""
    missing, kept, held = set().union(*tests), set(), Counter()

    def worth(place):
        return len(tests[place] & missing), -sum(held[pair] for pair in tests[place])

    while missing:
        best = max(range(len(tests)), key=worth)
        kept.add(best)
        held.update(tests[best])
        missing -= tests[best]
    return kept or set(range(len(tests)))


# ------------------------------------------------------------------ MLflow servers


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end(process, number):
    """End a server with the process that answers for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait(30)


@pytest.fixture(scope="session")
def serve():
    """Start an MLflow server that keeps its artifacts itself, on a folder with a store; return its port and its end."""
    processes = []

    def begin(folder, port=None):
        port = port or free_port()
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        command += ["--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port)]
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--workers", "1"], cwd=folder, stdout=log, stderr=log, start_new_session=True
            )
        processes.append(process)
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        return port, partial(end, process, signal.SIGKILL)

    yield begin
    for process in processes:
        end(process, signal.SIGTERM)


@pytest.fixture(scope="session")
def server(tmp_path_factory, blank_store, serve):
    """An MLflow server that keeps its artifacts itself."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "mlflow.db").write_bytes(blank_store.read_bytes())
    return f"http://127.0.0.1:{serve(folder)[0]}"
