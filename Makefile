# make run     the service on http://127.0.0.1:3000
# make test    every check and every test
# make bench   the figures of docs/benchmarks.md
# make chaos   everything breaks, nothing is lost: the tables of docs/reliability.md (SECONDS=600 SEED=7)
# make soak    steady load, nothing grows (SECONDS=3600)
# make clean   remove what the others made; messages (data/) and logs (logs/) stay

VENV := .venv
PYTHON := $(VENV)/bin/python

# 3.12 and 3.11 first: a redis-server comes as a wheel for them.  A python3.12 on PATH may be a stub that only prints an error: each one is asked to run.
FIND_PYTHON := for python in python3.12 python3.11 python3.13 python3; do \
	if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$python; break; fi; done

.PHONY: run test bench chaos soak clean

run: $(VENV)/run.stamp
	@exec $(PYTHON) app.py

test: $(VENV)/test.stamp
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy --strict app.py scheduler tests bench
	$(VENV)/bin/lint-imports
	$(PYTHON) -m pytest

bench: $(VENV)/test.stamp
	$(PYTHON) -m bench

chaos: $(VENV)/test.stamp
	$(PYTHON) -m tests.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

soak: $(VENV)/test.stamp
	$(PYTHON) -m tests.stress.soak $(if $(SECONDS),--seconds $(SECONDS))

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Redone when the requirements change and not otherwise: the second run needs no network.
$(VENV)/run.stamp: requirements.txt | $(PYTHON)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements-dev.txt $(VENV)/run.stamp
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(PYTHON):
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 or newer, with its venv module, is needed and was not found (Debian: apt-get install python3 python3-venv)." >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$python --version)"; $$python -m venv $(VENV)
