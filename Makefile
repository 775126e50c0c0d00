# The whole project in four words: make demo, make test, make lint, make clean.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG := configs/pix2pixhd_toystreet.py
RUN := work_dirs/pix2pixhd_toystreet

.PHONY: demo test test-slurm lint bench gpu clean

demo: $(VENV)/installed
	$(BIN)/i2ibench prepare_data $(CONFIG)
	$(BIN)/i2ibench train $(CONFIG)
	$(BIN)/i2ibench translate $$(ls $(RUN)/epoch_*.pth | tail -n 1) data/toystreet/gtFine/val $(RUN)/translations
	$(BIN)/i2ibench eval $(CONFIG)
	@echo "edit: $(BIN)/i2ibench edit $$(ls $(RUN)/epoch_*.pth | tail -n 1)"

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slurm: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet -e '.[slurm]'
	I2IBENCH_SLURM=1 $(BIN)/python -m pytest tests/slurm

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

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

clean:
	rm -rf $(VENV) data/toystreet $(RUN) build *.egg-info
