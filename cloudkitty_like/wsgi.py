"""``application`` for uwsgi, gunicorn or mod_wsgi.

It reads the configuration files that CLOUDKITTY_LIKE_CONFIG_FILES names,
separated by colons, or else the default one.
"""
from __future__ import annotations

import os
from typing import Any

FILES = "CLOUDKITTY_LIKE_CONFIG_FILES"


def _application() -> Any:
    from cloudkitty_like.app import App, read_configuration

    files = [name for name in os.environ.get(FILES, "").split(":") if name]
    return App(read_configuration(files, logs=True, api=True)).application()


def __getattr__(name: str) -> Any:
    """``application``, made when a server first asks for it, so that the module can be looked at without."""
    if name == "application":
        globals()[name] = _application()
        return globals()[name]
    raise AttributeError(name)
