# Everything runs in .venv, which is made on first use and again when a pin changes. Afterwards no network is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
TORCH := $(shell sed -n 's/^\(torch==[0-9.]*\).*/\1/p' constraints.txt)
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help venv demo test check format cards clean

help:
	@echo "make demo    restore the pictures in examples/ and show what it gained"
	@echo "make test    run the tests"
	@echo "make check   ruff, import-linter and mypy"
	@echo "make format  let ruff tidy the sources"
	@echo "make cards   score weights that changed and write weights/README.md (DATA=folder of test sets)"
	@echo "make clean   remove .venv and everything built"

venv: $(READY)

# torch goes first and by itself, so that pip takes the very build pinned (a CPU wheel at hand) before anything asks for it.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=/path/to/python3")'
	@echo "Setting up $(VENV) (once, a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install -c constraints.txt $(TORCH)
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/demo.sh

test: $(READY)
	@$(BIN)/python -m pytest

check: $(READY)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports
	@$(BIN)/mypy

format: $(READY)
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

cards: $(READY)
	@$(BIN)/python tools/cards.py $(if $(DATA),--data-root $(DATA))

clean:
	rm -rf $(VENV) .demo build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
