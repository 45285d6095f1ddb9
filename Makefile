# `make help` lists what there is. Everything is set up in .venv, without root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FUZZ_RUNS ?= 10000000
PINNED ?= yes
COOL_DOWN ?= 7 days
CXX_SOURCES := $(shell find firmware tinyol_sim/csrc tests -name .pio -prune -o \( -name '*.h' -o -name '*.cpp' -o -name '*.ino' \) -print 2>/dev/null)
BUILD_INPUTS := $(CXX_SOURCES) tinyol_sim/_build.py setup.py pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-sanitized fuzz soak lint format bench size notebooks dist lock audit system-deps clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

demo: $(VENV)/.emulator ## set up, replay the shipped recording, and verify it on the emulated board
	$(BIN)/tinyol replay --fine-tune 600 --calibrate 250 --learn --out reports/demo
	$(BIN)/tinyol verify --device emu: --fine-tune 600

test: $(VENV)/.test lint ## set up, check style and types, and run every test
	@mkdir -p build && nice $(BIN)/python tests/sanitized.py --core -q >build/sanitized.log 2>&1 & \
	sanitized=$$!; trap 'kill $$sanitized 2>/dev/null' EXIT INT TERM; \
	$(BIN)/python -m pytest; plain=$$?; \
	echo "--- the tests of what takes strangers' bytes apart, with the core under ASan and UBSan:"; \
	if wait $$sanitized; then tail -n 2 build/sanitized.log; \
	else cat build/sanitized.log; plain=1; fi; \
	exit $$plain

test-sanitized: $(VENV)/.test ## the same tests with the core under ASan and UBSan; long
	$(BIN)/python tests/sanitized.py

test-long: $(VENV)/.test ## the tests that take minutes: 100,000 windows each on QEMU, all levels
	$(BIN)/python -m pytest -m long

fuzz: $(VENV)/.test ## fuzz server, images, nets and readers of files for hours, or FUZZ_RUNS=100000
	$(BIN)/python tests/fuzz/run.py --runs $(FUZZ_RUNS)

soak: $(VENV)/.test ## 100 million windows, 30 days of link churn; SOAK="--windows 1000000 year"
	$(BIN)/python tests/endurance/soak.py $(SOAK)

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

bench: $(VENV)/.bench ## the twin beside its peers, and each stage on the emulated Cortex-M4F
	$(BIN)/tinyol bench

size: $(VENV)/.installed ## flash and RAM of each part of the core for a board
	. ./$(VENV)/compiler && $(BIN)/python firmware/size.py

notebooks: $(VENV)/.notebooks ## run the four notebooks, minutes long, into reports/notebooks
	. ./$(VENV)/compiler && $(BIN)/python notebooks/execute.py

dist: $(VENV)/.installed $(VENV)/.maintain ## source distribution and wheel in dist/
	. ./$(VENV)/compiler && $(BIN)/python -m build -q --no-isolation

lock: $(VENV)/.maintain ## resolve and hash every dependency anew into requirements/
	$(BIN)/python requirements/lock.py --cool-down "$(COOL_DOWN)"

audit: $(VENV)/.maintain ## ask PyPI for known weaknesses of what requirements/ pins
	$(BIN)/pip-audit --strict --disable-pip --require-hashes \
	  $(addprefix -r ,$(wildcard requirements/*.txt))

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

# Pinned: the versions of requirements/, every file by its hash, no package's own code run to build
# it. `make PINNED=no ...` takes what the index has, unchecked.
ifeq ($(PINNED),yes)
install = $(BIN)/python -m pip install -q --require-hashes --only-binary :all: \
  -r requirements/$(1).txt || { sh requirements/refused.sh $(1) $(BIN)/python; exit 1; }
project = $(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
else
comma := ,
install = . ./$(VENV)/compiler && $(BIN)/python -m pip install -q -e '.$(if $(2),[$(subst +,$(comma),$(2))])'
project = true
endif

$(VENV)/.installed: $(VENV)/compiler $(BUILD_INPUTS) requirements/runtime.txt
	@$(call install,runtime)
	. ./$(VENV)/compiler && $(project)
	@touch $@

$(VENV)/.emulator: $(VENV)/.installed requirements/emulator.txt
	@$(call install,emulator,plots+emulator)
	@touch $@

# Without the reference interpreters the benchmark says so and leaves them out.
$(VENV)/.bench: $(VENV)/.installed requirements/bench.txt requirements/reference.txt
	@$(call install,bench,plots+emulator+bench)
	-$(BIN)/python -m pip install -q --no-deps $(if $(filter yes,$(PINNED)),--require-hashes \
	  -r requirements/reference.txt,-r tests/reference.txt)
	@touch $@

$(VENV)/.notebooks: $(VENV)/.installed requirements/test.txt
	@$(call install,test,plots+notebooks+train+emulator)
	@touch $@

$(VENV)/.lint: $(VENV)/.installed requirements/lint.txt
	@$(call install,lint,plots+lint)
	@touch $@

$(VENV)/.maintain: $(BIN)/pip requirements/maintain.txt
	$(BIN)/python -m pip install -q --require-hashes -r requirements/maintain.txt
	@touch $@

# Without the references the tests that need them say so and are skipped.
$(VENV)/.test: $(VENV)/.installed requirements/test.txt requirements/reference.txt
	@$(call install,test,plots+test+ble-test+train+emulator+notebooks+bench+sweep+cluster)
	-$(BIN)/python -m pip install -q --no-deps $(if $(filter yes,$(PINNED)),--require-hashes \
	  -r requirements/reference.txt,-r tests/reference.txt)
	@touch $@
