# sweep: install, run the default sweep, print where the report is
# test: lint, types, layers, tests with coverage, side by side        test-all: the slow statistical checks too
# test-faults: campaigns of faults and fuzzing, most of an hour; writes tests/FAULTS.md
# lint, format, clean: what they say

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term
# tests start dozens of processes, each of which would compile all of bench
unexport PYTHONDONTWRITEBYTECODE

.PHONY: sweep test test-all test-faults tests tests-all lint format clean

sweep: .venv/installed
	$(BIN)/python -m bench sweep

test test-all: .venv/installed-dev
	@$(MAKE) --no-print-directory -j 2 lint $(@:test%=tests%)

tests: .venv/installed-dev
	$(PYTEST)

tests-all: .venv/installed-dev
	HYPOTHESIS_PROFILE=thorough $(PYTEST) -m "not faults"

test-faults: .venv/installed-dev
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest --no-cov -m faults

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bench needs Python 3.11 or later; set PYTHON=")'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable .
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable '.[dev]'
	touch $@ .venv/installed
