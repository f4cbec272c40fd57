# The first call of any target makes the virtual environment; later calls find it ready.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test test-all check bench bench-memory docs pictures format clean

demo: $(READY)
	@$(BIN)/luthier demo

test: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

test-all: $(READY)
	$(BIN)/pytest $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p luthier
	$(BIN)/lint-imports

bench: $(READY)
	@for benchmark in tests/benchmarks/bench_*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; done

bench-memory: $(READY)
	$(BIN)/python tests/benchmarks/bench_memory_cuda.py $(ARGS)

docs: $(READY)
	$(BIN)/python -m luthier.agent.cli.reference docs

pictures: $(READY)
	$(BIN)/python docs/pictures/record.py

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Luthier needs Python 3.10 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python has no venv module here: apt install python3-venv"; exit 1; }
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
