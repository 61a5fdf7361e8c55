# Everything runs in .venv, which the first command builds. Needed: Python 3.11 or newer, and make.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14 python,\
  $(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
VENV ?= .venv
RUN = $(VENV)/bin/python
PIP = $(RUN) -m pip --disable-pip-version-check install --quiet

# What compiles kernels has no lines of its own to reach in plain Python.
NOT_KERNELS = '*/compiler/*,*/fast/floors.py'

# Spark's Java, from the distribution, where that can be had.
WITH_JAVA = command -v java >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
  apt-get update -qq && apt-get install -y -qq openjdk-17-jre-headless; } || true

# Planted mistakes are in copies that run as plain Python, on whatever CPU: `make test` has them.
WITHOUT_PLANTED = -k 'not mistake'

.PHONY: demo test lint bench bench-full bench-compare same-bits bench-native peers native test-deep test-faults test-uncompiled test-generic test-oldest \
  test-wheel test-cluster bench-cluster clean

demo: $(VENV)/core.ok
	$(RUN) -m tinynet_fast demo

test: $(VENV)/dev.ok
	$(RUN) -m pytest --numprocesses auto --dist loadfile

# Every family against every peer that can be installed, nothing timed that was not shown equal: under ten minutes.
bench: $(VENV)/bench.ok
	$(RUN) bench/run.py

# More rows, problems and rounds: about an hour, and 4 GB of memory.
bench-full: $(VENV)/bench.ok
	$(RUN) bench/run.py --full

# This tree against a revision, in turns: make bench-compare BASE=HEAD~1
bench-compare: $(VENV)/dev.ok
	@test -n "$(BASE)" || { echo "name a revision: make bench-compare BASE=HEAD~1" >&2; exit 2; }
	$(RUN) bench/versions.py '$(BASE)'

# Whether this tree has the bits of a revision, in some 1,900 problems: make same-bits BASE=HEAD~1. Five or six minutes.
same-bits: $(VENV)/dev.ok
	@test -n "$(BASE)" || { echo "name a revision: make same-bits BASE=HEAD~1" >&2; exit 2; }
	$(RUN) bench/same_bits.py '$(BASE)' $(OPTIONS)

# Dask and Spark: what docs/cluster.md shows. About a quarter of an hour, Java, and 16 GB of memory.
bench-cluster: $(VENV)/cluster.ok
	$(WITH_JAVA)
	$(PIP) scikit-learn matplotlib
	$(RUN) bench/cluster.py
	$(RUN) bench/cluster_page.py

# The kernels of the library against the same compiled by Numba, in turns.
bench-native: native
	$(RUN) bench/versions.py --native

# Ten thousand examples for each property, and runs of ten million rows: about half an hour, and 2 GB of memory.
test-deep: $(VENV)/dev.ok
	HYPOTHESIS_PROFILE=deep $(RUN) -m pytest $(addprefix tests/kernels/test_,properties.py engines.py long_runs.py)

# Damaged files and checkpoints, kills, failing writes, signals, threads and forks: at full length, about two hours. Then
# damage that coverage guides, for a minute each, if atheris can be installed here. docs/reliability.md has the figures.
test-faults: $(VENV)/dev.ok
	TINYNET_FAST_FAULTS=full $(RUN) -m pytest --numprocesses auto -rP tests/faults
	if $(PIP) atheris; then \
	  for kind in model checkpoint csv npy svmlight; do $(RUN) tests/faults/guided.py $$kind 60 || exit 1; done; \
	else echo 'atheris has no wheel for this Python: damage that coverage guides is left out'; fi

# The kernels as plain Python, so that coverage sees their lines. A test must reach every line.
test-uncompiled: $(VENV)/dev.ok
	NUMBA_DISABLE_JIT=1 HYPOTHESIS_PROFILE=few $(RUN) -m coverage run -m pytest -W ignore::RuntimeWarning \
	  $(WITHOUT_PLANTED) tests/kernels
	$(RUN) -m coverage report --include='tinynet_fast/kernels/*' --omit=$(NOT_KERNELS) \
	  --show-missing --fail-under=100

