# Everything happens inside the checkout: .venv, caches and the sandbox's books. Nothing needs root.

PYTHON ?= python3
SEED ?=
N ?=
SECONDS ?=
OPEN ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --no-input -qq
PROBE := import sys, venv, ensurepip; sys.version_info < (3, 11) or print(1)
NEEDS := cancelall needs Python 3.11 or newer with venv. Debian/Ubuntu: sudo apt-get install -y git make python3-venv

# A stamp carries the checksum of what was installed, so a changed lock is a missing stamp.
sum = $(shell cat $(1) 2>/dev/null | cksum | tr ' ' '-')
RUN_DEPS := $(VENV)/.run-$(call sum,run.lock)
DEV_DEPS := $(VENV)/.dev-$(call sum,dev.lock)
PACKAGE := $(VENV)/.package-$(call sum,pyproject.toml)

.DEFAULT_GOAL := help
# Some tests start the program: compiled once, not in each of its processes.
unexport PYTHONDONTWRITEBYTECODE
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo sandbox test chain kit shots lint soak lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile

demo: $(RUN_DEPS) $(PACKAGE) ## play the main job in a sandbox; SEED=7 repeats a run
	@$(BIN)/cancelall demo $(if $(SEED),--seed $(SEED))

# exec: Ctrl-C is the program's to take, and no more than its last line is printed after it.
sandbox: $(RUN_DEPS) $(PACKAGE) ## play on a page in your browser, until Ctrl-C; OPEN=1 opens it
	@exec $(BIN)/cancelall sandbox $(if $(SEED),--seed $(SEED)) $(if $(OPEN),--open)

test: $(DEV_DEPS) $(PACKAGE) ## run the suite with its coverage gates
	@$(BIN)/python -m pytest -n 4 --dist worksteal -m "not soak" -p tests.gates --cov --cov-report=

soak: $(DEV_DEPS) $(PACKAGE) ## safety checks out in turn, real limits, random runs; N=2000 or SECONDS=600
	@$(if $(N),SOAK_RUNS=$(N)) $(if $(SECONDS),SOAK_SECONDS=$(SECONDS)) \
		$(BIN)/python -m pytest -n 2 --dist worksteal -m soak --timeout 0

chain: $(DEV_DEPS) $(PACKAGE) ## print each venue's chain of calls, 50 ms away, on virtual time
	@$(BIN)/python -m tests.benchmarks.chain

kit: $(DEV_DEPS) $(PACKAGE) ## print which lying venues and wrong adapters the conformance kit catches
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal --timeout 0 -p tests.score \
		tests/adapters/conformance tests/soak/test_wrong_adapters.py

shots: $(DEV_DEPS) $(PACKAGE) ## make the pictures of the README anew; needs Chromium
	@$(BIN)/python -m tests.browser.shots

lint: $(DEV_DEPS) $(PACKAGE) ## format, lint, types, import directions, dependencies
	@failed=0; \
	$(BIN)/ruff format --quiet --check . || failed=1; \
	$(BIN)/ruff check --quiet . || failed=1; \
	$(BIN)/mypy --no-error-summary || failed=1; \
	$(BIN)/lint-imports --no-logo || failed=1; \
	$(BIN)/deptry . || failed=1; \
	exit $$failed

# run.lock is compiled under dev.lock, so what ships is what was tested.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate

lock: $(DEV_DEPS) ## move every pin to the newest release
	@$(COMPILE) --upgrade --extra dev -o dev.lock pyproject.toml
	@$(COMPILE) --upgrade --constraint dev.lock -o run.lock pyproject.toml
	@$(COMPILE) --upgrade --group sbom -o sbom.lock

clean: ## remove everything that these targets made
	@rm -rf $(VENV) *.egg-info build .coverage .coverage.* .demo .hypothesis
	@rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .screenshots

$(BIN)/pip:
	$(if $(shell $(PYTHON) -c '$(PROBE)' 2>/dev/null),,$(error $(NEEDS)))
	@$(PYTHON) -m venv --clear $(VENV)

$(RUN_DEPS): $(BIN)/pip
	@echo 'Setting up .venv, once: about 20 s.'
	@rm -f $(VENV)/.run-* $(VENV)/.dev-*
	@$(PIP) install --require-hashes --only-binary :all: -r run.lock
	@touch $@

# dev.lock holds run.lock.
$(DEV_DEPS): $(BIN)/pip
	@echo 'Setting up .venv for the tests, once: about 40 s.'
	@rm -f $(VENV)/.run-* $(VENV)/.dev-*
	@$(PIP) install --require-hashes --only-binary :all: -r dev.lock
	@touch $@ $(RUN_DEPS)

# No second index look-up: setuptools is in the locks.
$(PACKAGE): $(BIN)/pip
	@rm -f $(VENV)/.package-*
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
