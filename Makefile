# make demo: shows the bridge at work. make test: everything that is checked before a change is taken.
# Both set up .venv on a fresh machine by themselves; a second call is quick.

.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o=Dpkg::Use-Pty=0
QEMU_PACKAGES := mmdebstrap qemu-system-x86 e2fsprogs
ROOT_WITH_APT := [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null

.PHONY: help
help:
	@echo "make demo         run the bridge with a mail server and an ACD of its own, and watch it"
	@echo "make test         lint, types, and all tests with branch coverage"
	@echo "make lint         ruff, mypy, import-linter"
	@echo "make rough        ten minutes of mail while a real mail server is restarted, frozen, renumbered"
	@echo "make torture      kill -9 the service 5,000 times, fail every operation in each way, simulate 3,000 seeds"
	@echo "make powercut     cut the power of a virtual machine while it takes webhooks in, and count what was lost"
	@echo "make docs         write the generated pages of docs/ anew"
	@echo "make constraints  pin the newest versions in constraints.txt"
	@echo "make clean        remove everything that make has made"

.PHONY: demo
demo: $(VENV)/.demo
	@$(BIN)/acd-bridge demo

.PHONY: test
test: $(VENV)/.dev dovecot systemd lint
	@$(BIN)/python -m pytest --cov --cov-branch --cov-report=term-missing

.PHONY: rough
rough: $(VENV)/.dev dovecot
	@ROUGH_SECONDS=$${ROUGH_SECONDS:-600} $(BIN)/python -m pytest -o faulthandler_timeout=7200 \
		tests/integration/imap/test_under_our_hands.py

.PHONY: lint
lint: $(VENV)/.dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "These files are not formatted; run: $(BIN)/ruff format ."; \
		$(BIN)/ruff format --check . ; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports

.PHONY: torture
torture: $(VENV)/.dev dovecot
	@ACD_BRIDGE_KILLS=$${ACD_BRIDGE_KILLS:-5000} ACD_BRIDGE_SEEDS=3000 ACD_BRIDGE_OPERATIONS_APART=1 \
		$(BIN)/python -m pytest -o faulthandler_timeout=7200 tests/torture

.PHONY: powercut
powercut: $(VENV)/.dev qemu
	@ACD_BRIDGE_POWER_CUTS=$${ACD_BRIDGE_POWER_CUTS:-3} $(BIN)/python -m pytest -s -o faulthandler_timeout=7200 tests/powercut

.PHONY: docs
docs: $(VENV)/.dev
	@$(BIN)/python -m bridge.config.reference >docs/configuration.md
	@$(BIN)/python -m docs.reference

.PHONY: constraints
constraints:
	@rm -rf $(VENV)
	@$(MAKE) $(VENV)/.made
	@$(PIP) install '.[dev,demo]'
	@{ sed '/^[^#]/,$$d' constraints.txt; $(PIP) freeze --exclude acd-bridge; } > constraints.new
	@mv constraints.new constraints.txt
	@touch $(VENV)/.made

.PHONY: clean
clean:
	@rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	@find bridge tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# The package is installed editable, so that what runs is always what stands here.
$(VENV)/.demo: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing the bridge into $(VENV)."
	@$(PIP) install -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing the bridge and the tools of its tests into $(VENV)."
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is not. Name one: make PYTHON=python3.11 $(MAKECMDGOALS)"; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		if $(ROOT_WITH_APT); then \
			echo "Installing python3-venv."; \
			$(APT) update && $(APT) install -y --no-install-recommends python3-venv >/dev/null; \
		else \
			echo "Python's venv module is missing. On Debian run as root: apt-get install python3-venv"; exit 1; \
		fi; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Dovecot is the real mail server of the integration tests, and a Debian that boots in a container has their systemd.
# Without them those tests are skipped, and it is said.
.PHONY: dovecot
dovecot:
	$(call needed,dovecot,dovecot-imapd,dovecot)

.PHONY: systemd
systemd:
	$(call needed,mmdebstrap systemd-nspawn,mmdebstrap systemd-container,systemd)

# Without them there is nothing to cut the power of, so here it is no skip but an error.
.PHONY: qemu
qemu:
	@PATH="$$PATH:/usr/sbin:/sbin"; missing=; \
	for program in mmdebstrap qemu-system-x86_64 mke2fs; do command -v $$program >/dev/null || missing=1; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if $(ROOT_WITH_APT); then \
		echo "Installing $(QEMU_PACKAGES) for the power cuts."; \
		$(APT) update && $(APT) install -y --no-install-recommends $(QEMU_PACKAGES) >/dev/null; \
	else \
		echo "Not all is installed; on Debian run as root: apt-get install $(QEMU_PACKAGES)"; exit 1; \
	fi

# The programs, the Debian packages that have them, and the mark of the tests that do not run without.
define needed
	@PATH="$$PATH:/usr/sbin:/sbin"; missing=; \
	for program in $(1); do command -v $$program >/dev/null || missing=1; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if $(ROOT_WITH_APT); then \
		echo "Installing $(2) for the tests."; \
		if $(APT) update && $(APT) install -y --no-install-recommends $(2) >/dev/null; then exit 0; fi; \
		why="apt-get could not install $(2)"; \
	else \
		why="not all is installed; on Debian run as root: apt-get install $(2)"; \
	fi; \
	echo "NOT RUN ($$why):"; \
	grep -rl --include='*.py' 'mark\.$(3)' tests | sort | sed 's/^/  /' || true
endef
