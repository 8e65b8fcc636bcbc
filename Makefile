# What a developer runs; CI runs `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: test check demo fuzz damage bench bench-full profiles clean

SECONDS := 60
FLIPS := 4000
SEED := 1

test: $(VENV)/ready
	@tests/ssh/need-sshd
	$(MAKE) check

check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

demo: $(VENV)/ready
	@tests/ssh/need-sshd
	@$(BIN)/python -m tests.ssh.demo

# All parsers, SECONDS in total; guided by coverage where atheris installs, plain mutation elsewhere.
fuzz: $(VENV)/ready
	-$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

# Flips FLIPS bits in each kind of file, and runs every command that reads: about five minutes. SEED
# chooses which.
damage: $(VENV)/ready
	$(BIN)/python -m tests.hostile.flips --count $(FLIPS) --seed $(SEED)

# Against git, fossil and muchsync on a private sshd; writes docs/performance.md. It names what is not
# installed. BENCH takes more options, such as `BENCH='--rows add list --turns 5'`.
bench: $(VENV)/ready
	@tests/ssh/need-sshd
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m tests.bench --document $(BENCH)

# The same up to a million messages, and cost curves of msglog up to ten million: about 35 minutes.
bench-full: $(VENV)/ready
	@tests/ssh/need-sshd
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m tests.bench --full --document $(BENCH)

# Where the time of the main operations goes: docs/performance/profile-*.txt.
profiles: $(VENV)/ready
	@tests/ssh/need-sshd
	$(BIN)/python -m tests.bench.profile

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist
