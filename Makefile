# The developer's whole interface: `make help` lists it. Works with GNU make 3.81 and later.
.DEFAULT_GOAL := help
.PHONY: help setup run test notebooks kaggle fuzz oracles lint dev docs pictures lock clean

PYTHON ?= python3
VENV := .venv
DAGSTER_HOME ?= $(CURDIR)
export DAGSTER_HOME
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready
ORACLES := .venv-oracles

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /\1 - /p' Makefile

setup: $(READY) ## make the environment in .venv from requirements.lock, and compile the simulation

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed ($(PYTHON) is older or missing); name one with: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing; on Debian and Ubuntu install the package python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import lightgbm' || \
		{ echo "LightGBM does not load; if its OpenMP runtime is missing, install libgomp1 (Debian, Ubuntu), libgomp (Fedora) or libomp (macOS: brew install libomp)" >&2; exit 1; }
	@touch $@

$(READY): $(INSTALLED)
	$(BIN)/python -m kaizar_pipeline.verification.compilation  # compiles the simulation, so that no run has to wait for it
	@touch $@

run: $(READY) ## materialize every table of every hospital in hospital_configs/
	$(BIN)/kaizar run --all

test: $(INSTALLED) ## lint, check types and layers, run all tests
	$(MAKE) --jobs=2 lint $(READY)  # at the same time: each of the two keeps one core busy
	$(BIN)/python -m pytest -n auto --dist worksteal

notebooks: $(READY) ## make and run all notebooks: those of the repository and those for Kaggle
	$(BIN)/python -m notebooks.build --execute
	$(BIN)/python -m notebooks.build --execute --kaggle

kaggle: $(READY) ## run the notebooks for Kaggle in an empty environment, from a wheel that is built there
	$(BIN)/python -m notebooks.build --venv

fuzz: $(READY) ## read 10,000 strange files of each kind, look at 60 random reports: half an hour
	KAIZAR_FUZZ=10000 KAIZAR_RANDOM_PAGES=60 $(BIN)/python -m pytest tests/fuzz tests/browser -n auto --timeout 7200

oracles: $(ORACLES)/.ready ## compare with well-kept libraries, in an environment of their own
	$(ORACLES)/bin/python -m pytest tests/oracles

$(ORACLES)/.ready: $(READY) requirements.lock tests/oracles/requirements.txt
	test -x $(ORACLES)/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python $(ORACLES)
	$(BIN)/uv pip sync --quiet --python $(ORACLES)/bin/python --require-hashes requirements.lock tests/oracles/requirements.txt
	@touch $@

lint: $(INSTALLED) ## style, types and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

dev: $(READY) ## Dagster's user interface on this machine
	$(BIN)/kaizar dev

docs: $(INSTALLED) ## the documentation as a site: open site/index.html
	$(BIN)/zensical build --clean --strict

pictures: $(READY) ## every picture of the documentation, from the shipped hospitals; needs Chromium, takes six minutes
	PYTHONPATH=tests/support $(BIN)/python docs/make_pictures.py

lock: $(READY) ## remake requirements.lock and tests/oracles/requirements.txt from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --group dev \
		--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --group oracles \
		--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --constraints requirements.lock \
		--output-file tests/oracles/requirements.txt

clean: ## remove the environment and caches; data and Dagster's history stay
	rm -rf $(VENV) $(ORACLES) site .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find kaizar_pipeline tests -name __pycache__ -type d -prune -exec rm -rf {} +
