"""``config``: the sample configuration, made from the options themselves."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oslo_config import cfg

    from cloudkitty_like.app import App

NAMESPACES = ("oslo.log", "cloudkitty_like")


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser(
        "sample", help="print a configuration file with every option and its default")


def run(args: argparse.Namespace, app: App) -> int:
    import logging

    from oslo_config import cfg, generator

    logging.disable(logging.WARNING)
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    namespaces = [f"--namespace={name}" for name in NAMESPACES]
    conf([*namespaces, "--wrap-width", "100"], default_config_files=[], default_config_dirs=[])
    generator.generate(conf, sys.stdout)
    logging.disable(logging.NOTSET)
    return 0


def list_opts() -> Iterator[tuple[str, list[cfg.Opt]]]:
    """Return every option that this program declares, by group.

    The entry point of setup.cfg in ``oslo.config.opts``, by which the sample is made.
    """
    from cloudkitty_like import app
    from cloudkitty_like.api import options

    return app.list_opts(options.list_opts())
