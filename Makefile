# Everything runs in .venv, which the first command creates. You need Python 3.11 or newer, and make.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14 python,\
  $(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
VENV ?= .venv
RUN = $(VENV)/bin/python
INSTALL = -m pip --disable-pip-version-check install --quiet
PIP = $(RUN) $(INSTALL)
TORCH = torch==2.13.0

# Files that compile kernels. They are left out of coverage, because their lines do not run in plain Python.
NOT_KERNELS = '*/compiler/*,*/fast/floors.py'

# Spark needs Java: install the distribution's, if that is possible here.
WITH_JAVA = command -v java >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
  apt-get update -qq && apt-get install -y -qq openjdk-17-jre-headless; } || true

# The site's pages are tested in Chromium: install the distribution's, if that is possible here.
WITH_CHROMIUM = command -v chromium chromedriver >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
  apt-get update -qq && apt-get install -y -qq chromium chromium-driver; } || true

# Most modules of what pip installs are never imported, and compiling them all took half of its time. This is
# `--no-compile`, also for what it installs to build a package.
export PIP_COMPILE = 0

# Commands that tests start find the bytecode of modules, whatever the shell says: else each would compile them anew.
unexport PYTHONDONTWRITEBYTECODE

# Tests of planted mistakes run copies of the kernels as plain Python, on any CPU; others test how they are planted.
# `make test` runs them.
WITHOUT_PLANTED = -k 'not mistake and not test_planted'

.PHONY: demo test lint bench bench-full bench-compare bench-tables bench-sklearn bench-segments bench-linear bench-float32 same-bits bench-native peers dev-and-peers docs test-docs native wheels test-deep test-faults test-mutants test-sklearn-bits test-uncompiled test-generic test-oldest \
  test-wheel test-tools test-cluster bench-cluster clean

demo: $(VENV)/core.ok
	$(RUN) -m tinynet_fast demo

# A process for each core, so BLAS gets one thread in each: a second one would wait for a core, and use CPU time to wait.
test: $(VENV)/dev.ok
	OPENBLAS_NUM_THREADS=1 $(RUN) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# All benchmarks, against every peer that can be installed. Weights are compared before anything is timed. Less than ten
# minutes.
bench: $(VENV)/bench.ok
	$(RUN) bench/run.py

# More rows, problems and rounds. About an hour, and 4 GB of memory.
bench-full: $(VENV)/bench.ok
	$(RUN) bench/run.py --full

# Measure how good `train` is on tables that ship in packages, beside scikit-learn.
bench-tables: $(VENV)/core.ok
	$(PIP) --group tables
	$(RUN) bench/tables.py
	$(RUN) bench/number_tables.py

# Compare our linear estimators with scikit-learn's: first the weights, then the times. It takes a quarter of an hour.
bench-sklearn: $(VENV)/core.ok
	$(PIP) 'scikit-learn>=1.8'
	$(RUN) bench/sklearn_exact.py

# Compare this tree with a revision; the two take turns: make bench-compare BASE=HEAD~1
bench-compare: $(VENV)/dev.ok
	@test -n "$(BASE)" || { echo "name a revision: make bench-compare BASE=HEAD~1" >&2; exit 2; }
	$(RUN) bench/versions.py '$(BASE)'

# Check that this tree gives the same bits as a revision, in some 1,900 problems. Five or six minutes:
# make same-bits BASE=HEAD~1
same-bits: $(VENV)/dev.ok
	@test -n "$(BASE)" || { echo "name a revision: make same-bits BASE=HEAD~1" >&2; exit 2; }
	$(RUN) bench/same_bits.py '$(BASE)' $(OPTIONS)

# Measure what docs/cluster.md shows about Dask and Spark. A quarter of an hour; needs Java and 16 GB of memory.
bench-cluster: $(VENV)/cluster.ok
	$(WITH_JAVA)
	$(PIP) scikit-learn matplotlib
	$(RUN) bench/cluster.py
	$(RUN) bench/cluster_page.py

# Compare long runs of a neuron in segments with the same runs in turn, with two threads and with scikit-learn. Five
# minutes.
bench-segments: $(VENV)/dev.ok
	$(RUN) bench/segments.py

# Compare neurons that predict numbers with scikit-learn's SGDRegressor. A minute.
bench-linear: $(VENV)/dev.ok
	$(RUN) bench/linear.py

# Compare networks of float32 with networks of float64. A minute.
bench-float32: $(VENV)/dev.ok
	$(RUN) bench/float32.py