# The promises on the plainest CPU: no AVX, no FMA, and nothing from the cache. (`make test-wheel` has the others.)
test-generic: $(VENV)/dev.ok
	cache=$$(mktemp -d) && trap 'rm -rf "$$cache"' EXIT && \
	  export NUMBA_CPU_NAME=generic NUMBA_CACHE_DIR="$$cache" HYPOTHESIS_PROFILE=few && \
	  $(RUN) -m pytest -m any_cpu $(WITHOUT_PLANTED) tests/kernels && $(RUN) -m tinynet_fast validate

# The kernels compiled ahead of time, for this source tree: `make test` then runs with them. After an edit of a kernel
# they are left aside until the next `make native`.
native: $(VENV)/dev.ok
	$(PIP) cmake ninja
	$(VENV)/bin/cmake -S . -B build/native -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(VENV))/bin/ninja \
	  -DPython_EXECUTABLE=$(abspath $(RUN)) -DCMAKE_BUILD_TYPE=Release
	$(VENV)/bin/cmake --build build/native
	$(VENV)/bin/cmake --install build/native --prefix .

# The source distribution, the wheel that is made from it, and its promises without Numba: on what this CPU has, and as
# on a CPU without AVX.
test-wheel: $(VENV)/dev.ok
	rm -rf dist $(VENV)-wheel
	$(RUN) -m build --outdir dist
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip --disable-pip-version-check install --quiet --upgrade 'pip>=25.1'
	$(VENV)-wheel/bin/python -m pip --disable-pip-version-check install --quiet numpy typer rich --group test
	$(VENV)-wheel/bin/python -m pip --disable-pip-version-check install --quiet --no-deps dist/*.whl
	cd $(VENV)-wheel && HYPOTHESIS_PROFILE=few bin/python -P -m pytest -c ../pyproject.toml --rootdir .. \
	  $(WITHOUT_PLANTED) ../tests/kernels ../tests/training ../tests/models
	cd $(VENV)-wheel && HYPOTHESIS_PROFILE=few TINYNET_FAST_NATIVE=x86-64-v2 bin/python -P -m pytest -c ../pyproject.toml \
	  --rootdir .. -m any_cpu $(WITHOUT_PLANTED) ../tests/kernels
	cd $(VENV)-wheel && bin/tinynet-fast demo

# The drop-in estimators with the oldest scikit-learn that pyproject.toml declares.
test-oldest: $(VENV)-oldest/ok
	$(VENV)-oldest/bin/python -m pytest -W 'ignore:Passing a non-Collection' -k 'not strict' tests/estimators

$(VENV)-oldest/ok: pyproject.toml
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip --disable-pip-version-check install --quiet --upgrade 'pip>=25.1'
	$(VENV)-oldest/bin/python -m pip --disable-pip-version-check install --quiet --editable . --group test 'scikit-learn==1.8.*'
	@touch $@

# Training on real clusters: Dask's worker processes, some of which are killed, and Spark, whose tests say why they skip
# where there is no Java.
test-cluster: $(VENV)/cluster.ok
	$(WITH_JAVA)
	$(RUN) -m pytest tests/cluster

lint: $(VENV)/dev.ok
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# PyTorch, as a peer for tests and benchmarks: its CPU build, where the index has one. Tests skip without it.
peers: $(VENV)/peers.ok

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
	$(PIP) torch==2.13.0
	@touch $@

# The other peers of the benchmarks: who has no wheel for this Python and can't be built is left out.
$(VENV)/bench.ok: bench/install_peers.py $(VENV)/peers.ok
	$(RUN) bench/install_peers.py
	@touch $@

$(VENV)/cluster.ok: $(VENV)/dev.ok
	$(PIP) --editable '.[dask,spark,io]'
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-wheel build tinynet_fast/kernels/libtinynet_fast.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
