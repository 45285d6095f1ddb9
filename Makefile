# `make help` lists what there is. Everything is set up in .venv, without root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FUZZ_RUNS ?= 10000000
CXX_SOURCES := $(shell find firmware tinyol_sim/csrc tests -name .pio -prune -o \( -name '*.h' -o -name '*.cpp' -o -name '*.ino' \) -print 2>/dev/null)
BUILD_INPUTS := $(CXX_SOURCES) tinyol_sim/_build.py setup.py pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo test test-long fuzz lint format bench size notebooks dist system-deps clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

demo: $(VENV)/.emulator ## set up, replay the shipped recording, and verify it on the emulated board
	$(BIN)/tinyol replay --fine-tune 600 --calibrate 250 --learn --out reports/demo
	$(BIN)/tinyol verify --device emu: --fine-tune 600

test: $(VENV)/.test lint ## set up, check style and types, and run every test
	$(BIN)/python -m pytest

test-long: $(VENV)/.test ## the tests that take minutes: 100,000 windows each on QEMU, all levels
	$(BIN)/python -m pytest -m long

fuzz: $(VENV)/.test ## fuzz server and images for hours, or FUZZ_RUNS=100000; needs clang
	$(BIN)/python tests/fuzz/run.py --runs $(FUZZ_RUNS)

lint: $(VENV)/.lint ## ruff, mypy --strict and clang-format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(BIN)/clang-format --dry-run --Werror $(CXX_SOURCES) && echo "clang-format: as it should be"

format: $(VENV)/.lint ## rewrite Python and C++ in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_SOURCES)
	$(BIN)/python notebooks/strip.py

bench: $(VENV)/.emulator ## instructions of each stage on the emulated Cortex-M4F
	$(BIN)/tinyol bench

size: $(VENV)/.installed ## RAM and code size of the core for a board
	. ./$(VENV)/compiler && $(BIN)/python firmware/size.py

notebooks: $(VENV)/.notebooks ## run the four notebooks, minutes long, into reports/notebooks
	. ./$(VENV)/compiler && $(BIN)/python notebooks/execute.py

dist: $(VENV)/.test ## source distribution and wheel in dist/
	$(BIN)/python -m pip install -q build
	. ./$(VENV)/compiler && $(BIN)/python -m build -q

system-deps: ## what only root can install: cross compiler, emulator, fuzzer (apt)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  g++ make clang libclang-rt-14-dev gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib \
	  qemu-system-arm dbus-daemon || \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  g++ make clang gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib qemu-system-arm dbus-daemon

clean: ## remove the virtual environment and everything built
	rm -rf $(VENV) build dist reports *.egg-info tinyol_sim/_core.*.so tinyol_sim/_core.cpp

# --- set-up, in stages: each file says that a stage is done ---------------------------------

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "TinyOL needs Python 3.10 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || $(PYTHON) -m virtualenv -q $(VENV) || \
	  { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment: install python3-venv," \
	    "or 'pip install --user virtualenv'"; exit 1; }

$(VENV)/compiler: $(BIN)/pip tinyol_sim/_compiler.py
	@$(BIN)/python tinyol_sim/_compiler.py > $@.tmp && mv $@.tmp $@

$(VENV)/.installed: $(VENV)/compiler $(BUILD_INPUTS)
	. ./$(VENV)/compiler && $(BIN)/python -m pip install -q -e .
	@touch $@

$(VENV)/.emulator: $(VENV)/.installed
	. ./$(VENV)/compiler && $(BIN)/python -m pip install -q -e '.[emulator]'
	@touch $@

$(VENV)/.notebooks: $(VENV)/.installed
	. ./$(VENV)/compiler && $(BIN)/python -m pip install -q -e '.[notebooks,train,emulator]'
	@touch $@

$(VENV)/.lint: $(VENV)/.installed
	. ./$(VENV)/compiler && $(BIN)/python -m pip install -q -e '.[lint]'
	@touch $@

# Without the references the tests that need them say so and are skipped.
$(VENV)/.test: $(VENV)/.installed tests/reference.txt
	. ./$(VENV)/compiler && $(BIN)/python -m pip install -q -e '.[test,ble-test,train,emulator,notebooks]'
	-$(BIN)/python -m pip install -q --no-deps -r tests/reference.txt
	@touch $@
