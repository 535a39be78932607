# make bench [SUITE=mnist_raw] [ARGS='--seeds 0-4']   run a suite, print its table, write its LaTeX
# make test                                           the whole test suite
# make check                                          what CI runs: tests, lint, types, regression gate
PYTHON ?= python3
SUITE ?= digits_raw
JOBS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
# Links by which pyright finds deep_em_bench.<folder>; it does not follow editable installs.
LINKS := $(VENV)/links/deep_em_bench
FOLDERS := benchmarks core datasets methods metrics reports results
# Every process of a suite and of the tests starts sooner where compiled modules are kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: bench test lint check check-suite clean

bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks.run --suite $(SUITE) --jobs $(JOBS) $(ARGS)
	$(BIN)/python -m reports --suite $(SUITE)

test: $(VENV)/.ready
	$(BIN)/python -m pytest --numprocesses logical --dist worksteal

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p $(LINKS) && ln -sfn ../../../package/__init__.py $(LINKS)/__init__.py
	for folder in $(FOLDERS); do ln -sfn ../../../$$folder $(LINKS)/$$folder; done
	$(BIN)/pyright --pythonpath $(BIN)/python

check: test lint check-suite

check-suite: $(VENV)/.ready
	$(BIN)/python -m benchmarks.check --suite tiny --jobs $(JOBS) --threads 1

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is %s. Try: make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info build dist
