"""Database servers of a test's own, which it may kill and start again; never those of the machine.

A test starts one::

    with own_server("postgresql") as server:
        server.connection("name")      # a URL of a database that is made for it
        server.kill()
        server.start()
"""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from cloudkitty_like.testing.network import free_port
from tests.databases import missing

PATIENCE = 90.0
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path("/usr/bin")]


class OwnServer:
    """A server process on ``port`` of this host, with its files in a directory that is removed with it."""

    def __init__(self, directory: Path, command: Sequence[str], url: str, port: int) -> None:
        self._directory, self._command, self._url, self.port = directory, command, make_url(url), port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again if need be, and wait until it answers."""
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            # Those that a killed one has left may keep the next from starting for a moment.
            if self._process is None or self._process.poll() is not None:
                with (self._directory / "log").open("ab") as log:
                    self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._directory)
            assert time.monotonic() < deadline, (self._directory / "log").read_text()[-3000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def connection(self, name: str) -> str:
        """The URL of a new database of this name."""
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url.set(database=name).render_as_string(hide_password=False)

    def _answers(self) -> bool:
        engine = create_engine(self._url)
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        finally:
            engine.dispose()
        return True


@contextmanager
def own_server(kind: str) -> Iterator[OwnServer]:
    """A running server of this kind; skipped where its programs are not installed."""
    directory = Path(tempfile.mkdtemp(prefix=f"own-{kind}-"))
    server = None
    try:
        server = (_postgresql if kind == "postgresql" else _mysql)(directory, free_port())
        server.start()
        yield server
    finally:
        if server is not None:
            server.kill()
        shutil.rmtree(directory, ignore_errors=True)


def _program(name: str, *directories: Path) -> str:
    path = shutil.which(name, path=os.pathsep.join([*map(str, directories), os.environ.get("PATH", ""), "/usr/sbin"]))
    if path is None:
        missing(f"{name} is not installed")
    return str(path)


def _postgresql(directory: Path, port: int) -> OwnServer:
    initdb, server = _program("initdb", POSTGRESQL[-1]), _program("postgres", POSTGRESQL[-1])
    data = directory / "data"
    other: list[str] = []
    if os.geteuid() == 0:              # which PostgreSQL refuses to run as
        shutil.chown(directory, "postgres", "postgres")
        other = [_program("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    subprocess.run([*other, initdb, "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C",
                    "--no-sync"], check=True, capture_output=True, cwd=directory)
    # What a killed process had written the kernel still has: no need to wait for the disk.
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(directory), "fsync": "off",
                "shared_buffers": "32MB"}
    command = [*other, server, "-D", str(data), "-p", str(port),
               *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))]
    return OwnServer(directory, command, f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres", port)


def _mysql(directory: Path, port: int) -> OwnServer:
    install, server = _program("mariadb-install-db"), _program("mariadbd")
    data = directory / "data"
    user = [f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', 'mysql')}"]
    subprocess.run([install, "--no-defaults", *user, f"--datadir={data}", "--auth-root-authentication-method=normal",
                    "--skip-test-db"], check=True, capture_output=True, cwd=directory)
    command = [server, "--no-defaults", *user, f"--datadir={data}", "--bind-address=127.0.0.1", f"--port={port}",
               f"--socket={directory}/s.sock", f"--pid-file={directory}/pid", "--innodb-flush-log-at-trx-commit=2",
               "--innodb-buffer-pool-size=32M"]
    return OwnServer(directory, command, f"mysql+pymysql://root@127.0.0.1:{port}/", port)