# Compare the kernels in the library with the same kernels compiled by Numba; the two take turns.
bench-native: native
	$(RUN) bench/versions.py --native

# Ten thousand examples for each property, and runs of ten million rows. About half an hour, and 2 GB of memory.
test-deep: $(VENV)/dev.ok
	HYPOTHESIS_PROFILE=deep $(RUN) -m pytest $(addprefix tests/kernels/test_,properties.py engines.py long_runs.py)

# Damaged files and checkpoints, kills, failing writes, signals, threads and forks at full length: about two hours. If
# atheris can be installed here, files are then fuzzed for a minute each, guided by coverage. docs/reliability.md has
# the figures.
test-faults: $(VENV)/dev.ok
	TINYNET_FAST_FAULTS=full $(RUN) -m pytest --numprocesses auto -rP tests/faults
	if $(PIP) atheris; then \
	  for kind in model checkpoint csv npy svmlight; do $(RUN) tests/faults/guided.py $$kind 60 || exit 1; done; \
	else echo 'atheris has no wheel for this Python: fuzzing is left out'; fi

# Compare the estimators with scikit-learn's own: the whole table of fits, its own tests with our classes in their place,
# and `check_estimator`. It prints how many fits there were and how many are equal, and takes a few minutes.
test-sklearn-bits: $(VENV)/dev.ok
	TINYNET_FAST_BITS=full $(RUN) -m pytest -s \
	  $(addprefix tests/estimators/test_,sklearn_bits.py sklearn_exchange.py their_tests.py check_estimator.py)

# Run the kernels as plain Python, so that coverage can see their lines. The tests must reach every line.
# SlipCover puts a mark into each line and branch, and takes it out once it is reached. `coverage` is called for each
# line that runs, those of other packages too, and took as long again as the tests.
test-uncompiled: $(VENV)/dev.ok
	NUMBA_DISABLE_JIT=1 HYPOTHESIS_PROFILE=few $(RUN) -W 'ignore:Unable to activate' -m slipcover \
	  --branch --skip-covered --fail-under 100 --source tinynet_fast/kernels --omit $(NOT_KERNELS) \
	  -m pytest -W ignore::RuntimeWarning -W ignore::pytest.PytestAssertRewriteWarning $(WITHOUT_PLANTED) tests/kernels

# Put N small mistakes into copies of the package, one at a time, and see whether a test notices: make test-mutants N=40
# SEED=1. About ten minutes on two cores, and as many again when the tests are first recorded for a tree.
N ?= 100
SEED ?= 0
test-mutants: $(VENV)/dev.ok
	$(RUN) tests/mutants/mutants.py -n $(N) --seed $(SEED)

# Test the promises as on a CPU without AVX and FMA: the kernels of the library at its plainest level, the others compiled
# by Numba for such a CPU; and, in `validate`, all of them compiled by Numba. The cache is empty at first.
PLAINEST = $(if $(filter x86_64,$(shell uname -m)),TINYNET_FAST_NATIVE=x86-64-v2)
test-generic: native
	cache=$$(mktemp -d) && trap 'rm -rf "$$cache"' EXIT && \
	  export NUMBA_CPU_NAME=generic NUMBA_CACHE_DIR="$$cache" HYPOTHESIS_PROFILE=few && \
	  $(PLAINEST) $(RUN) -m pytest -m any_cpu $(WITHOUT_PLANTED) tests/kernels && \
	  TINYNET_FAST_NATIVE=0 $(RUN) -m tinynet_fast validate

# Compile the kernels ahead of time for this source tree; `make test` then uses them. After an edit of a kernel they are
# not used until the next `make native`. (Ninja would ask this make for turns, and cannot.)
native: $(VENV)/dev.ok
	$(PIP) cmake ninja
	$(VENV)/bin/cmake -S . -B build/native -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(VENV))/bin/ninja \
	  -DPython_EXECUTABLE=$(abspath $(RUN)) -DCMAKE_BUILD_TYPE=Release
	MAKEFLAGS= $(VENV)/bin/cmake --build build/native
	$(VENV)/bin/cmake --install build/native --prefix .

# Wheels for Linux (manylinux and musllinux, x86-64 and aarch64), macOS and Windows, all made here: see docs/platforms.md.
wheels: $(VENV)/dev.ok
	$(PIP) ziglang zopfli
	$(RUN) native/wheels.py dist

