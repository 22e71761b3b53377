# `make help` lists the targets. Everything lives in .venv, made from requirements.lock.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# The certificates of the system, as pip and every other tool uses them, proxies included.
export UV_SYSTEM_CERTS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup check fix test compose-test chaos fuzz bench demo lock

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/.ready  ## make .venv with exactly what requirements.lock names

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "trtfarm needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r <(sed -n '/^uv==/,/^[a-z]/{/^uv==/p;/^ /p}' requirements.lock)
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

check: setup  ## lint, types, import rules; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup  ## what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One more than there are cores: many tests wait for processes.
TEST_PROCESSES ?= $(shell echo $$(($$(nproc) + 1)))
test: setup  ## all tests; those of a server that is not installed are skipped
	$(BIN)/pytest -n $(TEST_PROCESSES) --dist worksteal

compose-test: setup  ## docker-compose.yml for real, on Debian as root; apt-get install docker.io docker-compose debootstrap
	docker/compose-test.sh

JOBS ?= 200
SECONDS ?= 240
BROKER ?= redis
chaos: setup  ## a farm whose processes are killed while JOBS jobs are submitted, for SECONDS seconds; what is lost
	$(BIN)/python -m tests.chaos --jobs $(JOBS) --seconds $(SECONDS) --broker $(BROKER)

MINUTES ?= 10
fuzz: setup  ## every parser against mutated real input for MINUTES minutes; `make test` does some of it
	nice $(BIN)/python -m tests.fuzz --minutes $(MINUTES)

bench: setup  ## ratios against the peers, each pair in one run
	$(BIN)/python -m benchmarks

demo: setup  ## the main job on real input: LeNet, MNIST digits, INT8 engines
	$(BIN)/python scripts/demo.py

lock: setup  ## renew requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --group dev --all-extras pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --group image --all-extras -c requirements.lock pyproject.toml -o docker/requirements.lock
