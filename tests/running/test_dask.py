"""A Dask cluster as it will be used: whatever dies, hangs, comes late or is of another version, rows are the same."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

import bench as package
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.model.trial import Trial
from bench.running import dask_executor
from bench.running.chunks import Chunk, Job, train_chunk
from bench.running.code_version import code_version, differences
from bench.running.executors import train_chunks

pytest.importorskip("distributed")

CODE = Path(package.__file__).parents[1]
TRIAL = Trial(backend="numpy", iterations=3000)  # about a tenth of a second
NUMBERS = ("loss_TC", "predictions_TN", "weights_TP", "solved_at_T", "correct_at_T", "iterations_T")
REQUEST = ("hidden=2,3", "seeds=0:24", "iterations=6000", "backend=numpy", "--no-report", "--no-budget-check")


def chunks(count):
    """Return chunks of one training each."""
    return [Chunk((Job(TRIAL, (seed,)),)) for seed in range(count)]


def numbers(records):
    """Return all that was computed, as bytes by trial and seed; each may be there once."""
    found = {}
    for record in records:
        assert record.outcome is not None, record.reason
        for place, seed in enumerate(record.seeds):
            key = (record.trial.trial_id, seed)
            assert key not in found
            found[key] = b"".join(getattr(record.outcome, name)[place].tobytes() for name in NUMBERS)
    return found


@pytest.fixture(scope="module")
def serial():
    """The numbers of forty trainings, one after the other in this process."""
    return numbers([record for chunk in chunks(40) for record in train_chunk(chunk)])


class Cluster:
    """A scheduler and its workers, processes on this machine's own loopback."""

    def __init__(self, folder, scheme="tcp", options=()):
        self.folder, self.options, self.started = folder, options, []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"{scheme}://127.0.0.1:{self.port}"
        self.executor = self.address.replace("tcp", "dask")
        (folder / "none").mkdir()
        (folder / "none/sitecustomize.py").write_text("import sys\nsys.modules['bench'] = None\n")
        self.scheduler = self.begin_scheduler()

    def begin_scheduler(self):
        """Start a scheduler that has no bench, as it needs none."""
        words = ("--host", self.address, "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
        process = self.begin("dask_scheduler", *words, path=self.folder / "none")
        for _ in range(200):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", self.port)) == 0:
                    return process
            time.sleep(0.1)
        raise AssertionError("the scheduler did not begin")

    def worker(self, *words, path=CODE):
        """Start a worker of one thread, whose bench is the one of this folder."""
        return self.begin("dask_worker", self.address, "--nthreads", "1", "--no-dashboard", *words, path=path)

    def begin(self, module, *words, path=CODE):
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *words, *self.options],
            cwd=self.folder, env={**os.environ, "PYTHONPATH": str(path)}, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.started.append(process)
        return process

    def end(self):
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    """A scheduler that has no worker yet."""
    one = Cluster(tmp_path)
    yield one
    one.end()


@pytest.fixture
def impatient(monkeypatch):
    """Look often, and wait seconds where a sweep waits a minute."""
    for name, value in {"LOOK_S": 0.1, "HANGS_S": 2.0, "LOST_S": 20.0}.items():
        monkeypatch.setattr(dask_executor, name, value)


@pytest.fixture
def opened():
    """Open executors that are closed in the end."""
    found = []

    def open_one(name, workers=1, say=lambda _: None):
        found.append(dask_executor.DaskExecutor(name, workers, say))
        return found[-1]

    yield open_one
    for one in found:
        one.close()


def trained(executor, some, after=None, action=lambda: None):
    """Return the records of chunks; once ``after`` of them are there, something happens."""
    records = []
    for count, some_records in enumerate(
        train_chunks(lambda: executor, some, lambda: executor.window, threading.Event()), 1
    ):
        records += some_records
        if count == after:
            action()
    return records


def wait_until(condition, seconds=30.0):
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


# ------------------------------------------------------------------ workers


def altered(folder):
    """Return a folder with a copy of bench in which a comment was added."""
    shutil.copytree(CODE / "bench", folder / "other" / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "other/bench/model/loss.py").open("a") as source:
        source.write("# altered\n")
    return folder / "other"


