# make env     the environment: .venv with the pinned packages and mlip-sse itself
# make demo    the main job: a potential learned for Li6PS5Cl, its conductivity and a report, in 25 minutes on two cores
# make study-interfaces   two interfaces in time, Li | Li6PS5Cl and S8 | Li3PS4, each under an hour of two cores
# make test    everything that must hold, in under fifteen minutes on two cores
# make test-slow   what takes minutes: coverage of the intervals, files larger than memory, trainings, labels by DFT
# make gpaw    GPAW compiled into the same environment, in two to three minutes; needs g++

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
GPAW_STAMP := $(VENV)/.gpaw
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NUMBA_NUM_THREADS ?= 2
# The tests run on two processes already; torch and BLAS with two threads in each get in each other's way.
TEST_THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

# The first interpreter that is new enough and can make a virtual environment.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)

.PHONY: env gpaw demo study-interfaces test test-slow lint types floors unit docs bench clean

env: $(STAMP)

$(STAMP): requirements/lock.txt pyproject.toml
	@test -x $(BIN)/python || test -n "$(PYTHON)" || { echo "no Python >= 3.11 with venv found: set PYTHON=" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

gpaw: $(GPAW_STAMP)

$(GPAW_STAMP): $(STAMP) requirements/gpaw.txt requirements/gpaw_siteconfig.py
	GPAW_CONFIG=$(CURDIR)/requirements/gpaw_siteconfig.py $(BIN)/python -m pip install --quiet -r requirements/gpaw.txt
	@touch $(GPAW_STAMP)

demo: env
	$(BIN)/mlip-sse campaign li6ps5cl --out demo
	@echo "The answer is demo/answer.json; open demo/report.html."

study-interfaces: env
	$(BIN)/mlip-sse campaign li_li6ps5cl --out studies/li_li6ps5cl
	$(BIN)/mlip-sse campaign s8_li3ps4 --out studies/s8_li3ps4
	@echo "The answers are studies/*/answer.json; open studies/*/report.html."

test: env lint types floors docs unit

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: env
	$(BIN)/mypy

floors: env
	$(BIN)/lint-imports

unit: env
	$(TEST_THREADS) $(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" --cov --cov-report=term:skip-covered

test-slow: env gpaw
	$(TEST_THREADS) $(BIN)/python -m pytest -n 2 --dist loadgroup -m slow

docs: env
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir site

bench: env
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) site dist build demo studies .coverage .coverage.* htmlcov .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find mlip_sse tests -name __pycache__ -type d -prune -exec rm -rf {} +
