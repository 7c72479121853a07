# One command each on a fresh machine with Python >= 3.11: `make demo`, `make test`.

# the first of these that is new enough; name another with PYTHON=...
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP_TOOLS := pip-tools==7.6.2
PIP_AUDIT := pip-audit==2.10.1
ANSIBLE := ansible-core==2.19.14
# three for the streams of tests in real time, which mostly wait; one for all others: tests/helpers/workers.py
WORKERS ?= 4
# bytecode is kept, whatever the environment says: else each of hundreds of processes compiles every module anew
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test suite slow coverage lint format catalogs lock audit fuzz clean bench-control bench-lab bench-many bench-publication bench-fleet bench-rollouts bench-plan bench-compiled bench-compiled-check bench-pages bench-delta deb test-deb test-ansible release test-api test-browser

help:
	@echo 'make demo [FILE=path] [JSON=1] [KEEP=1]   a seed server and 4 endpoints on this machine share one large file and roll out an application; KEEP=1: it stays up, with its pages'
	@echo 'make test [WORKERS=4]            lint, types, import contracts, and all tests; 0: in one process'
	@echo 'make slow                        the tests that take longest, one after the other: before a release'
	@echo 'make test-api [ARGS=…]           20,000 cases that schemathesis makes, against the API of a real server (ARGS=--help)'
	@echo 'make test-browser [ARGS=…]       the pages in a real Chromium, which it installs where it is missing (ARGS=--no-install)'
	@echo 'make coverage [WORKERS=4]        all tests, and which lines and branches they reach (a quarter longer)'
	@echo 'make lint                        lint, types and import contracts only'
	@echo 'make format                      format the sources'
	@echo 'make catalogs                    bring the translations up to date with the sources, and compile them'
	@echo 'make lock [UPGRADE=1]            write requirements.lock from pyproject.toml'
	@echo 'make audit                       look what is locked up among known weaknesses (needs the internet)'
	@echo 'make fuzz [ARGS=…]               search for bytes that break a promise, for two minutes (ARGS=--help); Linux on x86-64'
	@echo 'make bench-control [ARGS=…]      the limiter and its rivals over all lines (ARGS=--help: a part of them)'
	@echo 'make bench-lab [ARGS=…]          as root: ours and its alternatives on lines of the lab (ARGS=--help)'
	@echo 'make bench-many [ARGS=…]         500 small patches to 8 endpoints, against one file of their size (ARGS=--help)'
	@echo 'make bench-publication [ARGS=…]  as root: what one publication costs a branch line, by cause (ARGS=--help)'
	@echo "make bench-fleet [ARGS=…]        what a company's size costs one server: 25,000 PCs (ARGS=--help)"
	@echo 'make bench-rollouts [ARGS=…]     2,000 random rollouts of 25,000 PCs in virtual time, held to their rules (ARGS=--help)'
	@echo 'make bench-plan [ARGS=…]         plans of five patches beside what a simulated company of 500 sites does (ARGS=--help)'
	@echo "make bench-pages [ARGS=…]        how long the pages take at 25,000 PCs, on SQLite and PostgreSQL (ARGS=--help)"
	@echo 'make bench-delta [ARGS=…]        as root: what the next version of real packages costs a line, where PCs have the former (ARGS=--help)'
	@echo 'make bench-compiled              compile the simulator into build/compiled, for benchmarks'
	@echo 'make deb                         two Debian packages, for PCs and for the server, in build/release (Debian, Ubuntu)'
	@echo 'make test-deb                    as root: both in a minimal Debian with its own systemd, through their whole life'
	@echo 'make test-ansible                as root: the Ansible role, twice, on PCs with their own systemd'
	@echo 'make release                     wheel, Debian packages, bills of materials and checksums; built twice, and compared'
	@echo 'make clean                       remove everything that was built'
	@echo 'PYTHON=python3.x                 the interpreter to build .venv with (3.11 or newer)'

# standard output belongs to the commands themselves (`make demo JSON=1`), so this talks on standard error
$(READY): requirements.lock pyproject.toml
	@if [ -z '$(PYTHON)' ] || ! '$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo 'error: Python 3.11 or newer is needed and $(or $(PYTHON),python3) is not. Install it, or name it: make PYTHON=/path/to/python3.11' >&2; \
		exit 1; \
	fi
	@echo '[1/3] $(VENV) with '"$$('$(PYTHON)' --version)" >&2
	@test -x $(BIN)/python || '$(PYTHON)' -m venv $(VENV) >&2 || { \
		echo 'error: this Python cannot make a virtual environment. Install its venv package (Debian, Ubuntu: python3-venv).' >&2; \
		rm -rf $(VENV); exit 1; }
	@echo '[2/3] installing the locked dependencies (a minute, the first time)' >&2
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock >&2
	@echo '[3/3] installing p2pdist' >&2
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . >&2
	@touch $(READY)

demo: $(READY)
	@$(BIN)/python -m bench.demo $(if $(FILE),--file '$(FILE)') $(if $(filter-out 0,$(JSON)),--json) $(if $(filter-out 0,$(KEEP)),--keep)

# beside each other: mypy alone would keep one core busy and leave the others idle; it gives way to tests in real time;
# both must succeed
test: $(READY)
	@$(MAKE) --no-print-directory --jobs=2 lint suite

# some minutes; it ends with 1 where fewer cases than that were sent
test-api: $(READY)
	$(BIN)/python -m tests.api.cases $(ARGS)

