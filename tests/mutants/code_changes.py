"""The small mistakes of `mutants.py`: all that can be made in a module, and a sample of them."""

import ast
import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
# Arguments that decide only the look of a picture or a table: no line, point or text of it is another.
LOOK = {"capsize", "dpi", "fontsize", "labelsize", "markeredgewidth", "markersize", "padding", "s", "zorder"}
SWAPS = COMPARISONS | OPERATORS | {ast.And: ast.Or, ast.Or: ast.And}


@dataclass(frozen=True)
class Mutant:
    """One change: `source[start:stop]` (bytes of the module) becomes `text`. `key` says which it is, without lines."""

    key: tuple[str, str, str, str]  # module, function, the first line of the statement, the change, "(2)" if repeated
    lines: range | None  # tests that run one of these lines may notice; None stands for the whole module
    start: int
    stop: int
    text: str

    def __str__(self) -> str:
        names = ("module", "function", "statement", "change")
        return "\n".join(f"{name} = {json.dumps(part)}" for name, part in zip(names, self.key, strict=True))

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.stop :]


def changes(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """What can be changed about this node: pairs of a node and the node that takes its place."""
    new = copy.copy(node)
    match node:
        case ast.Compare(left, ops, others):
            for k, op in enumerate(ops):
                yield node, ast.Compare(left, [*ops[:k], SWAPS[type(op)](), *ops[k + 1 :]], others)
        case ast.BinOp() | ast.BoolOp() if type(node.op) in SWAPS:
            new.op = SWAPS[type(node.op)]()
            yield node, new
        case ast.UnaryOp(op=ast.Not()):
            yield node, node.operand
        case ast.Constant() if type(node.value) is int:
            yield node, ast.Constant(node.value + 1)
        case ast.Slice():
            for bound in (node.lower, node.upper):
                if bound is not None and not isinstance(bound, ast.Constant):
                    yield bound, ast.BinOp(bound, ast.Add(), ast.Constant(1))
        case ast.AugAssign():
            yield node, ast.Pass()
            if type(node.op) in SWAPS:
                new.op = SWAPS[type(node.op)]()
                yield node, new
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, ast.Pass()
        case ast.If(body=[ast.Return() | ast.Continue() | ast.Break()], orelse=[]):
            yield node.test, ast.Constant(False)


def other_defaults(arguments: ast.arguments) -> Iterator[tuple[ast.AST, ast.AST]]:
    for default in (*arguments.defaults, *arguments.kw_defaults):
        match default:
            case ast.Constant(bool(value)):
                yield default, ast.Constant(not value)
            case ast.Constant(int(value) | float(value)):
                yield default, ast.Constant(value + 1)
            case ast.Constant(str(value)):
                yield default, ast.Constant(value[::-1] if value != value[::-1] else value + "mutant")


def can_run(function: ast.FunctionDef) -> bool:
    """Whether the libraries are installed that the function imports first of all."""
    imported = [name.name for node in function.body if isinstance(node, ast.Import) for name in node.names]
    imported += [node.module for node in function.body if isinstance(node, ast.ImportFrom) and node.module]
    return all(find_spec(name.partition(".")[0]) for name in imported)


def mutants(module: str, source: bytes) -> list[Mutant]:
    """Every mutant of a module, except in functions for which a library is missing: no test can run these."""
    found: list[Mutant] = []
    repeated: Counter[tuple[str, str, str]] = Counter()
    starts = [0, *accumulate(len(line) for line in source.splitlines(keepends=True))]

    def add(old, new, name, lines, statement):
        start, stop = starts[old.lineno - 1] + old.col_offset, starts[old.end_lineno - 1] + old.end_col_offset
        text = ast.unparse(new) if isinstance(new, ast.stmt) else f"({ast.unparse(new)})"
        what = name, first_line(statement), f"{first_line(old)} -> {first_line(new)}"
        repeated[what] += 1
        number = f" ({repeated[what]})" if repeated[what] > 1 else ""
        found.append(Mutant((module, *what[:2], what[2] + number), lines, start, stop, text))

    def visit(node, name, function, statement):
        """`name` is the function's, with its classes; `statement` is the smallest around the node."""
        children = ast.iter_child_nodes(node)
        statement = node if isinstance(node, ast.stmt) else statement
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name, children = f"{name}.{node.name}".lstrip("."), node.body
        if isinstance(node, ast.FunctionDef):
            if not can_run(node):
                return
            function = node
            for old, new in other_defaults(node.args):
                add(old, new, name, range(node.body[0].lineno, node.end_lineno + 1), node)
        elif isinstance(node, ast.AnnAssign):
            children = [node.value] if node.value else []
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            kept = [pair for pair in pairs if getattr(pair[0], "value", "") not in LOOK]
            children = [each for pair in kept for each in pair if each is not None]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "reshape":
            children = [child for child in children if ast.unparse(child) != "-1"]  # or any other negative length
        elif isinstance(node, ast.JoinedStr) or (isinstance(node, ast.keyword) and node.arg in LOOK):
            return  # what is in an f-string has no position of its own before Python 3.12
        for old, new in changes(node):
            add(old, new, name, range(old.lineno, old.end_lineno + 1) if function else None, statement)
        for child in children:
            visit(child, name, function, statement)

    visit(ast.parse(source), "", None, None)
    return found


def first_line(node: ast.AST) -> str:
    """The code that a node begins with, without decorators. What comes after 160 characters is left out."""
    lines = ast.unparse(node).split("\n")
    return next(line for line in lines if not line.startswith("@"))[:160]


def sample(found: dict[str, list[Mutant]], lines: dict[str, int], n: int, seed: int) -> list[Mutant]:
    """Draw n mutants. A module is drawn by its number of lines, then one of its mutants."""
    draw, left, chosen = random.Random(seed), {module: list(all_) for module, all_ in found.items()}, []
    while len(chosen) < n and (modules := [module for module in left if left[module]]):
        module = draw.choices(modules, [lines[module] for module in modules])[0]
        chosen.append(left[module].pop(draw.randrange(len(left[module]))))
    return chosen
