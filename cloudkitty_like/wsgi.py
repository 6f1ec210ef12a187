"""``application`` for uwsgi, gunicorn or mod_wsgi.

It reads the configuration files that CLOUDKITTY_LIKE_CONFIG_FILES names,
separated by colons, or else the default one; at the first request, so that no
connection is shared with a process that forks, and the module can be looked at
without a configuration.
"""
from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

FILES = "CLOUDKITTY_LIKE_CONFIG_FILES"


class LazyApplication:
    """Made when it is first asked; where that fails, the server's log says why, each time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: Any = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._made is None:
            with self._lock:
                self._made = self._made or _make()
        answer: Iterable[bytes] = self._made(environ, start_response)
        return answer


def _make() -> Any:
    from cloudkitty_like.api.application import application
    from cloudkitty_like.app import App, read_configuration
    from cloudkitty_like.cli.state_directory import CONFIG, check_place

    files = [name for name in os.environ.get(FILES, "").split(":") if name]
    for name in files:
        if Path(name).name == CONFIG:
            check_place(Path(name).parent)
    return application(App(read_configuration(files, logs=True)))


# A name in the module itself: uwsgi and mod_wsgi do not ask a module for what it can make.
application = LazyApplication()
