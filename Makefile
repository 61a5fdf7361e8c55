# Everything runs in .venv, which the first command builds. Needed: Python 3.11 or newer, and make.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14 python,\
  $(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
VENV ?= .venv
RUN = $(VENV)/bin/python
PIP = $(RUN) -m pip --disable-pip-version-check install --quiet

.PHONY: demo test lint bench peers clean

demo: $(VENV)/core.ok
	$(RUN) -m tinynet_fast demo

test: $(VENV)/dev.ok
	$(RUN) -m pytest

bench: $(VENV)/dev.ok
	$(RUN) bench/neuron.py
	$(RUN) -m pytest bench --benchmark-enable --benchmark-columns=median,iqr,rounds --benchmark-sort=name

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

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
