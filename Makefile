# The front door: `make demo` and `make test` need nothing but Python 3.11+, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLEAN_FOLDERS := $(addprefix sample_archives/,segment-logs data-lake nested-parquet json-column-parquet)

.PHONY: help demo test lint format reference bench matrix soak clean
.DEFAULT_GOAL := help

help: ## what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY) ## replay the clean sample archives into a local MoEngage
	@rm -rf build/demo && mkdir -p build/demo
	$(BIN)/replay run $(CLEAN_FOLDERS) --sandbox --rps 500 --checkpoint build/demo/demo.ckpt

test: $(READY) ## run the tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile

lint: $(READY) ## run the linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: $(READY) ## write the README's table of options anew
	$(BIN)/python -m tests.support.reference

bench: $(READY) ## measure, and print the table (20 minutes)
	$(BIN)/python -m benchmarks

matrix: $(READY) ## meet every fault, and print the table (two minutes)
	$(BIN)/python -m tests.run.test_run_matrix

soak: $(READY) ## replay under all faults at once, from disk, in bulk and from S3, with outages and kills; nights; shipping (an hour)
	$(BIN)/python -m pytest tests/soak/soak_run.py tests/soak/soak_bulk.py tests/soak/soak_s3.py tests/soak/soak_nights.py tests/soak/soak_shipping.py

clean: ## remove what was built
	rm -rf $(VENV) build dist *.egg-info
