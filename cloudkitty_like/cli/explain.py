"""``explain``: why points cost what they cost."""
from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cloudkitty_like.cli import output
from cloudkitty_like.cli.query_options import add_choice, add_form, chosen
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.domain.explanation import ExplainedPoint, Provenance
    from cloudkitty_like.service.reports.explanations import Explanations
    from cloudkitty_like.service.reports.replay import Explanation, OmittedPoint, RatingBasis

COLUMNS = ("begin", "end", "scope", "metric", "unit", "quantity", "price", "labels", "module", "amount", "what",
           "rule", "name", "version", "author")
ROUNDING, DIFFERENCE = "rounding", "not reproduced"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="how many points at most (default: 100)")
    parser.add_argument("--after", metavar="CURSOR", help="go on where the points before ended")
    add_form(parser)


def run(args: argparse.Namespace, app: App) -> int:
    page = app.use_cases.explanations.page(chosen(args, app), limit=args.limit, after=args.after)
    if args.json:
        output.json({"total": page.total, "next": page.next,
                     "points": [entry(explanation) for explanation in page.points],
                     "left_out": [_left_entry(left) for left in page.left_out]})
    elif args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(line for explanation in page.points for line in _lines(explanation))
    else:
        _tell(page)
    return 0


def _tell(page: Explanations) -> None:
    if not page.points and not page.left_out:
        print("Nothing is recorded of that.")
    for explanation in page.points:
        tell(explanation)
    for left in page.left_out:
        print(f"{_where(left.basis)}  {_point(left.point)}\n    {output.printable(left.why)}\n")
    if page.next is not None:
        print(f"{len(page.points)} of {counted(page.total, 'point')}; the following ones: --after {page.next}")


def tell(explanation: Explanation) -> None:
    """A point, what its price is made of, and by which rules and versions."""
    where = "" if explanation.basis is None else f"{_where(explanation.basis)}  "
    print(where + _point(explanation.point))
    lines = [(plain(part.amount), part.module, part.what,
              _origin(explanation.rules.get((part.module, part.rule or ""))))
             for part in explanation.parts]
    lines += [(plain(amount), what, "", "") for amount, what in _rest(explanation)]
    lines.append(("unpriced", "no rule met it", "", "") if explanation.point.price is None
                 else (plain(explanation.point.price), "price", "", ""))
    width = max(len(line[0]) for line in lines)
    for amount, module, what, origin in lines:
        words = "  ".join(output.printable(word) for word in (module, what, origin) if word)
        print(f"    {amount:>{width}}  {words}")
    if explanation.basis is not None:
        print(f"    {output.printable(_how(explanation.basis))}")
    print()


def _rest(explanation: Explanation) -> Iterator[tuple[Any, str]]:
    if explanation.rounding:
        yield explanation.rounding, ROUNDING
    if not explanation.reproduced:
        yield explanation.difference, f"{DIFFERENCE}: what the rules come to now is another price"


def _where(basis: RatingBasis) -> str:
    revision = basis.revision
    return f"{instant(revision.period.begin)}  {output.printable(revision.place.scope)}"


def _point(point: ExplainedPoint) -> str:
    return output.printable(f"{point.metric}  {plain(point.qty)} {point.unit}  {_labels(point)}".rstrip())


def _labels(point: ExplainedPoint) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(point.labels.items()))


def _origin(provenance: Provenance | None) -> str:
    if provenance is None:
        return ""
    name = f"{provenance.name!r}, " if provenance.name else ""
    return (f"({name}version {provenance.version} by {provenance.author}, "
            f"{instant(provenance.recorded)}, {provenance.valid})")


def _how(basis: RatingBasis) -> str:
    revision, ruleset = basis.revision, basis.ruleset
    what = f"{revision.origin} by {revision.author}, {instant(revision.at)}, revision {revision.revision}"
    if ruleset is not None:
        what += f", rule-set version {ruleset.version} ({', '.join(basis.modules)}; software {ruleset.software})"
    return what + (f"; {basis.problem}" if basis.problem else "")


def _lines(explanation: Explanation) -> Iterator[Sequence[str]]:
    """A line of CSV for every part; their amounts add up to the price."""
    point = explanation.point
    place = ["", "", ""]
    if explanation.basis is not None:
        revision = explanation.basis.revision
        place = [instant(revision.period.begin), instant(revision.period.end), revision.place.scope]
    head = [*place, point.metric, point.unit, plain(point.qty), "" if point.price is None else plain(point.price),
            _labels(point)]
    for part in explanation.parts:
        provenance = explanation.rules.get((part.module, part.rule or ""))
        yield [*head, part.module, plain(part.amount), part.what, part.rule or "",
               *(["", "", ""] if provenance is None
                 else [provenance.name, str(provenance.version), provenance.author])]
    for amount, what in _rest(explanation):
        yield [*head, "", plain(amount), what, "", "", "", ""]
    if not explanation.parts and explanation.reproduced:
        yield [*head, "", "0", "no rule met it", "", "", "", ""]


def entry(explanation: Explanation) -> dict[str, Any]:
    """A point and its parts as JSON, amounts as strings."""
    return {
        **({} if explanation.basis is None else _basis_entry(explanation.basis)),
        **_point_entry(explanation.point),
        "parts": [{"module": part.module, "amount": plain(part.amount), "what": part.what,
                   "rule": _rule_entry(explanation.rules.get((part.module, part.rule or "")))}
                  for part in explanation.parts],
        "rounding": plain(explanation.rounding), "difference": plain(explanation.difference),
        "reproduced": explanation.reproduced}


def _point_entry(point: ExplainedPoint) -> dict[str, Any]:
    return {"metric": point.metric, "unit": point.unit, "qty": plain(point.qty),
            "price": None if point.price is None else plain(point.price), "labels": dict(point.labels)}


def _left_entry(left: OmittedPoint) -> dict[str, Any]:
    return {**_basis_entry(left.basis), **_point_entry(left.point), "module": left.module, "why": left.why}


def _basis_entry(basis: RatingBasis) -> dict[str, Any]:
    revision, ruleset = basis.revision, basis.ruleset
    return {"scope": revision.place.scope, "begin": instant(revision.period.begin),
            "end": instant(revision.period.end), "origin": revision.origin, "revision": revision.revision,
            "recorded": instant(revision.at), "author": revision.author, "modules": list(basis.modules),
            "ruleset": None if ruleset is None else ruleset.version,
            "software": None if ruleset is None else ruleset.software,
            "metrics": None if ruleset is None else ruleset.metrics, "problem": basis.problem or None}


def _rule_entry(provenance: Provenance | None) -> dict[str, Any] | None:
    if provenance is None:
        return None
    begin, end = provenance.valid.begin, provenance.valid.end
    return {"id": provenance.id, "kind": provenance.kind, "name": provenance.name,
            "version": provenance.version, "author": provenance.author,
            "recorded": instant(provenance.recorded), "reason": provenance.reason,
            "start": None if begin is None else instant(begin), "end": None if end is None else instant(end)}
