# Everything runs in a virtual environment of its own, made on the first call:
#   make demo                     see it work on drawn footage
#   make test                     run the tests
#   make VENV=/elsewhere test     use another place than .venv
#   make PYTHON=python3.13 demo   use another Python (3.11 or later)
#   make test ARGS='-k smoothing' hand options on
#   make test WORKERS=8           in more than two processes at a time; 0: in one, where a debugger can stop it

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
ARGS ?=
WORKERS ?= 2

BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test quality bench bench-serve bench-rivals bench-gpu bench-memory soak fuzz check docs audit format constraints clean

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-13s %s\n' "$$name" "$$what"; done

# Again only where the dependencies changed. The build backend is pinned too, so it is installed and not fetched aside.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt hatchling editables
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev,docs]'
	@touch $@

demo: $(READY) ## Draw a street, learn it, find what is odd in it (two minutes).
	$(BIN)/framewatch demo --out out/demo $(ARGS)

test: $(READY) ## Run the tests.
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

quality: $(READY) ## Measure detection on the real footage of FRAMEWATCH_DATA; write docs/quality.md (an hour).
	$(BIN)/python -m bench.quality $(ARGS)

bench: $(READY) ## Measure scoring against bare decoding, from files and then live.
	$(BIN)/python -m bench.score $(ARGS)
	$(BIN)/python -m bench.serve

bench-serve: $(READY) ## Measure the live service: JPEGs on sockets in, scores out (ARGS=--write renews docs/benchmarks.md).
	$(BIN)/python -m bench.serve $(ARGS)

bench-rivals: $(READY) ## Measure other ways to serve the same detector beside it.
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[bench]'
	$(BIN)/python -m bench.rivals $(ARGS)

bench-gpu: $(READY) ## Measure what one GPU holds; needs one.
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python -m bench.gpu $(ARGS)
	$(BIN)/python -m bench.serve --device cuda $(ARGS)

soak: $(READY) ## Half an hour of clients, cameras and faults that come and go: whether the service grows.
	$(BIN)/python -m bench.soak $(ARGS)

bench-memory: $(READY) ## Score a video of an hour and watch the memory.
	$(BIN)/python -m bench.memory $(ARGS)

fuzz: $(READY) ## Bad data and requests of every shape against all that reads what strangers send (half an hour).
	$(BIN)/python -m bench.fuzz
	$(BIN)/python -m bench.interface

check: $(READY) ## Lint, format and types.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: $(READY) ## Render the documentation into out/site.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet $(ARGS)

audit: $(READY) ## Look for published faults of the pinned packages, and at the FFmpegs that come with them.
	.ci/audit
	$(BIN)/python -m pytest -q tests/test_bundled.py

format: $(READY) ## Format the code and sort its imports.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

constraints: ## Renew constraints.txt with the latest versions (TORCH=... picks torch's).
	$(PYTHON) -m venv --clear $(VENV)-constraints
	$(VENV)-constraints/bin/python -m pip install --quiet '$(TORCH)' hatchling editables
	$(VENV)-constraints/bin/python -m pip install --quiet --no-build-isolation '$(TORCH)' -e '.[dev,docs,bench]'
	sed '/^[^#]/,$$d' constraints.txt > $(VENV)-constraints/pins
	$(VENV)-constraints/bin/python -m pip freeze --exclude-editable | sed 's/+[^ ;]*//' >> $(VENV)-constraints/pins
	mv $(VENV)-constraints/pins constraints.txt
	rm -rf $(VENV)-constraints

clean: ## Remove the environment, caches and outputs.
	rm -rf .venv out dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
