# The same targets serve the laptop and CI. `make` alone lists them.
PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
FAST := tests/unit tests/contract tests/architecture
SLOW := tests/integration tests/acceptance

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install install-dev system-packages demo test test-fast check fix bench soak bundle site-pages demo-screens

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

$(VENV)/.created:
	@tools/python-ready $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.created pyproject.toml
	@echo 'Installing hazgate into $(VENV) (a minute or two the first time).'
	$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml
	@echo 'Installing hazgate and its development tools into $(VENV) (a minute or two the first time).'
	$(PIP) --editable '.[demo,dev]'
	@touch $(VENV)/.demo $@

install: $(VENV)/.demo  ## create .venv and install hazgate with what the demo needs

install-dev: $(VENV)/.dev  ## the same with the tools of `make check` and `make test`

system-packages:  ## install the servers and tools that the tests need (root, or ALLOW_APT=1)
	@tools/system-packages

demo: install  ## play an incident: make demo ARGS="--headless --json --seconds 60"
	@$(BIN)/hazgate demo $(ARGS)

test: install-dev system-packages  ## every test; skips nothing
	$(BIN)/pytest -n 2 --dist loadfile $(FAST)
	$(BIN)/pytest $(SLOW)

test-fast: install-dev  ## units, contracts and architecture, in three minutes at most
	$(BIN)/pytest -n 2 --dist loadfile $(FAST)

check: install-dev  ## the only lint step
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/pytest --quiet tests/architecture

fix: install-dev  ## let ruff repair what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: install-dev system-packages  ## print the benchmarks' figures with machine and versions
	$(BIN)/pytest -m benchmark --capture=no tests/benchmarks

soak: install-dev system-packages  ## kill everything under load for an hour: make soak ARGS="--minutes 5 --kills 20"
	@PYTHONPATH=tests $(BIN)/python -m soak $(ARGS)

bundle: install  ## make dist/hazgate-….tar, which installs without a network on machines like this one
	@tools/bundle $(BIN)/python dist

site-pages: install-dev  ## write docs/sites.md and its pictures from the scenarios
	@$(BIN)/python tools/site_pages.py

demo-screens: install-dev  ## play every demo and draw its live view for docs/sites.md, in four minutes
	@$(BIN)/python tools/demo_screens.py
