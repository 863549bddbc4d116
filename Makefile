# Two commands on a machine with Python 3.11+ and make: `make demo` and `make test`. Each installs what it needs.

UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
RUN := .venv/bin
INSTALLED := .venv/.installed

# Without bytecode every import of torch compiles 2,500 files again.
unexport PYTHONDONTWRITEBYTECODE
export UV_COMPILE_BYTECODE := 1
# Documented switches for huge pages: harmless elsewhere, several times faster where fresh memory is slow to touch.
export THP_MEM_ALLOC_ENABLE := 1
export GLIBC_TUNABLES := glibc.malloc.hugetlb=1

.PHONY: help install demo demo-scenes test check lint benchmarks clean

help:
	@echo "make install     all that is needed, into .venv"
	@echo "make demo        install, then compare ResNet-50 and ResNet-101 (4 to 8 minutes)"
	@echo "make demo-scenes detection, tracking, recognition, similarity and generation on pictures (about 20 minutes)"
	@echo "make test        install, then run the tests"
	@echo "make lint        ruff, mypy, import layers"
	@echo "make check       lint, then the tests"
	@echo "make benchmarks  measure us beside the peers that are here; results go to benchmarks/results/ (hours)"
	@echo "make clean       remove what the above made, but not the runs"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --all-extras
	@touch $@

.uv/bin/uv:
	python3 -m pip install --quiet --disable-pip-version-check --target .uv uv

demo: $(INSTALLED)
	$(RUN)/netversus compare resnet50 resnet101 --budget 6m --out runs/demo

demo-scenes: $(INSTALLED)
	$(RUN)/netversus compare --config examples/at_work.toml --out runs/scenes

test: $(INSTALLED)
	$(RUN)/python -m pytest

lint: $(INSTALLED)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports --no-cache

check: lint test

benchmarks: $(INSTALLED)
	$(RUN)/python benchmarks

clean:
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
