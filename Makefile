# The whole developer interface. Needs Python 3.11 or newer, make and a package index; nothing else.
#
#   make demo    log in, call a protected service, see what it saw; then serve until Ctrl-C
#                (ONCE=1: exit after the walk, non-zero if a step did not go as told)
#   make test    lint, types, layering, then all tests with coverage; ends with pytest's summary
#   make check   lint, types, layering only
#   make bench   the comparison with other gateways (see bench/README.md)
#   make clean   remove .venv and everything that tools left behind
#
# Another interpreter:   make test PYTHON=python3.12
# Some of the tests:     make test TESTS=tests/unit/policy

PYTHON ?= python3
ONCE ?=
TESTS ?=

# Where this is set, each process of a test and of the demo would compile the gateway anew: 1 s, not 0.3.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# pip runs only when these have changed; each stamp is written last, so a broken install is redone.
PINS := pyproject.toml constraints.txt
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

# All tests wait more than they compute, for deadlines and for processes that start; a file's tests stay together, and
# the files in their order: pytest-xdist's own has those that wait longest at the end, one beside the other.
ALL_TESTS := --numprocesses=3 --max-worker-restart=1 --dist=loadfile --no-loadscope-reorder --cov --cov-report=term

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench clean

help:
	@sed -n '/^# *make /,/^$$/s/^# \{0,1\}//p' Makefile

demo: $(RUNTIME)
	@$(BIN)/gateway demo $(if $(filter-out 0,$(ONCE)),--once)

test: check
	@$(BIN)/python -m pytest $(or $(TESTS),$(ALL_TESTS))

check: $(DEV)
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m ruff format --quiet --check .
	@$(BIN)/python -m codespell_lib
	@$(BIN)/python -m mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo
	@echo "check: lint, format, spelling, types and layering are in order"

# Who cannot be installed is named, and left out.
bench: $(DEV)
	-@$(BIN)/python -m bench.install
	@$(BIN)/python -m bench.compare --svg docs/benchmark.svg

clean:
	rm -rf $(VENV) build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	    .import_linter_cache *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: '$(PYTHON)' is not Python 3.11 or newer; try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; \
	    exit 1; }
	@echo "make: creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { \
	    rm -rf $(VENV); \
	    echo "make: '$(PYTHON) -m venv' failed; on Debian and Ubuntu it needs the package python3-venv" >&2; \
	    exit 1; }

$(RUNTIME): $(PINS) | $(BIN)/python
	@echo "make: installing the gateway into $(VENV)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(DEV): $(PINS) | $(BIN)/python
	@echo "make: installing the gateway and its development tools into $(VENV)"
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $@ $(RUNTIME)
