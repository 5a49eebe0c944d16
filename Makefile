# Everything runs in .venv, which the first target that needs it makes. On a fresh machine:
# Python 3.11 or later, make and git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Most tests wait for servers, so there may be more workers than cores. Each takes whole files
# (by group is ignored, without a word, by some versions), in the order of tests/conftest.py.
WORKERS ?= 3
# Real servers on a busy machine: what fails is tried once more, and reported either way.
RERUNS ?= 1
IN_WORKERS = -n $(WORKERS) --dist loadfile --no-loadscope-reorder --reruns $(RERUNS)
# Else each worker, and each program that tests start, compiles all that it loads.
unexport PYTHONDONTWRITEBYTECODE
# The coverage of this package's lines and branches; what servers run is not counted.
COVERAGE := --cov --cov-report=term:skip-covered
# Each run of the tests adds to this file how many it skipped.
SKIPS := $(CURDIR)/$(VENV)/.skips
# Authorization servers that slow tests start.
ISSUERS := .venv-issuers
PACKAGE := setup.cfg setup.py pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test-unit test test-slow soak soak-bundle test-all bench bench-quick services lint sample man picture docs dist clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## show authmw at work; SERVE=1 leaves the demo service running
	$(BIN)/authmw demo $(if $(SERVE),--serve)

test-unit: $(VENV)/.test ## the quick tests of single rooms; they start no server
	$(BIN)/python -m pytest --unit -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.test ## all tests but the slow ones, with a real Keystone and memcached
	$(BIN)/python -m pytest -m "not slow" $(IN_WORKERS) $(PYTEST_ARGUMENTS)

# These wait for longer.
test-slow: WORKERS = 4
test-slow: $(VENV)/.test $(VENV)/.promtool $(ISSUERS)/.installed ## the tests that take many seconds each
	@.ci/need databases || echo "the tests of these databases are skipped" >&2
	@.ci/need browser || echo "the tests in a browser are skipped" >&2
	@.ci/need sites || echo "some tests of sites are skipped" >&2
	$(BIN)/python -m pytest -m slow $(IN_WORKERS)

soak: $(VENV)/.test ## real filters beside a model of what they decide; SECONDS=600
	$(BIN)/python -m tests.system.model.soak $(or $(SECONDS),600)

soak-bundle: $(VENV)/.test ## a bundle's answers beside those of a real Keystone; WORLDS=1000
	AUTHMW_WORLDS=$(or $(WORLDS),1000) $(BIN)/python -m pytest tests/bundle/test_differential.py \
		-n 0 -o faulthandler_timeout=0

test-all: $(VENV)/.test ## every test, with coverage, and a short run of the benchmarks
	@rm -f $(SKIPS)
	SKIPS=$(SKIPS) $(MAKE) test PYTEST_ARGUMENTS="$(COVERAGE)"
	SKIPS=$(SKIPS) $(MAKE) test-slow
	$(MAKE) bench-quick
	@awk '{ all += $$1 } END { print "tests skipped in all: " all + 0 }' $(SKIPS)

bench: $(VENV)/.test ## measure against keystonemiddleware
	$(BIN)/python -m benchmarks

# Nothing to run until there is a benchmark.
bench-quick: $(VENV)/.test
	$(if $(wildcard benchmarks/__main__.py),$(BIN)/python -m benchmarks --quick,@:)

services: ## Glance and Barbican behind authmw; RST=FILE writes the results there as well
	@.ci/need tests
	@PYTHON=$(PYTHON) .ci/need venv
	$(PYTHON) examples/real_services/run.py $(if $(RST),--rst $(RST))

lint: $(VENV)/.lint ## style, format, types, and which way imports point
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

sample: $(VENV)/.test ## write etc/authmw.conf.sample anew from the options
	$(BIN)/oslo-config-generator --config-file etc/authmw-config-generator.conf

man: $(VENV)/.test ## write doc/man/authmw.1 anew from the arguments of the commands
	COLUMNS=76 SOURCE_DATE_EPOCH=0 $(BIN)/argparse-manpage --module authmw.cli.command \
	  --function make_parser --project-name authmw --prog authmw --manual-title authmw \
	  --description "tools that come with the authentication middleware authmw" \
	  --format single-commands-section --output doc/man/authmw.1

picture: $(VENV)/.test ## write doc/playground.png anew, a picture of the demo's page
	@.ci/need browser
	$(BIN)/python -m tests.playground.picture doc/playground.png

docs: $(VENV)/.docs ## the documentation as HTML in doc/_build/html; a warning is an error
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html doc doc/_build/html

dist: $(VENV)/.python ## a source distribution, a wheel and a bill of materials in dist/, byte for byte the same each time
	$(BIN)/python .ci/dist.py

clean: ## remove all that was made
	rm -rf $(VENV) $(ISSUERS) .venv-services .coverage* build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamp files: each says that one set of packages is installed in .venv.

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "authmw needs Python 3.11 or later; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@PYTHON=$(PYTHON) .ci/need venv
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python $(PACKAGE)
	$(PIP_INSTALL) --editable '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.python $(PACKAGE)
	@.ci/need tests
	$(PIP_INSTALL) --editable '.[test]'
	@touch $@

$(VENV)/.promtool: $(VENV)/.python .ci/promtool
	@.ci/promtool $(BIN) || echo "the tests with promtool are skipped" >&2
	@touch $@

$(VENV)/.docs: $(VENV)/.test
	$(PIP_INSTALL) --editable '.[test,docs]'
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	$(PIP_INSTALL) --editable '.[test,lint]'
	@touch $@

$(ISSUERS)/.installed: tests/support/issuers/install $(wildcard tests/support/issuers/*.json tests/support/issuers/*.txt)
	@.ci/need issuers
	rm -rf $(ISSUERS)
	@PYTHON=$(PYTHON) tests/support/issuers/install $(ISSUERS) >/dev/null || \
	  echo "the tests that start authorization servers are skipped" >&2
	@mkdir -p $(ISSUERS) && touch $@
