"""``config``: the sample configuration, made from the options themselves."""
from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("sample", help="print a configuration file with every option and its default")


def run(args: argparse.Namespace, app: App) -> int:
    import logging

    from oslo_config import cfg, generator

    logging.disable(logging.WARNING)
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--namespace", "cloudkitty_like", "--wrap-width", "100"], default_config_files=[], default_config_dirs=[])
    generator.generate(conf, sys.stdout)
    return 0
