"""Mistakes planted in copies of the kernels, found by structure: renaming, reformatting or moving code breaks none.

A mistake is two snippets of Python. The first one is searched for in a module's syntax tree, the second one takes its
place. Both are either one expression or one statement or more:

    Mistake("no bias update", "bias[0] -= nudge", "pass", "sgd_epochs")

How a pattern is read (as semgrep reads it):

- A name stands for any variable: the pattern above also finds `offset[0] -= move`. The same name stands for the same
  variable everywhere in the mistake, and two names never stand for one variable.
- Names of functions that are called (`fma(...)`, and the `exp` of `math.exp(...)`), names in capitals (`X`, `KEEP`) and
  names that the module imports with `import` (`np`) stand for themselves. So do numbers, operators and attributes.
- `...` stands for anything: for one expression, or in a list for any run of arguments or statements, also none:
  `fma(a, ...)`, or `if n > 0: ...`. In the second snippet, the first `...` is what the first one stood for, and so on.

There must be exactly one such place. Otherwise the test fails and says which lines match. A pattern that is ambiguous
is narrowed to one function with `inside`. If that is not enough, or the second snippet needs variables that are not in
the first, `given` is one more pattern (also one expression, or statements in a row) that must be somewhere in that
function: for `Mistake(..., "z += x[j]", "z += x[i]", "sum_rows", given="x = X[i]")`, it says which variable `i` is. If
all places are meant, say `everywhere=True`.
"""

import ast
import builtins
import copy
import importlib
import inspect
import textwrap
import types
from dataclasses import dataclass

import plain_jit

from tinynet_fast.kernels.compiler import jit

# --- mistakes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mistake:
    """Plant `new` in place of `old`; the module's docstring says how both are read."""

    name: str
    old: str
    new: str
    inside: str = ""  # the function to look in
    given: str = ""  # what must be in this function too
    everywhere: bool = False

    def __str__(self):
        return self.name


@dataclass
class Found:
    """What the names of a pattern and its `...` stand for. The `...` are numbered in the order of writing."""

    names: dict
    rest: dict


@dataclass
class Place:
    """The statements block[start:stop], or, if there is no block, the expression `node`."""

    node: ast.AST
    found: Found
    block: list | None = None
    start: int = 0
    stop: int = 0


def plant(source, mistake):
    """The syntax tree of a module's source with the mistake in it."""
    tree = ast.parse(source)
    imported = {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    old, new = (_snippet(text, imported) for text in (mistake.old, mistake.new))
    if not (isinstance(old, ast.expr) and isinstance(new, ast.expr)):
        old, new = _statements(old), _statements(new)
    scopes = [tree]
    if mistake.inside:
        scopes = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == mistake.inside]
    places = [place for scope in scopes for place in _places(old, scope)]
    if mistake.given:
        given = _snippet(mistake.given, imported)
        places = [place for place in places if any(_add_names(given, place, scope) for scope in scopes)]
    where = f" in {mistake.inside}" if mistake.inside else ""
    lines = ", ".join(str(place.node.lineno) for place in places)
    assert places, f"{mistake}: nothing{where} matches {mistake.old!r}"
    assert mistake.everywhere or len(places) == 1, f"{mistake}: lines {lines}{where} match {mistake.old!r}"
    for place in reversed(places):
        _replace(tree, place, _Fill(mistake, place.found).of(new))
    return ast.fix_missing_locations(tree)


def _snippet(text, imported):
    """A snippet parsed: an expression, or a list of statements. Its `...` are numbered, its fixed names are marked."""
    body = ast.parse(textwrap.dedent(text).strip() or "pass").body
    nodes = [node for part in body for node in ast.walk(part)]
    for node in nodes:
        if isinstance(node, ast.Name):
            node.exact = node.id.isupper() or node.id in imported
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            node.func.exact = True
    for number, node in enumerate(sorted(filter(_dots, nodes), key=lambda n: (n.lineno, n.col_offset))):
        node.number = number
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else body


def _statements(snippet):
    return [ast.copy_location(ast.Expr(snippet), snippet)] if isinstance(snippet, ast.expr) else snippet


def _dots(node):
    """Whether this is `...`, as an expression."""
    return isinstance(node, ast.Constant) and node.value is ...


def _number(node):
    """The number of the `...` that this is, as an expression or as a statement, or None."""
    node = node.value if isinstance(node, ast.Expr) else node
    return node.number if _dots(node) else None


# --- finding ----------------------------------------------------------------------------------------------------------


def _places(pattern, scope, names=None):
    """Every place that matches; `names` are the variables that are known already."""
    known = Found(names or {}, {})
    for node in ast.walk(scope):
        if isinstance(pattern, ast.expr):
            if type(node) is type(pattern) and (found := next(_same(pattern, node, known), None)):
                yield Place(node, found)
            continue
        for block in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(block, list):
                yield from _runs(pattern, block, known)


def _runs(pattern, block, known):
    """The shortest run of statements that matches, from each start in a block."""
    dots = sum(_number(part) is not None for part in pattern)
    least, most = max(1, len(pattern) - dots), len(block) if dots else len(pattern)
    for start in range(len(block)):
        for stop in range(start + least, min(start + most, len(block)) + 1):
            if found := next(_same(pattern, block[start:stop], known), None):
                yield Place(block[start], found, block, start, stop)
                break


