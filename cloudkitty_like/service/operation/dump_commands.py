"""The commands of a server's own programs that save its database, and bring it back.

No password stands in them: PostgreSQL's programs read ``~/.pgpass``, MariaDB's ``~/.my.cnf``.
"""

from __future__ import annotations

import shlex

from sqlalchemy import URL, inspect

from cloudkitty_like.db.engine import Database

VERSION_TABLE = "alembic_version"
TLS = {
    "ssl_ca": "--ssl-ca",
    "ssl_cert": "--ssl-cert",
    "ssl_key": "--ssl-key",
    "unix_socket": "--socket",
}
PASSWORDS = {"postgresql": "~/.pgpass", "mysql": "~/.my.cnf"}
ENDINGS = {"postgresql": "pgdump", "mysql": "sql"}


def dump(database: Database, file: str) -> str:
    """The command that writes a consistent dump of the database into a file, while others write.

    Asks a MariaDB server which tables there are: the one with the schema's version comes last,
    so that a dump that was loaded in part has none.
    """
    url = database.url
    if database.dialect == "postgresql":
        return shlex.join(
            [
                "pg_dump",
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                f"--file={file}",
                f"--dbname={_without_password(url)}",
            ]
        )
    names = inspect(database.engine).get_table_names()
    ordered = [*sorted(set(names) - {VERSION_TABLE}), VERSION_TABLE]
    return shlex.join(
        [
            "mariadb-dump",
            *_server(url),
            "--single-transaction",
            "--quick",
            "--skip-lock-tables",
            "--skip-add-drop-table",
            "--hex-blob",
            "--no-tablespaces",
            "--default-character-set=utf8mb4",
            f"--result-file={file}",
            str(url.database),
            *ordered,
        ]
    )


def load(database: Database, file: str) -> list[str]:
    """The commands that make a database and load a dump, which fails where there are tables."""
    url = database.url
    name = str(url.database)
    if database.dialect == "postgresql":
        return [
            shlex.join(
                [
                    "createdb",
                    *_flags(("host", url.host), ("port", url.port), ("username", url.username)),
                    "--template=template0",
                    "--encoding=UTF8",
                    name,
                ]
            ),
            shlex.join(
                [
                    "pg_restore",
                    "--no-owner",
                    "--no-privileges",
                    "--exit-on-error",
                    "--single-transaction",
                    f"--dbname={_without_password(url)}",
                    file,
                ]
            ),
        ]
    quoted = name.replace("`", "``")
    return [
        shlex.join(
            [
                "mariadb",
                *_server(url),
                f"--execute=CREATE DATABASE `{quoted}` CHARACTER SET utf8mb4",
            ]
        ),
        shlex.join(["mariadb", *_server(url), "--default-character-set=utf8mb4", name])
        + f" < {shlex.quote(file)}",
    ]


def _without_password(url: URL) -> str:
    # Not set(password=None): that keeps the password.
    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return bare.render_as_string(hide_password=False)


def _server(url: URL) -> list[str]:
    """Where MariaDB is and who asks, as its programs want it."""
    options = _flags(("host", url.host), ("port", url.port), ("user", url.username))
    return options + [f"{TLS[name]}={value}" for name, value in url.query.items() if name in TLS]


def _flags(*pairs: tuple[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in pairs if value not in (None, "")]
