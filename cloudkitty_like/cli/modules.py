"""``modules``: which rating modules run, and in which order."""
from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.service.pricing.modules import ModuleInfo


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
    from cloudkitty_like.domain.change import Change
    from cloudkitty_like.service.pricing import modules

    if args.action == "list":
        _list(args, app)
        return 0
    change = Change(app.clock(), app.author, "modules", args.reason)
    decision = {"priority": args.priority} if args.action == "priority" else {"enabled": args.action == "enable"}
    changed = modules.decide(app.database, change, args.name, **decision)
    print(_said(args, changed))
    print(_order(modules.known(app.database)))
    return 0


def _said(args: argparse.Namespace, changed: bool) -> str:
    """What has become of the module."""
    what = f"priority {args.priority}" if args.action == "priority" else f"{args.action}d"
    if not changed:
        return f"Nothing has changed: {args.name} {'had' if args.action == 'priority' else 'was'} {what} already."
    return f"{args.name} {'has' if args.action == 'priority' else 'is'} {what} now."


def _order(infos: Sequence[ModuleInfo]) -> str:
    """Which modules rate from now on."""
    enabled = [f"{module.name} (priority {module.priority})" for module in infos if module.enabled]
    if not enabled:
        return "No module is enabled: what is rated from now on is recorded without a price."
    return f"What is rated from now on is priced by {', then '.join(enabled)}."


def _list(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.service.pricing import modules

    infos = modules.known(app.database)
    if args.json:
        output.json([{"name": module.name, "enabled": module.enabled, "priority": module.priority,
                      "description": module.description, "problem": module.problem or None}
                     for module in infos])
        return
    output.table(
        ("module", "enabled", "priority", "description"),
        [(module.name, "yes" if module.enabled else "no", str(module.priority), module.problem or module.description)
         for module in infos],
        right={"priority"})
