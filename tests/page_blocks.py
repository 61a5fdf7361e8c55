"""Run the blocks of a page in Markdown, in order and in one namespace, and compare what it shows with what happens.

- A ```python block runs. A line `expression  # value` is evaluated; the value may have fewer digits, and an
  explanation after a colon: `1 / 3  # 0.333: a third`. A comment that begins like a value has to be one.
- A line `print(...)  # values` prints the numbers of its comment, with at least as many digits.
- A ```console block runs its `$ tinynet-fast ...` lines. Lines below a command are what it prints.
- An ```output block is what the block before it printed.

In what is printed, `...` stands for anything, and runs of spaces and line breaks count as one space. Any other
language, such as ```py or ```text, does not run.
"""

import ast
import contextlib
import doctest
import io
import re
import shlex
import sys
import tokenize
from decimal import Decimal
from typing import NamedTuple

from tinynet_fast.cli.app import main

FENCE = re.compile(r"^(`{3,})(\w*)[^\n]*\n(.*?)^\1`*[ ]*$", re.MULTILINE | re.DOTALL)
VALUE = re.compile(r"[-\[({'\"\d]|(True|False|None)\b")  # how a comment begins that is a value
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d*)?(?:e[-+]?\d+)?(?!\w)")  # not the 1 of h1
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Programs besides tinynet-fast that a page may name. They install, build or test: they are not run.
OTHERS = {"make", "pip", ".", "git", "python", "source", "docker"}


class Block(NamedTuple):
    language: str
    text: str
    line: int  # of the page, of the block's first line


def blocks(page):
    """All blocks of a page that have a language."""
    found = FENCE.finditer(page)
    return [Block(m[2], m[3], page.count("\n", 0, m.start(3)) + 1) for m in found if m[2]]


def run(page, name, left_out=()):
    """Run a page's blocks in the current folder. AssertionError says which line of it shows what is not so.

    `left_out` has commands of tinynet-fast that are only looked at, because they take long.
    """
    names, printed = {"__name__": "__main__"}, ""
    for block in blocks(page):
        if block.language == "python":
            printed = run_python(block, name, names)
        elif block.language == "console":
            printed = "".join(run_console(block, name, left_out))
        elif block.language == "output":
            check_printed(block.text, printed, f"{name}:{block.line}")


def run_python(block, name, names):
    """Run a block, statement by statement, and check the values that its comments show. Return what it printed."""
    source, out = "\n" * (block.line - 1) + block.text, io.StringIO()
    comments = shown_values(source)
    with contextlib.redirect_stdout(out):
        for statement in ast.parse(source, name).body:
            shown = comments.get(statement.end_lineno)
            if shown is not None and is_print(statement):
                before = len(out.getvalue())
                exec(compile(ast.Module([statement], []), name, "exec"), names)
                printed = out.getvalue()[before:]
                assert prints(printed, shown), f"{name}:{statement.end_lineno} shows {shown}, but prints {printed}"
            elif isinstance(statement, ast.Expr) and shown is not None:
                value = eval(compile(ast.Expression(statement.value), name, "eval"), names)
                assert agrees(value, shown), f"{name}:{statement.end_lineno} shows {shown}, but the value is {value!r}"
            else:
                exec(compile(ast.Module([statement], []), name, "exec"), names)
    return out.getvalue()


def shown_values(source):
    """The comments of a block that begin like a value, by their lines."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    words = {token.start[0]: token.string[1:].strip() for token in tokens if token.type == tokenize.COMMENT}
    return {line: comment for line, comment in words.items() if VALUE.match(comment)}


def is_print(statement):
    call = getattr(statement, "value", None)
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"


def prints(printed, comment):
    """Whether the numbers that were printed are those of a comment, as far as these have digits."""
    found, shown = NUMBER.findall(printed), NUMBER.findall(comment.partition(": ")[0])
    return len(found) == len(shown) > 0 and all(map(close, map(float, found), shown))


def close(value, text):
    """Whether a number is the one that a text shows, as far as the text has digits."""
    return abs(value - float(text)) <= 0.5 * 10.0 ** Decimal(text).as_tuple().exponent * (1.0 + 1e-6)


def agrees(value, comment):
    """Whether a value is the one that a comment shows, as far as it has digits."""
    for end in [len(comment), *(m.start() for m in re.finditer(": ", comment))]:
        with contextlib.suppress(SyntaxError):
            node = ast.parse(comment[:end], mode="eval").body
            return same(value.tolist() if hasattr(value, "tolist") else value, node, comment)
    raise AssertionError(f"a comment begins like a value and is none: {comment}")


def same(value, node, text):
    if isinstance(node, ast.List | ast.Tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(node.elts)
            and all(same(item, shown, text) for item, shown in zip(value, node.elts, strict=True))
        )
    if isinstance(node, ast.Dict):
        keys = [ast.literal_eval(key) for key in node.keys]
        return keys == list(value) and all(same(value[k], v, text) for k, v in zip(keys, node.values, strict=True))
    shown = ast.literal_eval(node)
    if isinstance(shown, float):
        return isinstance(value, float | int) and close(value, ast.get_source_segment(text, node))
    return value == shown


def run_console(block, name, left_out):
    """Run the commands of a block; yield what each printed."""
    for command, shown, line in commands(block):
        words, place = shlex.split(command, comments=True), f"{name}:{line}"
        if words[0] != "tinynet-fast":
            assert words[0] in OTHERS, f"{place}: {words[0]} is no program that pages run"
        elif words[1] not in left_out:
            fails = shown.startswith("tinynet-fast: ")
            printed, status = run_command(words)
            assert status == (2 if fails else 0), f"{place}: exit status {status}\n{printed}"
            if shown:
                check_printed(shown, printed, place)
            yield printed


def commands(block):
    """Each command of a console block, what is shown below it, and its line in the page."""
    found = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append([line[2:], "", number])
        else:
            assert found, f"line {number} is neither a command nor below one"
            found[-1][1] += f"{line}\n" if line.strip() else ""
    return [tuple(each) for each in found]


def run_command(words):
    """Run a command of tinynet-fast in this process. Return what a terminal would show, and the exit status."""
    out, before = io.StringIO(), sys.argv
    sys.argv = words
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main()
        status = 0
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.argv = before
    return out.getvalue(), status


def check_printed(shown, printed, place):
    assert doctest.OutputChecker().check_output(shown, printed, FLAGS), (
        f"{place} shows\n{shown}but this is printed:\n{printed}"
    )
