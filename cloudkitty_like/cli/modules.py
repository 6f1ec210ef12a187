"""``modules``: which rating modules run, and in which order."""
from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output

if TYPE_CHECKING:
    from cloudkitty_like.app import App

def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="every module, in the order in which they run")
    listing.add_argument("--json", action="store_true", help="print JSON")
    enable = actions.add_parser("enable", help="let a module rate from the next period on")
    disable = actions.add_parser("disable", help="let a module rate no more")
    priority = actions.add_parser("priority", help="change the order: the highest number runs first")
    for action in (enable, disable, priority):
        action.add_argument("name", metavar="NAME", help="name of the module")
        action.add_argument("--reason", default="", help="why; kept with the change")
    priority.add_argument("priority", metavar="N", type=int, help="a whole number")


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.db.rules import Change
    from cloudkitty_like.service import modules

    if args.action == "list":
        _list(args, app)
        return 0
    change = Change(app.clock(), app.author, "modules", args.reason)
    match args.action:
        case "enable" | "disable":
            modules.decide(app.database, change, args.name, enabled=args.action == "enable")
        case "priority":
            modules.decide(app.database, change, args.name, priority=args.priority)
    return 0


def _list(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.service import modules

    found = modules.known(app.database)
    if args.json:
        output.json([{"name": module.name, "enabled": module.enabled, "priority": module.priority,
                      "description": module.description, "problem": module.problem or None} for module in found])
        return
    output.table(
        ("module", "enabled", "priority", "description"),
        [(module.name, "yes" if module.enabled else "no", str(module.priority), module.problem or module.description)
         for module in found],
        right={"priority"})
