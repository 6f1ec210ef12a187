"""``config``: the sample configuration, made from the options themselves."""
from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudkitty_like.app import App

NAMESPACES = ("oslo.log", "cloudkitty_like")


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("sample", help="print a configuration file with every option and its default")


def run(args: argparse.Namespace, app: App) -> int:
    import logging

    from oslo_config import cfg, generator

    logging.disable(logging.WARNING)
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    wanted = [f"--namespace={name}" for name in NAMESPACES]
    conf([*wanted, "--wrap-width", "100"], default_config_files=[], default_config_dirs=[])
    generator.generate(conf, sys.stdout)
    logging.disable(logging.NOTSET)
    return 0