# Build the source distribution and the wheel, and test the wheel without Numba.
test-wheel: $(VENV)/dev.ok $(VENV)-wheel/ok
	rm -rf dist
	$(RUN) -m build --outdir dist
	$(VENV)-wheel/bin/python $(INSTALL) --no-deps --force-reinstall dist/*.whl
	cd $(VENV)-wheel && HYPOTHESIS_PROFILE=few bin/python -P -m pytest -c ../pyproject.toml --rootdir .. \
	  $(WITHOUT_PLANTED) ../tests/kernels ../tests/training ../tests/models
	cd $(VENV)-wheel && bin/tinynet-fast demo

$(VENV)-wheel/ok: pyproject.toml
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python $(INSTALL) --upgrade 'pip>=25.1'
	$(VENV)-wheel/bin/python $(INSTALL) numpy typer rich --group test
	@touch $@

# Test the drop-in estimators with the oldest scikit-learn that pyproject.toml allows.
test-oldest: $(VENV)-oldest/ok
	$(VENV)-oldest/bin/python -m pytest -W 'ignore:Passing a non-Collection' -k 'not strict' tests/estimators

$(VENV)-oldest/ok: pyproject.toml
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python $(INSTALL) --upgrade 'pip>=25.1'
	$(VENV)-oldest/bin/python $(INSTALL) --editable . --group test 'scikit-learn==1.8.*'
	@touch $@

# Test the estimators in tools around scikit-learn that `make test` does not install: shap, optuna, imbalanced-learn and
# mlxtend. A tool that cannot be installed here is left out, and its tests are skipped.
test-tools: $(VENV)-tools/ok
	$(VENV)-tools/bin/python -m pytest -rs $(addprefix tests/estimators/test_tools,.py _onnx.py _convert.py)

$(VENV)-tools/ok: pyproject.toml
	$(PYTHON) -m venv $(VENV)-tools
	$(VENV)-tools/bin/python $(INSTALL) --upgrade 'pip>=25.1'
	$(VENV)-tools/bin/python $(INSTALL) --editable '.[sklearn]' --group test --group onnx
	for tool in shap optuna imbalanced-learn mlxtend; do \
	  $(VENV)-tools/bin/python $(INSTALL) $$tool || echo "$$tool cannot be installed here"; done
	@touch $@

# Test training on real clusters: Dask's worker processes, some of which are killed, and Spark. The tests of Spark are
# skipped without Java, and say so.
test-cluster: $(VENV)/cluster.ok
	$(WITH_JAVA)
	$(RUN) -m pytest tests/cluster

# Build the site into build/docs. Open build/docs/index.html; no server is needed.
docs: $(VENV)/docs.ok
	$(RUN) -m sphinx --builder html --doctree-dir build/doctrees --fail-on-warning --keep-going docs build/docs

# Build the site and run every page in Chromium. Without Chromium these tests are skipped, and say so.
# (The site is built in the recipe: as a prerequisite, `make -j` would do everything else before the tests.)
test-docs: $(VENV)/docs.ok
	$(MAKE) docs
	$(WITH_CHROMIUM)
	$(RUN) -m pytest --numprocesses auto --dist loadfile -rs tests/docs

lint: $(VENV)/dev.ok
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# Install PyTorch (its CPU build, if the index has one) for comparison in tests and benchmarks. Without it they skip it.
peers: $(VENV)/peers.ok

# Install both at once: in turns, pip would look for packages twice.
dev-and-peers: $(VENV)/core.ok
	$(PIP) --group dev $(TORCH)
	@touch $(VENV)/dev.ok $(VENV)/peers.ok

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with 'make PYTHON=/path/to/python3'" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade 'pip>=25.1'

$(VENV)/core.ok: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/dev.ok: pyproject.toml $(VENV)/core.ok
	$(PIP) --group dev
	@touch $@

$(VENV)/peers.ok: $(VENV)/dev.ok
	$(PIP) $(TORCH)
	@touch $@

# Install the other peers of the benchmarks. A peer is left out if it has no wheel for this Python and cannot be built.
$(VENV)/bench.ok: bench/install_peers.py $(VENV)/peers.ok
	$(RUN) bench/install_peers.py
	@touch $@

$(VENV)/docs.ok: $(VENV)/dev.ok
	$(PIP) --group docs
	@touch $@

$(VENV)/cluster.ok: $(VENV)/dev.ok
	$(PIP) --editable '.[dask,spark,io]'
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-tools $(VENV)-wheel build tinynet_fast/kernels/libtinynet_fast.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