@pytest.mark.slow
def test_workers_of_another_bench_or_none_are_refused_by_name(cluster, opened, impatient, serial, tmp_path):
    """With no other worker the request is refused; a right one that joins does all the work, and they get none."""
    cluster.worker(path=altered(tmp_path))
    cluster.worker(path=tmp_path / "none")
    refused = []

    def is_refused(workers):
        try:
            said.clear()
            opened(cluster.executor, say=said.append).close()
        except RequestError as error:
            refused[:] = error.problems
        return len(said) == workers

    said = []
    wait_until(lambda: is_refused(2))
    assert all("worker tcp://127.0.0.1:" in problem for problem in refused)
    cluster.worker()
    executor = None

    def is_open():
        nonlocal executor
        try:
            executor = opened(cluster.executor)
        except RequestError:
            return False
        return True

    wait_until(is_open)
    assert executor.threads == 1
    assert numbers(trained(executor, chunks(10))) == dict(list(serial.items())[:10])
    ours, other = code_version()["bench"], next(line for line in said if "has bench" in line)
    assert f"(here {ours})" in other
    assert next(line for line in said if "has no bench" in line).startswith("worker tcp://127.0.0.1:")


def test_versions_are_compared_where_both_have_them():
    """Another version of Python or of a library that trains is named; one that only we have is not asked for."""
    ours = {"bench": "1 with code ab", "Python": "3.12", "numpy": "2.0", "jax": "1"}
    assert differences({"bench": "1 with code ab", "Python": "3.12", "numpy": "2.0"}, ours) == ""
    assert (
        differences({**ours, "Python": "3.11", "numpy": "1.9"}, ours) == "Python 3.11 (here 3.12), numpy 1.9 (here 2.0)"
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_a_worker_packs_is_unpacked_bit_for_bit(dtype):
    """Also of trainings that diverge; what float32 cannot hold stays as it is."""
    (record,) = train_chunk(Chunk((Job(Trial(iterations=200, learning_rate=1e6, loss="bce", dtype=dtype), range(9)),)))
    packed = dask_executor.packed(record.outcome)
    assert packed.loss_TC.dtype == dtype
    for name in ("seconds_TC", *NUMBERS):
        before, after = (getattr(one, name) for one in (record.outcome, dask_executor.unpacked(packed)))
        assert (after.dtype, after.shape, after.tobytes()) == (before.dtype, before.shape, before.tobytes())


def test_a_wrong_worker_that_was_quicker_than_its_check_trains_nothing():
    """It raises instead, and the driver gives the chunk to others."""
    with pytest.raises(dask_executor.OtherCodeError, match=r"\(here 0\)"):
        dask_executor.train_on_worker(chunks(1)[0], {**code_version(), "numpy": "0"})


@pytest.mark.slow
def test_a_wrong_worker_that_joins_late_gets_nothing(cluster, opened, impatient, serial, tmp_path):
    """Chunks that it was given before it was known come back untrained, and are trained by others."""
    cluster.worker()
    said = []
    executor = opened(cluster.executor, say=said.append)
    wait_until(lambda: executor.threads == 1)

    def join():
        cluster.worker(path=altered(tmp_path))
        cluster.worker(path=tmp_path / "none")

    assert numbers(trained(executor, chunks(40), after=3, action=join)) == serial
    wait_until(lambda: len([line for line in said if "allowed are workers" in line]) == 2)
    assert executor.threads == 1


@pytest.mark.slow
def test_a_killed_worker_and_one_that_joins_late_change_no_row(cluster, opened, impatient, serial):
    """What the killed one had is trained by the late one; the window follows the cluster."""
    first = cluster.worker("--no-nanny")
    executor = opened(cluster.executor)
    wait_until(lambda: executor.threads == 1)
    assert executor.window == dask_executor.PER_THREAD + dask_executor.MORE

    def replace():
        cluster.worker("--no-nanny")
        cluster.worker("--no-nanny")
        os.killpg(first.pid, signal.SIGKILL)

    assert numbers(trained(executor, chunks(40), after=5, action=replace)) == serial
    wait_until(lambda: executor.threads == 2)
    assert executor.window == 2 * dask_executor.PER_THREAD + dask_executor.MORE


@pytest.mark.slow
def test_a_hanging_worker_is_passed_over_until_it_wakes(cluster, opened, impatient, serial):
    """Its chunks are tried on another worker; when it goes on it gets work again, and its late results are dropped."""
    hanging = cluster.worker("--no-nanny")
    said = []
    executor = opened(cluster.executor, say=said.append)
    wait_until(lambda: executor.threads == 1)
    cluster.worker("--no-nanny")
    wait_until(lambda: executor.threads == 2)
    records = trained(executor, chunks(40), after=5, action=lambda: os.kill(hanging.pid, signal.SIGSTOP))
    assert numbers(records) == serial
    assert executor.threads == 1
    assert [line for line in said if "has not come back with its work" in line and "others do its work" in line]
    os.kill(hanging.pid, signal.SIGCONT)
    wait_until(lambda: executor.threads == 2)
    assert numbers(trained(executor, chunks(40))) == serial


@pytest.mark.slow
def test_when_every_worker_hangs_the_user_is_told(cluster, opened, impatient, serial):
    """It is said once, and the sweep waits for it or for another worker."""
    hanging = cluster.worker("--no-nanny")
    said = []
    executor = opened(cluster.executor, say=said.append)
    wait_until(lambda: executor.threads == 1)
    others = []

    def stop():
        os.kill(hanging.pid, signal.SIGSTOP)
        threading.Thread(target=help_later).start()

    def help_later():
        wait_until(lambda: any("no other worker can train" in line for line in said))
        others.append(cluster.worker("--no-nanny"))

    assert numbers(trained(executor, chunks(40), after=5, action=stop)) == serial
    assert others
    assert len([line for line in said if "no other worker can train" in line]) == 1


class DeadlySeeds(tuple):
    """Seeds of which one ends the process that is to train it."""

    __slots__ = ()

    def __getitem__(self, place):
        found = super().__getitem__(place)
        return DeadlySeeds(found) if isinstance(place, slice) else found

    def __reduce__(self):
        return (os._exit, (1,)) if 100 in self else (tuple, (tuple(self),))


@pytest.mark.slow
def test_a_training_that_kills_its_workers_is_found(cluster, opened, impatient, serial):
    """It is halved down to, recorded as failed, and all others are trained."""
    cluster.worker()  # its nanny starts it again each time
    executor = opened(cluster.executor)
    deadly = Job(TRIAL, DeadlySeeds((3, 100)))
    records = trained(executor, [*chunks(3), Chunk((deadly,))])
    failed = [record for record in records if record.result == Result.FAILED]
    assert [tuple(record.seeds) for record in failed] == [(100,)]
    assert "worker process died" in failed[0].reason
    assert numbers([record for record in records if record.outcome is not None]) == dict(list(serial.items())[:4])


# ------------------------------------------------------------------ schedulers


@pytest.mark.slow
def test_a_restarted_scheduler_is_found_again(cluster, opened, impatient, serial):
    """What was in flight is submitted again; nothing is in the rows twice."""
    cluster.worker()
    executor = opened(cluster.executor)
    wait_until(lambda: executor.threads == 1)

    def restart():
        os.killpg(cluster.scheduler.pid, signal.SIGKILL)
        cluster.scheduler.wait()
        cluster.scheduler = cluster.begin_scheduler()
        cluster.worker()

    assert numbers(trained(executor, chunks(40), after=5, action=restart)) == serial


def test_a_scheduler_that_cannot_be_reached_is_told_before_any_work(bench, monkeypatch):
    """One sentence for an address where nobody listens, and one for tls:// without a certificate."""
    monkeypatch.setattr(dask_executor, "REACH_S", 0.2)
    for executor, why in (("dask://127.0.0.1:1", "does not answer"), ("tls://127.0.0.1:1", "needs a certificate")):
        ran = bench("sweep", "seeds=0:2", "--executor", executor)
        assert ran.status == 2
        assert why in ran.err
        assert len(ran.err.splitlines()) == 1


def wait_for_a_shard(folder, process):
    """Wait until something is safe; the sweep must still be going on."""
    wait_until(lambda: list((folder / "mlruns").rglob("shards/*.parquet")) or process.poll() is not None)
    assert process.poll() is None, process.communicate()


def lines(err):
    """Return what was said, but for the wait for a worker that is just being started."""
    return [line for line in err.splitlines() if line != dask_executor.WAITING]


def rows(bench, sweep):
    """Return the rows of a sweep, but for their timing."""
    bench("export", *sweep, "-o", "rows.parquet")
    return pd.read_parquet("rows.parquet").drop(columns=[c.ITERATION_US])


@pytest.fixture(scope="module")
def whole(made, command):
    """The rows of a sweep that nothing happened to."""
    folder = made("serially", "sweep", *REQUEST, "--executor", "serial")
    command(folder, "export", "-o", "rows.parquet")
    return pd.read_parquet(folder / "rows.parquet").drop(columns=[c.ITERATION_US])


@pytest.mark.slow
def test_a_scheduler_that_is_gone_ends_the_sweep_with_a_sentence(bench, folder, start, cluster, whole):
    """Exit status 1, what was finished is safe, and --resume goes on."""
    cluster.worker()
    process = start(
        folder, "sweep", *REQUEST, "--executor", cluster.executor,
        after="import bench.running.dask_executor as d; d.LOST_S = 3",
    )  # fmt: skip
    wait_for_a_shard(folder, process)
    os.killpg(cluster.scheduler.pid, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    begun, *end = lines(err)
    assert begun.startswith("sweep ")
    assert end == [
        f"the Dask scheduler at {cluster.address} has not answered for 3 s",
        f"What was finished is safe. Go on with: python -m bench sweep {' '.join(REQUEST[:4])} --resume",
    ]
    assert bench("list", "--json").json["sweeps"][0]["status"] == "KILLED"
    ran = bench("sweep", *REQUEST, "--resume", "--json")
    assert ran.status == 0, ran.err
    assert "are done" in ran.err
    pd.testing.assert_frame_equal(rows(bench, ()), whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("local", [False, True])
def test_a_driver_that_ends_is_resumed_and_leaves_no_process(bench, folder, start, cluster, whole, number, local):
    """Killed or interrupted, on a cluster of others or of its own."""
    cluster.worker()
    executor = ("dask", "--workers", "1") if local else (cluster.executor,)
    process = start(folder, "sweep", *REQUEST, "--executor", *executor)
    wait_for_a_shard(folder, process)
    own = workers_below(process.pid)
    assert bool(own) == local
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert len(lines(err)) == 2
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in own))
    ran = bench("sweep", *REQUEST, "--executor", *executor, "--resume")
    assert ran.status == 0, ran.err
    assert "are done" in ran.err
    pd.testing.assert_frame_equal(rows(bench, ()), whole)


def workers_below(pid):
    """Return the processes of Dask's workers that a process started, and all that these did."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            if found or b"dask_worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found += [int(child), *all_below(child)]
    return found


def all_below(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *all_below(child)]
    return found


# ------------------------------------------------------------------ clusters


@pytest.mark.slow
def test_a_cluster_of_ones_own_gives_the_same_rows(bench):
    """``--executor dask`` starts as many workers as are asked for, and ends them."""
    request = ("hidden=2,3", "seeds=0:24", "iterations=300", "backend=numpy", "--no-report", "--no-budget-check")
    assert bench("sweep", *request, "--executor", "serial").status == 0
    serially = rows(bench, ())
    ran = bench("sweep", *request, "--executor", "dask", "--workers", "2")
    assert ran.status == 0, ran.err
    assert "dask on 2" in ran.err
    pd.testing.assert_frame_equal(rows(bench, ()), serially)


@pytest.mark.slow
def test_a_map_on_a_cluster_is_the_same_file(bench, folder):
    """Places go the way of seeds."""
    words = ("hidden=2", "iterations=400", "map.x=toward:1:-1.5..2.5", "map.y=toward:3:-1.5..2.5", "map.size=48")
    exported = []
    for executor in ("serial", "dask"):
        assert bench("sweep", *words, "--no-report", "--executor", executor).status == 0
        bench("export", "-o", f"{executor}.npz")
        exported.append(Path(f"{executor}.npz").read_bytes())
    assert exported[0] == exported[1]


@pytest.mark.slow
def test_an_adaptive_cluster_grows_with_the_work(opened, impatient, serial, monkeypatch):
    """It has no worker at first, and as many as it may when there is work."""
    from distributed import LocalCluster

    monkeypatch.setenv("PYTHONPATH", str(CODE))
    with LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1") as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="200ms")
        executor = opened(cluster.scheduler_address.replace("tcp", "dask"))
        assert executor.threads == 0
        assert numbers(trained(executor, chunks(40))) == serial
        assert executor.threads == 2
        executor.close()


@pytest.mark.slow
def test_tls_is_spoken_with_dasks_own_configuration(bench, folder, monkeypatch, whole):
    """A scheduler that takes no one without a certificate takes this."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
         "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    cluster = Cluster(folder, "tls", ("--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key))
    try:
        cluster.worker()
        import dask

        tls = {"ca-file": cert, "client.cert": cert, "client.key": key}
        with dask.config.set({f"distributed.comm.tls.{name}": value for name, value in tls.items()}):
            ran = bench("sweep", *REQUEST, "--executor", cluster.executor)
    finally:
        cluster.end()
    assert ran.status == 0, ran.err
    pd.testing.assert_frame_equal(rows(bench, ()), whole)
