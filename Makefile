# make repro   the whole pipeline on this machine, from nothing installed to the table of results;
#              make repro PRESET=NAME writes params.yaml from presets/NAME.yaml first, `embedder preset` lists them
# make test    ruff, mypy --strict and pytest in the same environment
# make bench   benchmarks of this machine, 35 to 40 minutes on 2 cores that do nothing else; writes benchmarks/results.md
PYTHON ?= python3
EXTRAS ?= cpu,dev
PRESET ?=
VENV := .venv
# DVC runs `python -m stages.X`: the environment's python must be the first one it finds.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: repro test bench install results clean-data

repro: install
	$(if $(PRESET),embedder preset $(PRESET) --use)
	embedder check --params --quiet
	embedder prune
	dvc repro
	embedder results

test: install
	ruff check .
	ruff format --check .
	mypy
	pytest

bench: install
	@echo "# Results of make bench" > benchmarks/results.md
	@for name in bm25 search encode mining train; do \
		echo "benchmarks/$$name.py" >&2; \
		{ echo; python benchmarks/$$name.py; } >> benchmarks/results.md || exit 1; \
	done
	@cat benchmarks/results.md; echo "written to benchmarks/results.md" >&2

results: install
	embedder results

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than Python 3.11; run make PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]' -c requirements.lock
	@touch $@

clean-data:
	rm -rf data/ingest data/mine data/filter data/judge data/base data/materialize data/finetune data/evaluate data/report
