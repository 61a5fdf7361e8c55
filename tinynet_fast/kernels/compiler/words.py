"""Words that threads share: places in an array of int64. If kernels run as plain Python, they are for one thread."""

from tinynet_fast.kernels.compiler.simd import instruction


@instruction
def claim(words, at):
    """Add 1 to a word, and return what it was. Each thread gets another number.

    A thread that has `seen` the number finds all that the other threads wrote before they added to the word.
    """
    words[at] += 1
    return words[at] - 1


@instruction
def seen(words, at):
    """The word as other threads left it."""
    return words[at]


@instruction
def replace(words, at, old, new):
    """Write `new` if the word is still `old`. Returns whether it was."""
    was = words[at]
    words[at] = new if was == old else was
    return was == old


@instruction
def pause(words):
    """Tell the CPU that this thread waits for a word, which takes some 40 ns. Only x86 is told."""


@instruction
def give_way(words):
    """Let another thread have this core, if one waits for it. On Windows nothing is done."""
