"""``quote``: what something would cost."""
from __future__ import annotations

import argparse
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cloudkitty_like.cli import output
from cloudkitty_like.cli.arguments import moment
from cloudkitty_like.cli.query_options import labels
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.money import plain

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.service.reports.replay import Explanation
    from cloudkitty_like.service.whatif.quote import Resource

MOST_PROBLEMS = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metric", metavar="NAME", help="of this metric, by its alt_name")
    parser.add_argument("--qty", metavar="N", help="so much of it, in its unit")
    parser.add_argument("--label", action="append", default=[], metavar="LABEL=VALUE",
                        help="with this label; may be repeated")
    parser.add_argument("--scope", metavar="ID", help="for this scope, whose own rules then hold")
    parser.add_argument("--file", metavar="FILE", help="several at once: JSON as POST /v1/rating/quote takes it; "
                                                       "- reads the standard input")
    parser.add_argument("--at", type=moment, metavar="TIME", help="by the rules that hold then; now if not given")
    parser.add_argument("--explain", action="store_true", help="print what makes each price")
    parser.add_argument("--json", action="store_true", help="print JSON, amounts as strings")


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.service.access import Caller

    resources = _resources(args, app)
    _check_names(args, resources, app)
    root = Caller(app.author, is_admin=True)
    if args.explain:
        explanations = app.use_cases.quotes.explained(root, resources, args.at)
        prices = [_price(points) for points in explanations]
    else:
        explanations, prices = [], app.use_cases.quotes.prices(root, resources, args.at)
    if args.json:
        _print_json(prices, explanations)
    else:
        _tell(resources, prices, explanations)
    return 0


def _resources(args: argparse.Namespace, app: App) -> Sequence[Resource]:
    from cloudkitty_like.service.whatif.quote import Resource

    if args.file is not None:
        if args.metric is not None or args.qty is not None or args.label or args.scope is not None:
            raise Invalid("--file: give either it, or --metric with --qty, --label and --scope")
        return _from_file(args.file)
    missing = [f"{option}: is required, or --file" for option, value in (("--metric", args.metric), ("--qty", args.qty))
               if value is None]
    if missing:
        raise Invalid(*missing)
    try:
        qty = money.number(args.qty)
    except Invalid as error:
        raise Invalid(f"--qty: {error}") from None
    groupby = dict(labels("--label", args.label))
    if args.scope is not None:
        groupby[app.conf.collect.scope_key] = args.scope
    return [Resource(args.metric, qty, groupby, {})]


def _from_file(name: str) -> Sequence[Resource]:
    from cloudkitty_like.cli.rules import read
    from cloudkitty_like.domain.json_value import parsed
    from cloudkitty_like.service.whatif import resources

    try:
        document = parsed(read(name).encode())
        return resources.read(
            document.get("resources") if isinstance(document, dict) else document)
    except Invalid as error:
        raise Invalid(*(problem if problem.startswith(name) else f"{name}: {problem}"
                        for problem in error.problems)) from None


def _check_names(args: argparse.Namespace, resources: Sequence[Resource], app: App) -> None:
    """Warn of labels that usage never has; Invalid where there is no such metric: it would be silently unpriced."""
    from cloudkitty_like.cli import name_warnings

    names: dict[str, set[str]] = {}
    for resource in resources:
        names.setdefault(resource.metric, set()).update(resource.groupby, resource.metadata)
    checked = name_warnings.check_of(app).of_quote(names, app.metrics.metrics)
    problems = [
        f"{'--metric' if args.file is None else f'{args.file}: [{number}]: service'}: "
        f"{checked.unknown[resource.metric]}"
        for number, resource in enumerate(resources) if resource.metric in checked.unknown]
    if problems:
        raise Invalid(*problems[:MOST_PROBLEMS])
    name_warnings.show(checked.warnings)


def _price(points: Sequence[Explanation]) -> Decimal | None:
    prices = [explanation.point.price for explanation in points
              if explanation.point.price is not None]
    if points and not prices:
        return None
    with money.arithmetic():
        return sum(prices, money.ZERO)


def _total(prices: Sequence[Decimal | None]) -> Decimal:
    with money.arithmetic():
        return sum((price for price in prices if price is not None), money.ZERO)


def _tell(resources: Sequence[Resource], prices: Sequence[Decimal | None],
          explanations: Sequence[Sequence[Explanation]]) -> None:
    from cloudkitty_like.cli.explain import tell

    if explanations:
        for points in explanations:
            for explanation in points:
                tell(explanation)
        print(f"total {plain(_total(prices))}")
        return
    lines = [[resource.metric, plain(resource.volume),
              " ".join(f"{name}={value}" for name, value in resource.groupby.items()),
              "unpriced" if price is None else plain(price)]
             for resource, price in zip(resources, prices, strict=True)]
    if len(lines) > 1:
        lines.append(["total", "", "", plain(_total(prices))])
    output.table(("metric", "quantity", "labels", "price"), lines, right={"quantity", "price"})


def _print_json(prices: Sequence[Decimal | None],
                explanations: Sequence[Sequence[Explanation]]) -> None:
    from cloudkitty_like.cli.explain import entry

    resources: list[dict[str, Any]] = [{"price": None if price is None else plain(price)} for price in prices]
    for resource, points in zip(resources, explanations, strict=False):
        resource["points"] = [entry(point) for point in points]
    output.json({"price": plain(_total(prices)), "resources": resources})
