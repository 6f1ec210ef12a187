"""From Python's grammar to the nodes of an expression: the only place that knows Python's syntax trees."""
from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.expression_tree import (
    LABELS,
    SHAPE,
    UNIT,
    Apply,
    KeysNode,
    LabelNode,
    LiteralNode,
    LogicNode,
    Node,
    NumberNode,
    UnitNode,
)
from cloudkitty_like.domain.text import quoted

MAX_LENGTH = 2000       # characters of a text
MAX_DEPTH = 30          # operations inside one another
MAX_NODES = 300
MAX_EXPONENT = 400      # of a number that is written or cast
MAX_WHOLE = 60          # digits of what int() makes


def read(text: str) -> Node:
    """The expression that ``text`` says; Invalid, with the column, where it says anything else."""
    if not text:
        raise Invalid("the expression is empty")
    if len(text) > MAX_LENGTH:
        raise Invalid(f"{quoted(text)}: longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise Invalid(f"{quoted(text)}: column {error.offset or 1}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Invalid(f"{quoted(text)}: {error or 'nested too deep'}") from None
    return _Reader(text).node(tree, 0, whole=True)


def _decimal(value: object) -> Decimal:
    """A number as an operand of arithmetic; TypeError for anything else."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value)
    raise TypeError("only numbers can be computed with")


def _cast_float(value: object) -> Decimal:
    number = money.number(value) if isinstance(value, str) else _decimal(value)
    if number and abs(number.adjusted()) > MAX_EXPONENT:
        raise ValueError("out of range")
    return number


def _cast_int(value: object) -> int:
    if isinstance(value, str):
        if len(value) > MAX_WHOLE:
            raise ValueError("out of range")
        return int(value)
    number = _decimal(value)
    if number.adjusted() > MAX_WHOLE:
        raise ValueError("out of range")
    return int(number)


def _cast_str(value: object) -> str:
    return money.plain(value) if isinstance(value, Decimal) else str(value)


def _among(value: object, container: Any) -> bool:
    return value in container


def _not_among(value: object, container: Any) -> bool:
    return value not in container


NamedFunction = tuple[str, Callable[..., Any]]

SIGNS: Mapping[type[ast.unaryop], NamedFunction] = {
    ast.USub: ("-", lambda value: money.CONTEXT.minus(_decimal(value))),
    ast.UAdd: ("+", lambda value: money.CONTEXT.plus(_decimal(value))),
}
ARITHMETIC: Mapping[type[ast.operator], NamedFunction] = {
    ast.Add: ("+", lambda left, right: money.CONTEXT.add(_decimal(left), _decimal(right))),
    ast.Sub: ("-", lambda left, right: money.CONTEXT.subtract(_decimal(left), _decimal(right))),
    ast.Mult: ("*", lambda left, right: money.CONTEXT.multiply(_decimal(left), _decimal(right))),
    ast.Div: ("/", lambda left, right: money.CONTEXT.divide(_decimal(left), _decimal(right))),
}
COMPARISONS: Mapping[type[ast.cmpop], NamedFunction] = {
    ast.Eq: ("==", operator.eq), ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt), ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt), ast.GtE: (">=", operator.ge),
    ast.Is: ("is", operator.is_), ast.IsNot: ("is not", operator.is_not),
    ast.In: ("in", _among), ast.NotIn: ("not in", _not_among),
}
CASTS: Mapping[str, Callable[..., Any]] = {"str": _cast_str, "int": _cast_int, "float": _cast_float, "len": len}
METHODS: Mapping[str, tuple[Callable[..., Any], int]] = {       # of text, and how many arguments each takes
    "startswith": (str.startswith, 1), "endswith": (str.endswith, 1),
    "lower": (str.lower, 0), "upper": (str.upper, 0), "strip": (str.strip, 0),
}


class _Reader:
    """From Python's syntax tree to ours."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._nodes = 0

    def node(self, tree: ast.expr, depth: int, *, whole: bool = False) -> Node:
        """``whole``: whether a part of the point as a whole (``datapoint["vol"]``) makes sense here."""
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            self._refuse(tree, "the expression is too large")
        reader = _READERS.get(type(tree))
        if reader is None:
            self._refuse(tree, f"{_kind(tree)} is not allowed here")
        node = reader(self, tree, depth + 1)
        if isinstance(node, KeysNode) and not whole:
            self._refuse(tree, f"{ast.unparse(tree)} is a mapping: name a key of it")
        return node

    def literal(self, tree: ast.Constant, _depth: int) -> Node:
        value: Any = tree.value
        if isinstance(value, float):
            # As written, not as binary floating point reads it.
            value = Decimal((ast.get_source_segment(self._text, tree) or "").replace("_", ""))
            if value and abs(value.adjusted()) > MAX_EXPONENT:
                self._refuse(tree, "the number is out of range")
        if value is not None and not isinstance(value, str | int | Decimal):
            self._refuse(tree, f"{_kind(tree)} is not allowed here")
        return LiteralNode(value)

    def collection(self, tree: ast.Tuple | ast.List | ast.Set, depth: int) -> LiteralNode:
        values = []
        for element in tree.elts:
            node = self.node(element, depth)
            if not isinstance(node, LiteralNode):
                self._refuse(element, "a list may hold literals only")
            values.append(node.value)
        return LiteralNode(tuple(values))

    def name(self, tree: ast.Name, _depth: int) -> Node:
        if tree.id != "datapoint":
            self._refuse(tree, f"{tree.id!r} is unknown: the only name is datapoint")
        return KeysNode("")

    def subscript(self, tree: ast.Subscript, depth: int) -> Node:
        return self._part(tree.value, tree.slice, None, depth)

    def call(self, tree: ast.Call, depth: int) -> Node:
        if tree.keywords or any(isinstance(argument, ast.Starred) for argument in tree.args):
            self._refuse(tree, "keyword and starred arguments are not allowed")
        if isinstance(tree.func, ast.Name) and tree.func.id in CASTS and len(tree.args) == 1:
            name = tree.func.id
            return self._applied(tree, f"{name}()", CASTS[name],
                                 self.node(tree.args[0], depth, whole=name == "len"))
        if isinstance(tree.func, ast.Attribute):
            return self._method(tree, tree.func, depth)
        return self._refuse(tree, f"the call {quoted(ast.unparse(tree))} is not allowed")

    def _method(self, tree: ast.Call, function: ast.Attribute, depth: int) -> Node:
        name = function.attr
        if name == "get" and len(tree.args) in (1, 2):
            default = tree.args[1] if len(tree.args) == 2 else ast.Constant(None)
            return self._part(function.value, tree.args[0], default, depth)
        if name in METHODS and len(tree.args) == METHODS[name][1]:
            operands = [self.node(function.value, depth), *(self._operand(argument, depth) for argument in tree.args)]
            return self._applied(tree, f"{name}()", METHODS[name][0], *operands)
        return self._refuse(tree, f"the call {quoted(ast.unparse(tree))} is not allowed")

    def _part(self, of: ast.expr, key: ast.expr, default: ast.expr | None, depth: int) -> Node:
        """The value under a key of datapoint or of one of its parts."""
        base = self.node(of, depth, whole=True)
        if not isinstance(base, KeysNode):
            self._refuse(of, "only datapoint and its parts have keys")
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            self._refuse(key, "a key must be a literal text")
        place = (base.part, key.value)
        # An empty mapping as default is the habit `datapoint.get("vol", {}).get("qty")`.
        absent = None
        if default is not None and not (isinstance(default, ast.Dict) and not default.keys and base.part not in LABELS):
            absent = self.node(default, depth)
        if base.part in LABELS:
            return LabelNode(place, absent)
        if key.value not in SHAPE[base.part]:
            self._refuse(key, f"there is no {key.value!r}, only {', '.join(SHAPE[base.part])}")
        if not base.part:
            return KeysNode(key.value)
        return UnitNode() if place == UNIT else NumberNode(place)

    def logic(self, tree: ast.BoolOp, depth: int) -> Node:
        conjunction = isinstance(tree.op, ast.And)
        operands = tuple(self.node(operand, depth, whole=True) for operand in tree.values)
        first = operands[0]
        if isinstance(first, LiteralNode) and bool(first.value) is not conjunction:
            return first
        return LogicNode(conjunction, operands)

    def unary(self, tree: ast.UnaryOp, depth: int) -> Node:
        if isinstance(tree.op, ast.Not):
            return self._applied(tree, "not", operator.not_, self.node(tree.operand, depth, whole=True))
        sign = SIGNS.get(type(tree.op))
        if sign is None:
            self._refuse(tree, "only +, - and not may stand before a value")
        return self._applied(tree, *sign, self.node(tree.operand, depth))

    def arithmetic(self, tree: ast.BinOp, depth: int) -> Node:
        operation = ARITHMETIC.get(type(tree.op))
        if operation is None:
            self._refuse(tree, "of arithmetic, only + - * / are allowed")
        return self._applied(tree, *operation, self.node(tree.left, depth),
                             self.node(tree.right, depth))

    def comparison(self, tree: ast.Compare, depth: int) -> Node:
        pairs = []
        left = tree.left
        for sign, right in zip(tree.ops, tree.comparators, strict=True):
            pairs.append(self._compared(tree, left, sign, right, depth))
            left = right
        return pairs[0] if len(pairs) == 1 else LogicNode(True, tuple(pairs))

    def _compared(self, tree: ast.Compare, left: ast.expr, sign: ast.cmpop, right: ast.expr, depth: int) -> Node:
        name, function = COMPARISONS[type(sign)]
        if isinstance(sign, ast.Is | ast.IsNot):
            return self._identity(name, function, left, right, depth)
        if isinstance(sign, ast.In | ast.NotIn):
            return self._applied(tree, name, function, self.node(left, depth), self._operand(right, depth, whole=True))
        return self._applied(tree, name, function, self.node(left, depth), self.node(right, depth))

    def _identity(self, name: str, function: Callable[..., Any], left: ast.expr, right: ast.expr, depth: int) -> Node:
        if not (isinstance(right, ast.Constant) and any(right.value is value for value in (None, True, False))):
            self._refuse(right, f"after {name}, only None, True and False make sense: write ==")
        return self._applied(right, name, function, self.node(left, depth, whole=True), self.node(right, depth))

    def _operand(self, tree: ast.expr, depth: int, *, whole: bool = False) -> Node:
        """Where a list of literals may stand."""
        if isinstance(tree, ast.Tuple | ast.List | ast.Set):
            return self.collection(tree, depth + 1)
        return self.node(tree, depth, whole=whole)

    def _applied(self, tree: ast.expr, name: str, function: Callable[..., Any], *operands: Node) -> Node:
        """The function of the operands; worked out here and now where they are literals."""
        values = [operand.value for operand in operands if isinstance(operand, LiteralNode)]
        if len(values) < len(operands):
            return Apply(name, function, operands)
        try:
            return LiteralNode(function(*values))
        except (TypeError, ValueError, ArithmeticError, Invalid) as error:
            return self._refuse(tree, str(error) or f"{name} cannot be applied")

    def _refuse(self, tree: ast.expr, reason: str) -> NoReturn:
        line = f"line {tree.lineno}, " if tree.lineno > 1 else ""
        raise Invalid(f"{quoted(self._text)}: {line}column {tree.col_offset + 1}: {reason}")


_READERS: Mapping[type[ast.expr], Callable[[_Reader, Any, int], Node]] = {
    ast.Constant: _Reader.literal,
    ast.Name: _Reader.name,
    ast.Subscript: _Reader.subscript,
    ast.Call: _Reader.call,
    ast.BoolOp: _Reader.logic,
    ast.UnaryOp: _Reader.unary,
    ast.BinOp: _Reader.arithmetic,
    ast.Compare: _Reader.comparison,
}


def _kind(tree: ast.expr) -> str:
    """What a piece of syntax is called, for a message."""
    return KINDS.get(type(tree)) or f"{quoted(ast.unparse(tree))} ({type(tree).__name__})"


KINDS: Mapping[type[ast.expr], str] = {
    ast.Tuple: "a list that is not after in", ast.List: "a list that is not after in",
    ast.Set: "a set that is not after in", ast.Dict: "a mapping", ast.Lambda: "lambda",
    ast.Attribute: "an attribute", ast.JoinedStr: "an f-string", ast.NamedExpr: "an assignment",
    ast.IfExp: "if ... else", ast.Starred: "*", ast.Slice: "a slice",
    ast.ListComp: "a comprehension", ast.SetComp: "a comprehension", ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension", ast.Await: "await", ast.Yield: "yield", ast.YieldFrom: "yield",
}
