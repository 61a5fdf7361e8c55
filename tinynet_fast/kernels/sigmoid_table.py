"""The sigmoid of neurons that `portable` trains: a polynomial about the nearest of 257 nodes, in plain Python.

A neuron waits for its sigmoid at each row. If nothing is fused, 1 / (1 + exp(-z)) takes 66 cycles from z to the result:
48 for exp, and 18 for a sum and a division. A polynomial takes 36, of which its coefficients are waited for 14. Beyond
the nodes, where few rows are, the sigmoid is 1 / (1 + exp(-z)). `portable.py` compiles `sigmoid`.

The table is made of whole numbers, so it has the same bits on every machine. At a node c, p = sigmoid(c) gives the
terms of Taylor's series by p' = p - p * p. The terms above t**8 are then replaced by the lower powers that are closest
to them for |t| <= 1/16 (Chebyshev's economisation), which changes 1e-18 at most. The value at a node is two floats.

The largest error that was found is 0.65 units in the last place. 1 / (1 + exp(-z)) has up to 2.0.
"""

from tinynet_fast.kernels.elementary import exp

NODES, RANGE = 8, 16  # nodes a unit; they lie from -RANGE to RANGE
DEGREE, TERMS = 8, 12  # of the polynomials, and how many terms of Taylor's series they are made from
STRIDE = DEGREE + 2  # floats a node: what its value lacks, its value, and the coefficients of t to t**8
BITS = 160
UNIT = 1 << BITS  # stands for 1.0
RADIUS = 4  # a number is at most 1 / 16, or 2**-RADIUS, from its node
# Added to z, it rounds z to eighths, which are then the low bits of the sum: 0 for the first node.
TO_NODE = 1.5 * 2.0**52 / NODES + RANGE


# --- the table --------------------------------------------------------------------------------------------------------


def _chebyshev():
    """The coefficients of Chebyshev's polynomials, the constant term first."""
    found = [[1], [0, 1]]
    while len(found) < TERMS:
        found.append([2 * a - b for a, b in zip([0, *found[-1]], [*found[-2], 0, 0], strict=True)])
    return found


def _series(power, chebyshev):
    """The coefficients at -c, times UNIT, where exp(c) is `power`, also times UNIT."""
    p = [UNIT * UNIT // (UNIT + power)]
    for m in range(TERMS - 1):
        p.append((p[m] - (sum(p[i] * p[m - i] for i in range(m + 1)) >> BITS)) // (m + 1))
    for n in range(TERMS - 1, DEGREE, -1):
        top = p.pop()  # T_n(t / r) * r**n / 2**(n - 1), with r the largest |t|, is t**n and lower powers
        for m, c in enumerate(chebyshev[n][:-1]):
            p[m] -= top * c >> n - 1 + RADIUS * (n - m)
    return p


def _table():
    """STRIDE floats for each node."""
    root = term = power = UNIT
    for n in range(1, 40):
        term //= n * NODES
        root += term  # in the end exp(1 / NODES)
    chebyshev, left, right = _chebyshev(), [], []
    for _ in range(NODES * RANGE + 1):
        small = _series(power, chebyshev)
        left.append(small)
        right.append([UNIT - small[0], *((-1) ** (m + 1) * c for m, c in enumerate(small[1:], 1))])  # 1 - p(-z)
        power = power * root >> BITS
    table = []
    for value, *others in [*reversed(left), *right[1:]]:
        nearest = value / UNIT
        numerator, denominator = nearest.as_integer_ratio()
        lacks = (value * denominator - numerator * UNIT) / (UNIT * denominator)
        table += [lacks, nearest, *(c / UNIT for c in others)]
    return table


TABLE = _table()


# --- the function -----------------------------------------------------------------------------------------------------


def place(shifted):
    """Where the table has the node that z + TO_NODE is."""
    return int((shifted - TO_NODE + RANGE) * NODES) * STRIDE


def sigmoid(z):
    """1 / (1 + exp(-z)). The powers of t come before the coefficients do, which have to be looked up."""
    if not -RANGE <= z <= RANGE:  # also NaN
        return 1.0 / (1.0 + exp(-z))
    shifted = z + TO_NODE
    k = place(shifted)
    t = z - (shifted - TO_NODE)
    t2 = t * t
    t3, t4 = t2 * t, t2 * t2
    first = (TABLE[k] + t * TABLE[k + 2]) + (t2 * TABLE[k + 3] + t3 * TABLE[k + 4])
    middle = t4 * (TABLE[k + 5] + t * TABLE[k + 6])
    last = (t3 * t3) * (TABLE[k + 7] + t * TABLE[k + 8]) + (t4 * t4) * TABLE[k + 9]
    return TABLE[k + 1] + ((first + middle) + last)