# its driver is not part of $(READY): `make test` needs no browser
$(VENV)/.browser-ready: $(READY) requirements-browser.lock
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
		--requirement requirements-browser.lock >&2
	@touch $(VENV)/.browser-ready

# some minutes; pictures of every page go to build/pages
test-browser: $(VENV)/.browser-ready
	$(BIN)/python -m tests.browser.run $(ARGS)

suite: $(READY)
	$(BIN)/python -m pytest --numprocesses='$(WORKERS)'

# one after the other: what they measure is not to be disturbed
slow: $(READY)
	$(BIN)/python -m pytest -m slow

coverage: $(READY)
	$(BIN)/python -m pytest --numprocesses='$(WORKERS)' --cov --cov-report=term

lint: $(READY)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check . || { echo 'error: not formatted. Run: make format' >&2; exit 1; }
	nice -n 5 $(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY)
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

catalogs: $(READY)
	@$(BIN)/python -m bench.catalogs

# `bandwidth` as native code, for whoever runs thousands of simulations: $(COMPILED) $(BIN)/python -m bench.…
# (PYTHONSAFEPATH: else the current directory, and with it the sources, would come first)
COMPILED := PYTHONSAFEPATH=1 PYTHONPATH=build/compiled:.

bench-compiled: $(READY)
	@$(BIN)/python -m bench.compile_simulator

bench-compiled-check: bench-compiled
	@$(BIN)/python -m bench.same_results > build/interpreted.txt
	@$(COMPILED) $(BIN)/python -m bench.same_results > build/compiled.txt
	@diff build/interpreted.txt build/compiled.txt && echo 'compiled and interpreted agree to the last bit'

# the lock names no package index: it holds for any index that has these files; pictures-ja, a font of 16 MB, is not in it
lock:
	@test -n '$(PYTHON)' || { echo 'error: Python 3.11 or newer is needed.' >&2; exit 1; }
	'$(PYTHON)' -m venv build/lock
	build/lock/bin/python -m pip install --quiet --quiet --disable-pip-version-check '$(PIP_TOOLS)'
	build/lock/bin/python -m piptools compile --quiet --no-strip-extras --allow-unsafe --generate-hashes \
		--extra agent --extra dev --extra pictures --extra postgres --extra server \
		--no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		$(if $(UPGRADE),--upgrade) --output-file requirements.lock pyproject.toml

# in an environment of its own: nothing of ours needs it
audit:
	@test -n '$(PYTHON)' || { echo 'error: Python 3.11 or newer is needed.' >&2; exit 1; }
	@'$(PYTHON)' -m venv build/audit
	@build/audit/bin/python -m pip install --quiet --quiet --disable-pip-version-check '$(PIP_AUDIT)' || { \
		echo 'error: pip-audit cannot be installed from the package index.' >&2; exit 1; }
	@build/audit/bin/python -m bench.audit

# what it finds goes into tests/fuzz/corpus; its fuzzer is not part of $(READY): `make test` needs none
$(VENV)/.fuzz-ready: $(READY) requirements-fuzz.lock
	@test "$$(uname -sm)" = 'Linux x86_64' || { \
		echo 'error: atheris, the fuzzer, is to be had for Linux on x86-64 only. make test tries the corpus anywhere.' >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
		--requirement requirements-fuzz.lock >&2
	@touch $(VENV)/.fuzz-ready

fuzz: $(VENV)/.fuzz-ready
	@$(BIN)/python -m bench.fuzz $(ARGS)

# goes on where it was interrupted; $(COMPILED) is empty unless the simulator is compiled
bench-control: bench-compiled
	@$(COMPILED) $(BIN)/python -m bench.control_quality $(ARGS)

bench-lab: $(READY)
	@$(BIN)/python -m bench.lab_benchmark $(ARGS)

bench-many: $(READY)
	@$(BIN)/python -m bench.many_patches $(ARGS)

bench-publication: $(READY)
	@$(BIN)/python -m bench.publication_cost $(ARGS)

bench-fleet: $(READY)
	@$(BIN)/python -m bench.fleet_benchmark $(ARGS)

bench-rollouts: $(READY)
	@$(BIN)/python -m bench.rollouts $(or $(ARGS),--write)

bench-plan: $(READY)
	@$(BIN)/python -m bench.plan_quality $(or $(ARGS),--write)

bench-pages: $(READY)
	@$(BIN)/python -m bench.pages $(ARGS)

bench-delta: $(READY)
	@$(BIN)/python -m bench.delta $(ARGS)

deb: $(READY)
	@$(BIN)/python -m bench.release debs

test-deb: deb
	$(BIN)/python -m pytest -m slow tests/packages/test_debian_root.py

release: $(READY)
	@$(BIN)/python -m bench.release all

# in an environment of its own: nothing of ours needs it
build/ansible/bin/ansible-playbook:
	@'$(PYTHON)' -m venv build/ansible
	@build/ansible/bin/python -m pip install --quiet --quiet --disable-pip-version-check '$(ANSIBLE)'

test-ansible: deb build/ansible/bin/ansible-playbook
	$(BIN)/python -m pytest -m slow tests/packages/test_ansible.py

clean:
	rm -rf $(VENV) build ./*.egg-info .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find p2pdist seed_server bandwidth bench tests -name __pycache__ -type d -prune -exec rm -rf {} +
