PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed
DEV_STAMP := .venv/.installed-dev

.PHONY: quickstart test test-fast lint bench clean

quickstart: $(STAMP)  ## run the demonstration pipeline from data to report
	$(BIN)/r1flow run quickstart

# Hundreds of processes start in the suite: an environment may tell Python to compile the code anew in each.
export PYTHONDONTWRITEBYTECODE :=

# Two at a time; groups of tests (tests/conftest.py) say which must not run beside each other.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

test: $(DEV_STAMP)  ## the whole suite, fast tests first
	$(PYTEST) -m "not slow"
	$(PYTEST) -m slow

test-fast: $(DEV_STAMP)  ## the inner loop: tests of moments
	$(PYTEST) -m "not slow"

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV_STAMP)  ## timings side by side with other projects, one script after the other
	for script in $(filter-out %/small_model.py %/gpu_training.py,$(wildcard tests/benchmarks/*.py)); do echo "== $$script"; PYTHONPATH=. $(BIN)/python $$script || exit 1; done

clean:
	rm -rf .venv

# torch first: a CPU build where the index has one, before anything else can pull a CUDA build in.
$(STAMP): pyproject.toml infra/constraints.txt infra/bootstrap.sh
	PYTHON=$(PYTHON) infra/bootstrap.sh
	touch $@

$(DEV_STAMP): pyproject.toml infra/constraints.txt infra/bootstrap.sh
	PYTHON=$(PYTHON) infra/bootstrap.sh dev
	touch $(STAMP) $@
