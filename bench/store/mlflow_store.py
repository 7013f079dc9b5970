"""MLflow tracking store: made whole or not at all, checked before any work, and tuned where it is SQLite."""

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError

from bench.errors import CREDENTIALS, RequestError
from bench.store.names import ARTIFACTS, JOURNAL, KIND, PARENT_TAG, SQLITE, is_there, tracking_uri
from bench.store.patience import PATIENCE_S, PatientClient, in_a_line, waiting
from bench.store.spool import PART, Spool, write_whole
from bench.user_files import check_name

StoreError = MlflowException  # what a store raises that was reached and then failed
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on runs, not on chats
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # that MLflow knows
REACH_TIMEOUT_S = 5.0
LOCK_TIMEOUT_S = 60.0  # another process makes the tables of a new store in seconds
STALE = ("-wal", "-shm", "-journal")  # files of SQLite beside a database, which it would play into a new one


def existing_store(given: str | None) -> "Store":
    """Open a store that is there: looking at one must not create it."""
    uri = tracking_uri(given)
    if not is_there(uri):
        raise RequestError(f"there is no sweep in {uri}; run one with: python -m bench sweep")
    return Store(uri)


class Store:
    """MLflow tracking store; raises RequestError if it cannot be reached."""

    def __init__(self, uri: str, say: Callable[[str], None] = lambda _: None) -> None:
        """Reach the store now, so that a wrong URI costs no training; ``say`` is told where it keeps one waiting."""
        self.path = _sqlite_path(uri)
        self.say = say
        self._artifact_uris: dict[str, str] = {}
        self._locations: dict[str, str] = {}
        self.spools: dict[str, Spool] = {}  # by run, where what it writes is kept as well
        # MLflow keeps one engine per URI for the whole process: a relative path must not change its meaning
        self.uri = uri if self.path is None else f"sqlite:///{self.path}"
        _quiet()
        if self.path is not None:
            _check_files(uri, self.path)
        if self.is_remote:
            _check_server(uri)
        where = f"tracking URI {uri!r}"
        try:
            # MLflow makes its tables on first sight, and two at once get in each other's way
            with waiting(where, say), self.lock():
                if self.path is not None and not self.path.exists():
                    _make_database(self.path)
                elif uri.startswith(DATABASES):
                    _connect_once(uri)
                self._file = _file_of(self.path)
                client = MlflowClient(tracking_uri=self.uri)
                self.client = PatientClient(client, where, self.check, say, remote=self.is_remote)
                self.client.search_experiments(max_results=1)
        except Timeout as error:
            raise RequestError(
                f"tracking URI {uri!r}: {error.lock_file!r} cannot be locked; allowed is a folder that keeps locks"
            ) from error
        except Exception as error:
            raise RequestError(f"tracking URI {uri!r} cannot be used: {in_a_line(error)}") from error

    def lock(self) -> contextlib.AbstractContextManager[Any]:
        """Hold a lock of the store's for a moment: what is read and then written here is nobody else's meanwhile."""
        return contextlib.nullcontext() if self.path is None else FileLock(f"{self.path}.lock", timeout=LOCK_TIMEOUT_S)

    def check(self) -> None:
        """Raise StoreError where the database is no longer the file that was opened: SQLite would write to no place."""
        if _file_of(self.path) != self._file:
            raise StoreError(
                f"the database {str(self.path)!r} was deleted or replaced meanwhile; what lies beside it in "
                f"{ARTIFACTS!r} becomes sweeps again with: python -m bench doctor --repair --tracking-uri {self.uri}"
            )

    def experiment_id(self, name: str) -> str:
        """Return the id of the experiment of that name, creating it if needed; SQLite's artifacts lie beside it."""
        found = self.client.get_experiment_by_name(name)
        if found is None:
            location = None if self.path is None else (self.path.parent / ARTIFACTS / name).as_uri()
            try:
                return str(self.client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS))
            except MlflowException as error:
                found = self.client.get_experiment_by_name(name)  # another sweep may have made it meanwhile
                if found is None:
                    raise RequestError(f"MLflow experiment {name!r} cannot be created: {in_a_line(error)}") from error
        if found.lifecycle_stage != "active":
            raise RequestError(
                f"MLflow experiment {name!r} is deleted; restore it or give the experiment file another name"
            )
        return str(found.experiment_id)

    def artifacts_of(self, experiment_id: str) -> str:
        """Return where the artifacts of an experiment's runs go, which never changes."""
        if experiment_id not in self._locations:
            self._locations[experiment_id] = str(self.client.get_experiment(experiment_id).artifact_location)
        return self._locations[experiment_id]

    def runs(
        self,
        kind: str,
        experiment: str | None = None,
        parent: str | None = None,
        tag: tuple[str, str] | None = None,
        status: str | None = None,
    ) -> Iterator[Run]:
        """Yield the runs of a kind, newest first: of one experiment, below a parent, with a tag or status if given."""
        if experiment is None:
            ids = [item.experiment_id for item in self.client.search_experiments()]
        else:
            found = self.client.get_experiment_by_name(experiment)
            ids = [] if found is None else [found.experiment_id]
        tags = {KIND: kind, **({PARENT_TAG: parent} if parent else {}), **dict([tag] if tag else [])}
        where = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        where += f" and attributes.status = '{status}'" if status else ""
        newest_first = ["attributes.start_time DESC"]
        token: str | None = None
        while ids:
            page = self.client.search_runs(ids, where, order_by=newest_first, max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def has_artifact(self, run_id: str, name: str) -> bool:
        """Return whether a run keeps a file or a folder of this name, or of this path."""
        place = self.in_place(run_id, name)
        if place is not None:
            return place.exists()
        folder = name.rpartition("/")[0] or None
        return any(artifact.path == name for artifact in self.client.list_artifacts(run_id, folder))

    @contextlib.contextmanager
    def artifact(self, run_id: str, name: str) -> Iterator[Path]:
        """Yield the path of an artifact: in place if that is on this machine, else of a copy that ends here."""
        place = self.in_place(run_id, name)
        if place is not None:  # MLflow's own download would leave a copy behind each time
            yield place
            return
        with tempfile.TemporaryDirectory() as folder:
            with _across_a_network(name, "downloaded"):
                copy = download_artifacts(run_id=run_id, artifact_path=name, dst_path=folder, tracking_uri=self.uri)
            yield Path(copy)

    def in_place(self, run_id: str, name: str) -> Path | None:
        """Return where an artifact is or would be on this machine; None where it is elsewhere."""
        if run_id not in self._artifact_uris:  # it never changes, and MLflow asks for the whole run each time
            self._artifact_uris[run_id] = self.client.get_run(run_id).info.artifact_uri
        uri = f"{self._artifact_uris[run_id]}/{name}"
        return Path(local_file_uri_to_path(uri)) if is_local_uri(uri) else None

    def write(self, run_id: str, name: str, write: Callable[[Path], object]) -> None:
        """Write an artifact of a run by this name or path: whole or not at all, where it lies on this machine.

        What has a spool goes there first.
        """
        if run_id in self.spools:
            write = self._spooled(run_id, name, write)
        place = self.in_place(run_id, name)
        if place is None:
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / Path(name).name
                write(copy)
                with _across_a_network(name, "uploaded"):
                    self.client.log_artifact(run_id, str(copy), name.rpartition("/")[0] or None)
            return
        self.check()
        try:
            write_whole(place, write)
        except OSError as error:  # the disk's own words are without a place
            raise StoreError(f"{str(place)!r} cannot be written: {error.strerror or in_a_line(error)}") from error

    def _spooled(self, run_id: str, name: str, write: Callable[[Path], object]) -> Callable[[Path], object]:
        """Write into a run's spool; return what copies it from there. One that cannot be written is given up."""
        spool = self.spools[run_id]
        try:
            write_whole(spool.artifacts / name, write)
        except OSError as error:
            self.spools.pop(run_id).drop()  # the server has all that was in it
            self.say(spool.unkept(error))
            return write
        return partial(shutil.copy, spool.artifacts / name)

    def tidy(self, run_id: str) -> None:
        """Remove what a process that was killed had begun to write, and nobody reads."""
        folder = self.in_place(run_id, ".")
        for path in () if folder is None else folder.rglob(f".*{PART}"):
            path.unlink(missing_ok=True)

    @property
    def journal(self) -> Path:
        """The file of Optuna's studies: beside the store, or in the working folder if that is no file."""
        return (Path.cwd() if self.path is None else self.path.parent) / JOURNAL

    @cached_property
    def is_remote(self) -> bool:
        """Whether an MLflow server is between us and the data."""
        return self.uri.startswith(("http://", "https://"))

    def analyze(self) -> None:
        """Let SQLite gather its statistics: MLflow never does, and reads of curves are 30 times slower without."""
        if self.path is None:
            return
        self.check()
        with contextlib.closing(sqlite3.connect(self.path)) as connection, contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA analysis_limit=1000")
            connection.execute("ANALYZE")
            connection.commit()


@contextlib.contextmanager
def _across_a_network(name: str, done: str) -> Iterator[None]:
    """Raise StoreError where a file does not come across: what MLflow raises then may be of its HTTP library."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{name} cannot be {done}: {in_a_line(error)}") from error


@event.listens_for(Engine, "connect")
def _tune_sqlite(connection: Any, record: Any) -> None:
    """Write ahead and without a disk flush per transaction: a crash of the machine may lose the last runs."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"PRAGMA busy_timeout={PATIENCE_S * 1000:.0f}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        record.info["path"] = connection.execute("PRAGMA database_list").fetchone()[2]
        record.info["file"] = _file_of(record.info["path"])


@event.listens_for(Engine, "checkout")
def _connect_anew(_connection: Any, record: Any, _proxy: Any) -> None:
    """Use no connection to a database that another has replaced: MLflow keeps them for the life of a process."""
    if record.info.get("path") and _file_of(record.info["path"]) not in (None, record.info["file"]):
        raise DisconnectionError


def _file_of(path: str | Path | None) -> tuple[int, int] | None:
    """Return which file a database is, whatever its name; None where there is none."""
    if path is None:
        return None
    try:
        found = os.stat(path)  # noqa: PTH116 - a path may be text
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _sqlite_path(uri: str) -> Path | None:
    """Return the database's file; raise RequestError for a path that a URI would not carry unchanged."""
    if not uri.startswith(SQLITE):
        return None
    path = Path(uri.removeprefix(SQLITE)).resolve()
    check_name(path, f"tracking URI {uri!r}")
    strange = sorted(set("?#%") & set(str(path)))
    if strange:
        raise RequestError(
            f"tracking URI {uri!r} is the file {str(path)!r}; allowed are paths without {' '.join(strange)}"
        )
    return path


def _quiet() -> None:
    """Keep MLflow and Alembic from announcing every table that they create, each file, and failures with tracebacks."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # stdout is for results
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("mlflow.store.db.utils", "mlflow.utils.rest_utils", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # whatever they say of failures is raised or waited for, too


def _check_server(uri: str) -> None:
    """Raise RequestError within seconds where MLflow itself would ask a server for minutes."""
    try:
        with urllib.request.urlopen(  # noqa: S310 - only http and https come here
            CREDENTIALS.sub(r"\1", uri).rstrip("/") + "/health", timeout=REACH_TIMEOUT_S
        ):
            return
    except urllib.error.HTTPError:
        return  # a server answered, if only to ask for a password
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RequestError(
            f"tracking server {uri!r} does not answer ({reason}); allowed is a running MLflow server"
        ) from error


def _check_files(uri: str, path: Path) -> None:
    """Raise RequestError where SQLite or the artifacts beside it could not be written."""
    artifacts = path.parent / ARTIFACTS
    if not path.parent.is_dir():
        raise RequestError(f"tracking URI {uri!r}: {str(path.parent)!r} is not a folder; allowed is one that exists")
    if path.exists() and not path.is_file():
        raise RequestError(f"tracking URI {uri!r}: {str(path)!r} is no file; allowed are a database's and a new one's")
    for used in (path.parent, path, artifacts):
        if used.exists() and not os.access(used, os.W_OK):
            raise RequestError(f"tracking URI {uri!r}: {str(used)!r} cannot be written; allowed is a place that can")
    if artifacts.exists() and not artifacts.is_dir():
        raise RequestError(f"tracking URI {uri!r}: {str(artifacts)!r} is not a folder; allowed is one for artifacts")


def _connect_once(uri: str) -> None:
    """Raise an error of SQLAlchemy's within seconds where MLflow itself would try a database for minutes."""
    engine = create_engine(uri)
    inspect(engine).get_table_names()
    engine.dispose()


def _make_database(path: Path) -> None:
    """Make an MLflow database at a path that has none, and whose lock is held.

    MLflow makes its tables in some hundred transactions, and refuses a database that has only some of them. So it
    makes them in a file of a name never used before, since it keeps an engine for each URI; the copy of that file has
    no write-ahead log of its own, and gets the path as its name in one step.
    """
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder = path.with_name(f"{path.name}.new")
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed here
    folder.mkdir()
    try:
        first, whole = folder / f"{uuid4().hex}.db", folder / "whole.db"
        SqlAlchemyStore(f"sqlite:///{first}", DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH).engine.dispose()
        with contextlib.closing(sqlite3.connect(first)) as connection:
            connection.execute("VACUUM INTO ?", [str(whole)])
        for ending in STALE:
            path.with_name(path.name + ending).unlink(missing_ok=True)
        os.replace(whole, path)  # noqa: PTH105 - named for what it is: atomic
    finally:
        shutil.rmtree(folder, ignore_errors=True)
