# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv on first use.
# `make test-slow` runs the tests that `make test` leaves out; .ci/run calls both.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -n 2
CHECK_SHAPES := --jaxtyping-packages=neurafield,tests.shapecheck.check
SETUP_INPUTS := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*)

.PHONY: demo test test-slow sanitize bench lint clean

demo: $(VENV)/.demo
	$(BIN)/python -m recipes.demo

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "not slow and not compiled" $(CHECK_SHAPES)

# The hook that checks shapes decorates `forward`, which torch.compile does not accept.
test-slow: $(VENV)/.test
	$(PYTEST) -m "slow and not compiled" $(CHECK_SHAPES)
	$(PYTEST) -m compiled
	$(MAKE) sanitize

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
	  $(BIN)/python -S -m pytest -o pythonpath= -o quick_test_seconds=inf -p no:cacheprovider -m "not slow and not compiled" tests/kernels

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
