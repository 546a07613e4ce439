# Two commands do everything: `make demo` and `make test`. Both need Python 3.11+ and make.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
#: Processes that tests run in; a file's tests stay in one, and files start in their own order, so
#: that the small ones come last.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-all check tests all-tests fix docs install clean

demo: $(VENV)/.demo  ## install, extract the bundled sample with a real encoder, regress, report
	$(BIN)/layerbank demo

test: $(VENV)/.dev  ## every check beside every ordinary test
	$(MAKE) --no-print-directory --jobs 2 check tests

test-all: $(VENV)/.dev  ## the same with the tests that are marked slow: long faults, a fresh clone
	$(MAKE) --no-print-directory --jobs 2 check all-tests

tests: $(VENV)/.dev
	$(PYTEST)

all-tests: $(VENV)/.dev
	$(PYTEST) -m ''

check: $(VENV)/.dev  ## format, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file mypy-platforms.ini --platform darwin --cache-dir .mypy_cache/darwin
	$(BIN)/mypy --config-file mypy-platforms.ini --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/lint-imports

fix: $(VENV)/.dev  ## what the tools can mend by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev  ## the documentation, into build/docs; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -b html -d build/doctrees docs build/docs

install: $(VENV)/.dev  ## everything a contributor needs, in .venv

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "layerbank needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
