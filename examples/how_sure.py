"""How sure is it? Two hundred neurons, each trained on a sample of the rows, say how sure weights and answers are."""

from tinynet_fast import bootstrap
from tinynet_fast.datasets import make_pass_fail

for n in (100, 10_000):
    rows = make_pass_fail(n, 2)
    result = bootstrap(rows.X, rows.y, seed=0)
    print(f"{n} rows")
    errors, intervals = result.standard_errors, result.interval()
    for j, weight in enumerate(result.model.weights):
        low, high = intervals[j]
        print(f"  weight {j}: {weight:+.2f} ± {errors[j]:.2f}, 95% from {low:+.2f} to {high:+.2f}")
    student = [[1.0, -0.5]]
    probability, (low, high) = result.model.predict_proba(student)[0], result.predict_interval(student)[0]
    print(f"  a student's probability to pass: {probability:.2f}, 95% from {low:.2f} to {high:.2f}")
