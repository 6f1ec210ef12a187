"""metrics.yml: what is measured and how, read as CloudKitty defines it and checked as a whole.

Every problem of the file is found in one go and named with its line, metric,
key and reason, so that a processor either starts with all of it or says what
to correct.  The reference is ``doc/source/metrics.rst``.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.expression import Predicate, parse
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.service import strict_yaml
from cloudkitty_like.service.metrics.reader import DefinitionReader, quoted
from cloudkitty_like.service.strict_yaml import YamlMapping

MAX_BYTES = 1_000_000
KEYS = ("unit", "description", "factor", "offset", "alt_name", "groupby", "metadata", "mutate", "mutate_map",
        "extra_args", "skip_datapoints_expression")


class ReadsArgs(Protocol):
    """What of a collector is needed here; a ``check(metric)`` of its own is called as well where it has one."""

    def parse_args(self, extra_args: Mapping[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class MetricsFile:
    """The definitions, in the order of the file; every one has its skip expression, the default if not its own.

    ``digest`` is the SHA-256, in hex, of all that the definitions were made
    from: two processors with one digest measure the same.  ``skip`` is the
    default skip expression, which is part of it.
    """

    metrics: tuple[Metric, ...]
    text: str
    digest: str
    skip: str = "False"


@dataclass(frozen=True, slots=True)
class _Settings:
    collector: ReadsArgs
    scope_key: str
    skip: Predicate | None             # None: there is something wrong with it, and that is said already


def read(path: Path) -> str:
    """The text of the file; Invalid where it cannot be read."""
    try:
        if not path.is_file():
            raise Invalid(f"{path}: there is no such file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise Invalid(f"{path}: larger than {MAX_BYTES} bytes")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Invalid(f"{path}: line {line}: not UTF-8: {error.reason}") from None
    except (OSError, ValueError) as error:
        raise Invalid(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def load(text: str, collector: ReadsArgs, scope_key: str, default_skip: str = "False",
         name: str = "metrics.yml") -> MetricsFile:
    """The definitions in ``text``; Invalid, with every problem at once, where any of it is wrong.

    ``default_skip`` is the skip expression of metrics that have none, ``name``
    the file's in messages.
    """
    problems: list[str] = []
    default = None
    try:
        default = parse(default_skip)
    except Invalid as error:
        problems += [f"[orchestrator] skip_datapoints_expression: {problem}" for problem in error.problems]
    settings = _Settings(collector, scope_key, default)
    definitions = []
    for definition in _definitions(strict_yaml.load(text, name), name, problems):
        metric = _metric(definition, settings)
        problems += definition.problems
        if metric is not None:
            definitions.append((definition, metric))
    problems += _contradictions(definitions)
    if problems:
        raise Invalid(*problems)
    digest = sha256()
    for part in (text, scope_key, default_skip):
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    return MetricsFile(tuple(metric for _, metric in definitions), text, digest.hexdigest(),
                       default_skip)


def _definitions(document: Any, name: str, problems: list[str]) -> Iterator[DefinitionReader]:
    """Every definition of the document as something to read values from."""
    if not isinstance(document, YamlMapping) or "metrics" not in document:
        problems.append(f"{name}: must be a mapping with the key 'metrics'")
        return
    problems += [f"{name}: line {document.lines[key]}: {quoted(key)} is unknown: the only key here is 'metrics'"
                 for key in document if key != "metrics"]
    metrics = document["metrics"]
    if not isinstance(metrics, YamlMapping) or not metrics:
        problems.append(f"{name}: line {document.lines['metrics']}: metrics: must be a mapping "
                        "of at least one metric's name to its definition")
        return
    for metric, value in metrics.items():
        what = f"metric {quoted(metric)}: "
        line = f"{name}: line {metrics.lines[metric]}: "
        if isinstance(value, YamlMapping):
            yield DefinitionReader(metric, value, name, what)
        elif not isinstance(value, list) or not value:
            problems.append(f"{line}{what}must be a definition or a list of definitions")
        else:
            for number, item in enumerate(value, start=1):
                which = f"{what}definition {number}: "
                if isinstance(item, YamlMapping):
                    yield DefinitionReader(metric, item, name, which)
                else:
                    problems.append(f"{line}{which}must be a mapping")


def _metric(definition: DefinitionReader, settings: _Settings) -> Metric | None:
    """The metric that a definition says; None where there are problems, which the definition then holds."""
    for key in definition.table:
        if key not in KEYS:
            close = get_close_matches(key, KEYS, n=1)
            definition.problem(key, "is unknown" + (f": did you mean {close[0]!r}?" if close else ""))
    labels = definition.names("groupby"), definition.names("metadata")
    groupby, metadata = _labels(definition, *labels, settings.scope_key)
    mutate, mutate_map = definition.mutation()
    values = {
        "name": definition.checked_name(), "unit": definition.text("unit", required=True, longest=64),
        "alt_name": definition.text("alt_name"), "description": definition.text("description", longest=10_000),
        "factor": definition.fraction("factor", 1), "offset": definition.fraction("offset", 0),
        "groupby": groupby, "metadata": metadata, "mutate": mutate, "mutate_map": mutate_map,
        "args": _args(definition, settings.collector),
        "skip": _skip(definition, settings.skip, groupby, metadata),
    }
    if definition.problems:
        return None
    metric = Metric(**values)
    check = getattr(settings.collector, "check", None)
    if check is not None:
        definition.tried("", check, metric)
    return None if definition.problems else metric


def _labels(definition: DefinitionReader, groupby: tuple[str, ...], metadata: tuple[str, ...],
            scope_key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    for label in dict.fromkeys(metadata):
        if label in groupby:
            definition.problem("metadata", f"{quoted(label)} is in groupby too: a label is one or the other")
        elif label == scope_key:
            definition.problem("metadata", f"{quoted(label)} is the scope key: a groupby label of every metric")
    return (groupby if scope_key in groupby else (*groupby, scope_key)), metadata


def _args(definition: DefinitionReader, collector: ReadsArgs) -> Any:
    extra_args = definition.table.get("extra_args", {})
    if not isinstance(extra_args, Mapping):
        definition.problem("extra_args", "must be a mapping")
        return None
    return definition.tried("extra_args", collector.parse_args, extra_args)


def _skip(definition: DefinitionReader, default: Predicate | None, groupby: tuple[str, ...],
          metadata: tuple[str, ...]) -> Predicate | None:
    key = "skip_datapoints_expression"
    own = key in definition.table
    if own and isinstance(definition.table[key], bool):
        definition.problem(key, "must be text: write it in quotes")
        return None
    skip = definition.tried(key, parse, text) if (text := definition.text(key)) else (None if own else default)
    if skip is None:
        return None
    whose = "" if own else "the default expression "
    for kind, label in skip.missing(groupby, metadata):
        definition.problem(key, f"{whose}{quoted(skip.text)} needs the {kind} label {quoted(label)}, "
                                "which the metric does not have")
    return skip


def _contradictions(definitions: list[tuple[DefinitionReader, Metric]]) -> Iterator[str]:
    """What is wrong between definitions; those of one alt_name are added up, where that makes sense."""
    seen: dict[str, list[Metric]] = {}
    for definition, metric in definitions:
        before = seen.setdefault(metric.alt_name, [])
        where = definition.where("alt_name")
        same = "" if metric.alt_name == metric.name else f" as {quoted(metric.alt_name)}"
        if any(other.name == metric.name for other in before):
            yield f"{where}is defined{same} twice"
        elif before and before[0].unit != metric.unit:
            yield (f"{where}alt_name: {quoted(metric.alt_name)} is in {before[0].unit} for {quoted(before[0].name)} "
                   f"and in {metric.unit} here: they do not add up")
        elif before and before[0].skip != metric.skip:
            yield (f"{where}skip_datapoints_expression: not that of {quoted(before[0].name)}, "
                   f"with which this is added up as {quoted(metric.alt_name)}")
        before.append(metric)