def _add_names(given, place, scope):
    """Whether `given` matches in the place's function too. Adds the variables that it names to those of the place."""
    other = next(_places(given, scope, place.found.names), None)
    if other is None or all(place.node is not node for node in ast.walk(scope)):
        return False
    place.found = Found(other.found.names, place.found.rest)
    return True


def _same(pattern, node, found):
    """Yield what was found, once for each way in which the pattern (a node, a list or a plain value) matches."""
    if isinstance(pattern, list):
        yield from _same_lists(pattern, node, found)
    elif isinstance(pattern, ast.AST) and _number(pattern) is not None:
        yield Found(found.names, found.rest | {_number(pattern): node})
    elif type(pattern) is not type(node):
        return
    elif isinstance(pattern, ast.Name) and not pattern.exact:
        name = found.names.get(pattern.id)
        if name == node.id or (name is None and node.id not in found.names.values() and not node.id.isupper()):
            yield Found(found.names | {pattern.id: node.id}, found.rest)
    elif isinstance(pattern, ast.AST):
        fields = [field for field in pattern._fields if field not in ("ctx", "kind", "type_comment")]
        yield from _in_turn([(getattr(pattern, field), getattr(node, field)) for field in fields], found)
    elif pattern == node:
        yield found


def _in_turn(pairs, found):
    """The same for pairs of a pattern and a node, all of which must match."""
    if not pairs:
        yield found
        return
    for first in _same(*pairs[0], found):
        yield from _in_turn(pairs[1:], first)


def _same_lists(patterns, nodes, found):
    """The same for lists, in which `...` may stand for any number of nodes."""
    if not patterns:
        yield from [found] * (not nodes)
    elif isinstance(patterns[0], ast.AST) and (number := _number(patterns[0])) is not None:
        for k in range(len(nodes) + 1):
            yield from _same_lists(patterns[1:], nodes[k:], Found(found.names, found.rest | {number: nodes[:k]}))
    elif nodes:
        for first in _same(patterns[0], nodes[0], found):
            yield from _same_lists(patterns[1:], nodes[1:], first)


# --- planting ---------------------------------------------------------------------------------------------------------


class _Fill(ast.NodeTransformer):
    """Writes the variables that were found, and what `...` stood for, into a copy of the second snippet."""

    def __init__(self, mistake, found):
        self.mistake, self.found, self.own = mistake, found, set()

    def of(self, snippet):
        body = copy.deepcopy(_statements(snippet))
        names = [node for part in body for node in ast.walk(part) if isinstance(node, ast.Name)]
        self.own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        filled = self.visit(ast.Module(body, [])).body
        return filled if isinstance(snippet, list) else filled[0].value

    def visit_Name(self, node):
        if node.exact or node.id not in self.found.names:
            assert node.exact or node.id in self.own, f"{self.mistake}: no pattern says which variable `{node.id}` is"
            return node
        return ast.Name(self.found.names[node.id], node.ctx)

    def visit_Constant(self, node):
        if not _dots(node):
            return node
        rest = copy.deepcopy(self.found.rest[node.number])
        return rest[0] if isinstance(rest, list) and len(rest) == 1 else rest

    def visit_Expr(self, node):
        return self.visit(node.value) if _dots(node.value) else self.generic_visit(node)


def _replace(tree, place, new):
    if place.block is not None:
        place.block[place.start : place.stop] = new
        return

    class Swap(ast.NodeTransformer):
        def visit(self, node):
            return new if node is place.node else self.generic_visit(node)

    Swap().visit(tree)


# --- copies of modules ------------------------------------------------------------------------------------------------


def plain_copy(module, mistake=None, instead=None):
    """A copy of a module, as plain Python, with the mistake in it.

    `instead` maps modules to replacements. If the copy imports one of these modules, it gets the replacement.
    """
    return _copy(module, mistake, {jit: plain_jit, **(instead or {})})


def jit_copy(module, mistake=None, instead=None):
    """The same, but kernels are compiled as the module's own are, and not cached."""
    return _copy(module, mistake, instead or {})


def plain_copies(*modules, mistake=None, into=None):
    """Plain copies of modules, each of which imports the copies of the modules before it: {module: its copy}.

    The mistake is planted in the copy of the module `into`, and the copies after it import the mistake.
    """
    copies = {}
    for module in modules:
        copies[module] = plain_copy(module, mistake if module is into else None, copies)
    assert mistake is None or into in copies
    return copies


def source_of(module):
    """The source of a module, with that of another in the place of `from other import *`."""
    source = inspect.getsource(module)
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            (line,) = source.splitlines(keepends=True)[node.lineno - 1 : node.end_lineno]
            source = source.replace(line, inspect.getsource(importlib.import_module(node.module)))
    return source


def _copy(module, mistake, instead):
    source = source_of(module)
    tree = plant(source, mistake) if mistake else ast.parse(source)
    made = types.ModuleType("planted")
    made.__dict__["__builtins__"] = vars(builtins) | {"__import__": _importer(instead)}
    exec(compile(tree, f"planted {module.__name__}", "exec"), made.__dict__)
    return made


def _importer(instead):
    """A function like `__import__` that returns replacements for some modules."""
    by_name = {module.__name__: other for module, other in instead.items()}

    def find(name, where=None, local=None, names=(), level=0):
        module = __import__(name, where, local, names, level)
        if not names:
            return module
        module = by_name.get(name, module)
        return types.SimpleNamespace(**{n: by_name.get(f"{name}.{n}") or getattr(module, n) for n in names})

    return find
