# Everything that a checkout can do. `make` alone lists it. Nothing here names a registry: pip and npm use their own settings.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
# The targets share one environment and two cores' worth of tools; running them at once only makes failures harder to read.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
SETUP := .venv/.installed
CLIENT := node_modules/.installed
BUNDLE := client/out/extension.js
VSIX := client/out/octolimb.vsix

# With CI set, a part that cannot run is an error; elsewhere it is said aloud and the rest goes on.
HAS_NODE := $(shell command -v npm >/dev/null 2>&1 && node -e 'process.exit(+(parseInt(process.versions.node) < 20))' 2>/dev/null && echo yes)
LEFT_OUT = printf '\n!!! LEFT OUT: %s\n!!! %s\n\n' $(1) $(2) | tee -a .venv/left-out; [ -z "$${CI:-}" ] || { echo 'octolimb: in CI nothing may be left out' >&2; exit 1; }

.PHONY: help setup demo test check check-client format screenshots editor vsix bench campaign repair-table bug-table lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(SETUP) ## Make .venv with everything pinned, and node_modules where Node is there
ifeq ($(HAS_NODE),yes)
setup: $(CLIENT)
endif

demo: $(SETUP) ## Break a real project, and have its failing test repaired in the shadow
	@$(PY) tests/scenarios/demo.py

test: setup check ## Run every test; says aloud what it had to leave out
	@rm -f .venv/left-out
ifeq ($(HAS_NODE),yes)
	@echo '== client'; npm test --silent
	@{ bash tests/editor/smoke.sh && bash tests/editor/shadow.sh && bash tests/editor/scenes.sh; } || { code=$$?; [ $$code -eq 75 ] || exit $$code; \
	  $(call LEFT_OUT,'the tests in a real editor','They need chromium (apt-get install chromium).'); }
else
	@$(call LEFT_OUT,'the tests of the client and in a real editor','They need Node 20 or newer with npm.')
endif
	@$(PY) -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder --durations=10 --durations-min=0.5
	@[ ! -e .venv/left-out ] || cat .venv/left-out

check: $(SETUP) ## Check format, lint, types and layers; under a minute
	@echo '== format'; .venv/bin/ruff format --check --quiet . || { .venv/bin/ruff format --check .; exit 1; }
	@echo '== lint'; .venv/bin/ruff check --quiet .
	@echo '== types'; .venv/bin/mypy --no-error-summary
	@echo '== layers'; .venv/bin/lint-imports > .venv/layers.log 2>&1 || { cat .venv/layers.log; exit 1; }
	@$(MAKE) check-client

ifeq ($(HAS_NODE),yes)
check-client: $(CLIENT)
	@echo '== client: format, lint, types'; npm run --silent check
else
check-client:
	@$(call LEFT_OUT,'the checks of the client','They need Node 20 or newer with npm.')
endif

format: $(SETUP) ## Format and fix what can be fixed without a thought
	@.venv/bin/ruff check --fix --quiet . || true; .venv/bin/ruff format --quiet .
	@[ -z '$(HAS_NODE)' ] || { $(MAKE) $(CLIENT) && npm run --silent format; }

vsix: $(VSIX) ## Package the editor extension
	@echo "octolimb: the extension is in $(VSIX)"

screenshots: $(CLIENT) $(VSIX) ## Leave a picture of every scene in .cache/editor, taken in a real VS Code
	@bash tests/editor/scenes.sh

editor: $(SETUP) $(VSIX) ## Open a real VS Code in the browser, on the demo project, with the extension in it
	@bash tests/editor/open.sh $(VSIX)

bench: $(SETUP) ## Run the benchmarks, each as a ratio in one run
	@$(PY) tests/bench/run.py

campaign: $(SETUP) ## Run the long randomised runs
	@$(PY) tests/faults/campaign.py

repair-table: $(SETUP) ## Repair every problem of DATA=path and print the table
	@[ -n "$${DATA:-$(DATA)}" ] || { echo 'octolimb: say which problems: make repair-table DATA=path' >&2; exit 2; }
	@[ -r "$(DATA)" ] || { echo 'octolimb: cannot read $(DATA)' >&2; exit 2; }
	@$(PY) tests/scenarios/repair_table.py "$(DATA)"

bug-table: $(SETUP) ## Repair forty bugs of real projects and print the table
	@$(PY) tests/scenarios/bug_table.py

lock: $(SETUP) ## Resolve the pinned requirements anew
	@.venv/bin/uv pip compile pyproject.toml --group dev --generate-hashes --no-annotate --no-header \
	  --python-version 3.11 --universal --quiet -o requirements-dev.lock
ifeq ($(HAS_NODE),yes)
	@npm run --silent lock
else
	@$(call LEFT_OUT,'package-lock.json','It needs npm.')
endif

clean: ## Remove everything that the other targets made
	@rm -rf .venv node_modules client/out dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find server tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are newer than what they were made from, or they are made again.

$(SETUP): requirements-dev.lock pyproject.toml
	@! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || exit 0; \
	python=$$(for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	    "$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; \
	  done) || true; \
	[ -n "$$python" ] || { echo 'octolimb: needs Python 3.11 or newer with venv (apt-get install python3 python3-venv)' >&2; exit 1; }; \
	echo "== setup: .venv with $$("$$python" --version)"; \
	"$$python" -m venv --clear .venv
	@.venv/bin/pip --disable-pip-version-check install --quiet --quiet --require-hashes --requirement requirements-dev.lock
	@.venv/bin/pip --disable-pip-version-check install --quiet --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Not `npm ci`: it refuses the lock where a registry does not carry the other platforms' optional builds. The lock and
# its hashes hold all the same, and `--no-save` leaves it alone.
$(CLIENT): package.json package-lock.json .npmrc
	@echo '== setup: node_modules'
	@npm install --no-save --ignore-scripts --no-progress --loglevel=error > /dev/null
	@touch $@

$(BUNDLE): $(CLIENT) $(wildcard client/src/*.ts)
	@npm run --silent build

$(VSIX): $(BUNDLE) $(wildcard client/media/* client/media/walkthrough/* README.md LICENSE CHANGELOG.md)
	@npm run --silent package > client/out/package.log 2>&1 || { cat client/out/package.log; exit 1; }
