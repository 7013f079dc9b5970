"""Stores that several sweeps use at once, and servers that die or whose answers are lost."""

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from bench.metrics import columns as c
from bench.store import names
from bench.store.mlflow_store import Store

pytestmark = [pytest.mark.slow, pytest.mark.faults]

ASKED = ("gate=xor", "hidden=2,3,4", "seeds=0:6", "iterations=30", "--no-report", "--runs", "trial", "--fresh")
LONG = ("gate=xor", "hidden=2,3", "seeds=0:16", "iterations=6000", "--no-report", "--executor", "serial")
SLOW = ("gate=xor", "hidden=2,3,4", "backend=numpy", "iterations=400", "seeds=0:80", "--executor", "serial")
LOCAL = names.DEFAULT_URI
COMMAND = "python -m bench sweep gate=xor hidden=2,3 seeds=0:16 iterations=6000"
MISCHIEF = ("dropped", "502", "half", "cut off")
CREATE = "runs/create"
IMPATIENT = """
import os
import bench.store.patience
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"], bench.store.patience.PATIENCE_S = "2", 5.0
"""


class Proxy(ThreadingHTTPServer):
    """Passes requests on to a server, which acts; every answer to the creation of a run is lost, or every other one."""

    daemon_threads = True

    def __init__(self, port, mischief, path):
        super().__init__(("127.0.0.1", 0), Passing)
        self.target, self.mischief, self.path, self.lost = port, mischief, path, 0
        self.seen = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Passing(BaseHTTPRequestHandler):
    """Passes one connection's requests on."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _pass(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = http.client.HTTPConnection("127.0.0.1", self.server.target)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
        target.request(self.command, self.path, body, kept)
        answer = target.getresponse()
        content, status, length = answer.read(), answer.status, None
        target.close()
        if self.path.endswith(self.server.path):
            self.server.seen += 1
        if self.path.endswith(self.server.path) and (self.server.seen % 2 or self.server.path == CREATE):
            self.server.lost += 1
            if self.server.mischief == "dropped":
                self.close_connection = True
                return
            if self.server.mischief == "502":
                status, content = 502, b"bad gateway"
            else:
                length = len(content) if self.server.mischief == "cut off" else None
                content = content[: len(content) // 2]
        self.send_response(status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "content-length", "connection", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = length is not None

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass


@pytest.fixture
def proxy(server):
    """Stand between a sweep and the server."""
    proxies = []

    def between(mischief, path=CREATE):
        proxies.append(Proxy(int(server.rpartition(":")[2]), mischief, path))
        return proxies[-1]

    yield between
    for one in proxies:
        one.shutdown()
        one.server_close()


@pytest.mark.parametrize("mischief", MISCHIEF)
def test_a_server_whose_answers_are_lost_has_each_run_once(bench, server, proxy, mischief):
    """One run for the sweep and one for each trial, though the answer to every one was lost once."""
    between = proxy(mischief)
    ran = bench("sweep", *ASKED, "--json", "--tracking-uri", between.uri)
    assert ran.status == 0, ran.err
    assert between.lost == 4
    store = Store(server)
    assert len(list(store.runs(names.TRIAL, parent=ran.json["sweep"]))) == 3
    assert not [one for one in store.runs(names.SWEEP) if one.info.status != names.FINISHED]
    assert not list(store.runs(names.BEGINNING))
    assert bench("doctor", "--json", "--tracking-uri", server).json["store"]["found"] == []


@pytest.mark.parametrize("path", ["runs/log-batch", "runs/update", "runs/search"])
def test_half_an_answer_is_asked_for_again(bench, proxy, path):
    """Whatever it was the answer to."""
    between = proxy("half", path)
    ran = bench("sweep", *ASKED, "--json", "--tracking-uri", between.uri)
    assert ran.status == 0, ran.err
    assert between.lost


def wait_for_a_shard(folder, process):
    for _ in range(600):
        if list(folder.rglob("shards/*.parquet")):
            break
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()


def rows(bench, sweep, uri):
    assert bench("export", sweep, "-o", "x.parquet", "--tracking-uri", uri).status == 0
    return pd.read_parquet("x.parquet").drop(columns=c.ITERATION_US)


@pytest.fixture
def dying(serve, blank_store, tmp_path_factory):
    """A server with a store of its own, to be killed: its folder, its port, and its end."""
    there = tmp_path_factory.mktemp("dying")
    (there / "mlflow.db").write_bytes(blank_store.read_bytes())
    return there, *serve(there)


def test_a_server_that_comes_back_is_waited_for(bench, folder, start, serve, dying):
    """It costs nothing that was written."""
    there, port, kill = dying
    uri = f"http://127.0.0.1:{port}"
    process = start(folder, "sweep", *LONG, "--fresh", "--tracking-uri", uri)
    wait_for_a_shard(there, process)
    kill()
    time.sleep(3)
    serve(there, port)
    _, err = process.communicate(300)
    assert "Traceback" not in err
    assert process.returncode == 0, err
    (one,) = bench("list", "--json", "--tracking-uri", uri).json["sweeps"]
    whole = bench("sweep", *LONG, "--fresh", "--json").json["sweep"]
    pd.testing.assert_frame_equal(rows(bench, one["sweep"], uri), rows(bench, whole, names.DEFAULT_URI))
    assert len(list(Store(uri).runs(names.TRIAL, parent=one["sweep"]))) == 2
    assert bench("doctor", "--json", "--tracking-uri", uri).json["store"]["found"] == []


def test_a_sweep_whose_server_stays_away_goes_on_beside_it_and_is_delivered(bench, folder, start, serve, dying):
    """It ends with its report; --resume trains nothing again, and leaves the server as if it had never been away."""
    there, port, kill = dying
    uri = f"http://127.0.0.1:{port}"
    process = start(folder, "sweep", *SLOW, "-o", "r.html", "--fresh", "--tracking-uri", uri, after=IMPATIENT)
    wait_for_a_shard(there, process)
    kill()
    _, err = process.communicate(300)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert f"{uri} stayed away" in err
    assert f"--resume --tracking-uri {uri}" in err
    assert "240 trainings" in (folder / "r.html").read_text()
    (spool,) = (folder / names.SPOOL).iterdir()
    beside = f"sqlite:///{spool}/mlflow.db"
    (kept,) = bench("list", "--json", "--tracking-uri", beside).json["sweeps"]
    assert (kept["sweep"], kept["status"]) == (spool.name, names.FINISHED)
    bench("export", spool.name, "-o", "kept.parquet", "--tracking-uri", beside)
    assert [bench("doctor", "--json", "--tracking-uri", one).json["store"]["found"] for one in (beside, LOCAL)] == [
        [],
        [],
    ]
    serve(there, port)
    ran = bench("sweep", *SLOW, "--no-report", "--resume", "--tracking-uri", uri)
    assert ran.status == 0, ran.err
    assert "trainings that the server lacked are delivered" in ran.err
    assert "0 trainings of 3 trials (240 more are done)" in ran.err
    (one,) = bench("list", "--json", "--tracking-uri", uri).json["sweeps"]
    assert (one["sweep"], one["status"]) == (spool.name, names.FINISHED)
    delivered = rows(bench, one["sweep"], uri)
    took = pd.read_parquet("x.parquet")[c.ITERATION_US]
    pd.testing.assert_series_equal(took, pd.read_parquet("kept.parquet")[c.ITERATION_US])
    whole = bench("sweep", *SLOW, "--no-report", "--fresh", "--json").json["sweep"]
    pd.testing.assert_frame_equal(delivered, rows(bench, whole, LOCAL))
    assert [run.info.status for run in Store(uri).runs(names.TRIAL, parent=one["sweep"])] == [names.FINISHED] * 3
    assert bench("doctor", "--json", "--tracking-uri", uri).json["store"]["found"] == []
    assert not (folder / names.SPOOL).exists()


@pytest.mark.parametrize("kind", ["sqlite", "http"])
def test_of_two_that_resume_at_once_one_does(bench, folder, start, server, kind):
    """The other says who has the sweep."""
    uri = server if kind == "http" else names.DEFAULT_URI
    first = start(folder, "sweep", *LONG, "--fresh", "--tracking-uri", uri)
    while not list(Store(uri).runs(names.SWEEP, tag=(names.COMMAND_TAG, COMMAND))):
        assert first.poll() is None, first.communicate()
    first.kill()
    first.communicate()
    both = [start(folder, "sweep", *LONG, "--resume", "--tracking-uri", uri) for _ in range(2)]
    told = [process.communicate(120)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], told
    (refused,) = [err for process, err in zip(both, told, strict=True) if process.returncode == 2]
    assert "is still running as process" in refused or "finished by another process" in refused
    assert refused.count("\n") == 1


def test_sweeps_at_once_on_one_store_all_end_right(bench, folder, start):
    """Four of them, with a run for each training: each has its rows and its runs."""
    asked = [(f"hidden={size}", *ASKED[2:-3], "--runs", "training", "--fresh") for size in (2, 3, 4, 5)]
    processes = [start(folder, "sweep", *words) for words in asked]
    told = [process.communicate(240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, told
    sweeps = bench("list", "--json").json["sweeps"]
    assert {one["status"] for one in sweeps} == {"FINISHED"}
    assert len(sweeps) == 4
    assert all(len(rows(bench, one["sweep"], names.DEFAULT_URI)) == 6 for one in sweeps)
    assert bench("doctor", "--json").json["store"]["found"] == []
