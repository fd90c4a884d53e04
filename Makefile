# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SETUP_INPUTS := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*)

.PHONY: demo test sanitize bench lint clean

demo: $(VENV)/.demo
	$(BIN)/python -m recipes.demo

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 -m "not compiled" --jaxtyping-packages=neurafield,tests.shapecheck.check
	$(BIN)/python -m pytest -m compiled

# The tests of the compiled kernels under AddressSanitizer and UndefinedBehaviorSanitizer, on an
# installation of its own. -S keeps the editable one out of the way (and -n, whose workers start
# without it, would bring it back).
SANITIZED := build/sanitized
sanitize: $(VENV)/.test
	rm -rf $(SANITIZED)
	$(PIP) install --quiet --no-deps --target $(SANITIZED) \
	  --config-settings=cmake.define.NEURAFIELD_SANITIZE=address,undefined .
	NEURAFIELD_SANITIZERS=address,undefined ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libubsan.so)" \
	  PYTHONPATH=$(SANITIZED):$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	  $(BIN)/python -S -m pytest -o pythonpath= -p no:cacheprovider -m "not slow and not compiled" tests/kernels

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.run

lint: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: expected Python 3.11 or newer, got $$($(PYTHON) --version 2>&1). Name another with PYTHON=/path/to/python3."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.%: $(SETUP_INPUTS) | $(VENV)/pyvenv.cfg
	$(PIP) install --quiet --constraint constraints.txt --editable '.[$*]'
	@touch $@

clean:
	rm -rf $(VENV) out build dist .mypy_cache .ruff_cache .pytest_cache
