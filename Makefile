# Everything from a bare python3 (3.11 or newer) with pip: each target makes .venv and installs
# what it needs by itself, once; a change of pyproject.toml installs again.
#
#   make table            the comparison table, measured (ARGS="tic_tac_toe --effort smoke")
#   make serve            the playground, in the browser (ARGS="--runs out")
#   make test             the tests
#   make test-x64         fast tests with 64-bit numbers enabled (JAX_ENABLE_X64)
#   make check            lint, format, types, and the direction of imports
#   make house            docs/house.svg: the wings, their rooms, and the walk of one decision
#   make docs             the site, into site/; make docs-serve shows it while it is written
#   make wheel            dist/*.whl, with all that the library reads at run time
#   make notebooks        the notebooks executed anew, with their outputs
#   make readme           the table and figures of README and docs from the run in RUN (out), the
#                         strength and speed from benchmarks/results; with ZOO=zoo the zoo's as well
#   make screenshots      docs/playground.png, taken of the playground in a headless browser

.DEFAULT_GOAL := help
.PHONY: help table test test-x64 check format house docs docs-serve readme screenshots wheel \
  notebooks serve clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
RUN ?= out
ZOO ?=
# A first choice of interpreter, for instance `make table PYTHON=/opt/python3.12/bin/python3`.
PYTHON ?=
# Workers of the tests: one a core, at most four (each compiles, which takes memory). A file is one
# worker's: its tests share compiled programs and what they set up.
WORKERS ?= auto

help:
	@sed -n 's/^#   //p' Makefile

table: $(VENV)/.installed
	@$(BIN)/deliberate table $(ARGS)

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

serve: $(VENV)/.installed-playground
	@$(BIN)/deliberate serve $(ARGS)

X64 := core endless keys arrays playouts proved_play contract classical_search exact_chance
test-x64: $(VENV)/.installed-dev
	@JAX_ENABLE_X64=1 $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile \
	  --no-loadscope-reorder $(X64:%=tests/test_%.py) $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

house: $(VENV)/.installed
	$(BIN)/python docs/house.py

readme: $(VENV)/.installed
	$(BIN)/python benchmarks/readme.py $(if $(wildcard $(RUN)/records.jsonl),$(RUN)) \
	  $(if $(ZOO),--zoo $(ZOO))

# Both variables silence notices about the future of MkDocs, which are about no page.
SITE := NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs
docs: $(VENV)/.installed-docs
	@$(SITE) build --strict $(ARGS)
	@echo "The site is in site/index.html"

docs-serve: $(VENV)/.installed-docs
	@$(SITE) serve $(ARGS)

screenshots: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/screenshots.py $(ARGS)

wheel: $(VENV)/.installed-dev
	rm -rf build dist
	$(BIN)/python -m build --wheel --outdir dist .
	rm -rf build

notebooks: $(VENV)/.installed-dev
	$(BIN)/python notebooks/execute.py $(ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.made:
	@for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    python=$$candidate; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer is needed; python3 here is: $$(python3 --version 2>&1)." >&2; \
	  echo "Install one, or point to one: make PYTHON=/path/to/python3.12 table" >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$python --version)"; \
	if $$python -m venv $(VENV) >/dev/null 2>&1; then :; \
	elif $$python -m venv --without-pip $(VENV) >/dev/null 2>&1 \
	  && $$python -m pip --python $(BIN)/python install --quiet pip; then :; \
	else \
	  echo "$$python cannot make a virtual environment here." >&2; \
	  echo "On Debian or Ubuntu: sudo apt install python3-venv python3-pip; then again." >&2; \
	  exit 1; \
	fi
	@touch $@

$(VENV)/.installed: pyproject.toml | $(VENV)/.made
	@echo "Installing the library and what it needs (JAX and others, once)"
	@$(PIP) install --quiet --editable .
	@echo "Compiling the kernels (once)"
	@$(BIN)/python -m deliberation.direct.kernels.build
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.made
	@echo "Installing the library and its checks (once)"
	@$(PIP) install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/.made
	@echo "Installing the library and what its site needs (once)"
	@$(PIP) install --quiet --editable '.[docs]'
	@touch $@

$(VENV)/.installed-playground: pyproject.toml | $(VENV)/.made
	@echo "Installing the library and the playground (once)"
	@$(PIP) install --quiet --editable '.[playground]'
	@touch $@
