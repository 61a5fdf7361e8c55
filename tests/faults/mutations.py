"""Damage to files, drawn from a seed: bytes changed, cut or doubled, and values of JSON put in one another's place."""

import copy
import os

QUICK = "TINYNET_FAST_FAULTS" not in os.environ


def count(quick, full):
    """How many cases to try: `full` with TINYNET_FAST_FAULTS=full (`make test-faults`), a sample of them otherwise."""
    return quick if QUICK else full


ODD = (
    None, True, False, 0, -1, 1, 3, 10**9, 2**31, 2**53, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, 5e-324, float("nan"),
    float("inf"), "", "x", "0", "float64", "\ud800", "\x1b[31m", "=cmd|' /C calc'!A0", "a" * 5000, [], [[]], [1],
    [None], {}, {"float64": ""}, {"float64": "AAAA"}, {"a": 1},
)  # fmt: skip


def damage_bytes(draw, content):
    """`content` with a few bytes changed, removed or repeated."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        at, kind = draw.randrange(len(data)), draw.randrange(6)
        if kind == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at] = draw.randrange(256)
        elif kind == 2:
            del data[at : at + draw.choice((1, 1, 8, 1000))]
        elif kind == 3:
            data[at:at] = bytes(draw.randrange(256) for _ in range(draw.choice((1, 4, 100))))
        elif kind == 4:
            del data[at:]
        else:
            stop = at + draw.choice((1, 10, 500))
            data[at:at] = data[at:stop]
        if not data:
            break
    return bytes(data)


def places(value, path=()):
    """The paths to all values in nested lists and dicts."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def damage_value(draw, content):
    """A copy of `content` (of JSON's kinds) with a value or two removed, replaced, resized or moved."""
    content = copy.deepcopy(content)
    for _ in range(draw.choice((1, 1, 2))):
        path = draw.choice([path for path in places(content) if path] or [()])
        if not path:
            return draw.choice(ODD)
        parent = content
        for key in path[:-1]:
            parent = parent[key]
        old, kind = parent[path[-1]], draw.randrange(5)
        if kind == 0:
            del parent[path[-1]]
        elif kind == 1 and isinstance(old, list):
            parent[path[-1]] = draw.choice(
                (old + old, old[: len(old) // 2], old[::-1], [old], [*old, draw.choice(ODD)])
            )
        elif kind == 2 and type(old) in (int, float) and abs(old) < 1e300:
            parent[path[-1]] = draw.choice((old + 1, -old, old * 1e9, old - 1, old + 0.5, str(old), 0))
        elif kind == 3:
            other = content
            for key in draw.choice(list(places(content))):
                other = other[key]
            parent[path[-1]] = copy.deepcopy(other)
        else:
            parent[path[-1]] = draw.choice(ODD)
    return content
