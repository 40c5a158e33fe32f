# make run   set everything up, build the graph, serve it on http://127.0.0.1:8000 (PORT=… to change)
# make test  set everything up, check style and types, run the tests
# make bench set everything up, print the measurements of tests/bench (PARTS='endpoint killers' for some of them)

PORT ?= 8000
HOST ?= 127.0.0.1
PYTHON ?= python3
BIN = .venv/bin

.PHONY: setup build run test bench

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "LenKG needs Python 3.11 or newer; name it with PYTHON=…")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

build: setup
	$(BIN)/lenkg build

run: build
	@PORT=$(PORT) LENKG_HOST=$(HOST) $(BIN)/lenkg serve

test: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

bench: build
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m tests.bench $(PARTS)
