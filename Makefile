# dicomveil: what a user and a developer type. The first two need Python 3.11 and make, nothing else.
#
#   make run       set up, start the service on this machine, send demonstration instances to it
#   make test      set up, install what the tests need, run all of them
#
#   make setup     create .venv from requirements/dev.lock (the others call it; quick when up to date)
#   make check     format, lint, types, import contracts
#   make quick     the same, and the unit and property tests: what a change is tried with
#   make mutants   make each break of a list in a copy, and print those that no test sees
#   make crash     kill the service a hundred times under way, and account for everything it acknowledged
#   make bench     measure, beside the reference programs that are installed
#   make reference write config/default.toml and the README's table from the settings classes, and the page of breaks
#   make lock      renew requirements/*.lock from requirements/*.in
#   make clean     remove caches and build results; .venv and state stay

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/stamps
# Test processes: three for each core, as tests wait for more than half of the time, at most six, or 0 for a single
# one without workers (make test WORKERS=0). A file's tests stay together, so that what they share is prepared once;
# files go in their usual order, which ends with many short ones.
WORKERS ?= $(shell $(BIN)/python -c 'import os; print(3 * (os.cpu_count() or 1))')
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

# Where it is set, each start of the program compiles all of it anew: half of its time, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: run test setup check quick bench mutants crash reference lock clean venv-module peers

run: setup
	@exec $(BIN)/python -m daemon.demo

test: setup peers $(STAMPS)/video $(STAMPS)/openvino
	$(BIN)/python -Im pytest --numprocesses $(WORKERS) --maxprocesses 6 --dist loadfile --no-loadscope-reorder

setup: $(STAMPS)/project

check: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

quick: check
	$(BIN)/python -Im pytest -q tests/unit tests/property

bench: setup
	$(BIN)/python -m tests.benchmarks

crash: setup
	$(BIN)/python -m tests.crash

mutants: setup
	$(BIN)/python -m tests.mutants

reference: setup
	$(BIN)/python -m config.documents README.md
	$(BIN)/python -m tests.mutants.page

# The run lock is a part of the development lock, version by version.
lock: setup
	$(COMPILE) requirements/dev.in --output-file requirements/dev.lock
	$(COMPILE) requirements/run.in --constraints requirements/dev.lock --output-file requirements/run.lock
	$(COMPILE) requirements/video.in --output-file requirements/video.lock
	$(COMPILE) requirements/openvino.in --no-emit-package numpy --no-emit-package openvino-telemetry \
		--output-file requirements/openvino.lock
	$(COMPILE) requirements/training.in --constraints requirements/dev.lock --output-file requirements/training.lock

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

peers:
	@bash tests/install_peers.sh

# Stamps remember what was installed from which lock; they lie in .venv and go with it.
$(STAMPS)/project: $(STAMPS)/packages pyproject.toml
	@echo "Installing dicomveil into $(VENV)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Compiled by all cores, as pip would by one; like pip, without a word about a file that is for another Python.
$(STAMPS)/packages: requirements/dev.lock | $(BIN)/python
	@echo "Installing packages into $(VENV) from $<"
	@$(PIP) install --no-compile --no-deps --require-hashes --only-binary :all: --requirement $<
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@mkdir -p $(STAMPS) && touch $@

# Apart from what we run with, as a site may have it (requirements/video.in, requirements/openvino.in).
$(STAMPS)/video $(STAMPS)/openvino: $(STAMPS)/%: requirements/%.lock | $(STAMPS)/packages
	@echo "Installing packages into $(VENV)/$* from $<"
	@$(PIP) install --no-deps --require-hashes --only-binary :all: --upgrade --target $(VENV)/$* --requirement $<
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed. Name one: make PYTHON=/usr/bin/python3.11 setup" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(MAKE) --no-print-directory venv-module
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# Debian keeps what `python3 -m venv` needs in a package of its own.
venv-module:
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then \
		sudo apt-get update -qq && sudo apt-get install -qq -y --no-install-recommends python3-venv; \
	else \
		echo "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; \
	fi
