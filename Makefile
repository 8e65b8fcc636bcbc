# What a developer runs; CI runs `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: docs screenshots test check tests-apart tests-together test-postgres demo fuzz bench bench-full profiles container test-container demo-container damage shared-disks busy model cuts crash ha scaling clean

SECONDS := 60
FLIPS := 4000
SEED := 1
ADDS := 300
STEPS := 1000000
POSITIONS := 8
KILLS := 1000
RUNS := 20
STORE := sqlite

test: $(VENV)/ready
	@tests/ssh/need-sshd
	@tests/shared/need-cc
	@tests/postgres/need-postgres
	@tests/porcelain/need-shells
	$(MAKE) check

check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --jobs 2 --output-sync tests-apart tests-together
	$(MAKE) docs

# Half of all tests each, by time.
APART := $(addprefix tests/,bench busy crash cuts formats fuzz high_availability hostile model msglog)
tests-apart: $(VENV)/ready
	$(BIN)/pytest $(APART)

tests-together: $(VENV)/ready
	$(BIN)/pytest $(addprefix --ignore=,$(APART))

# What makes a server account behind a real sshd, over PostgreSQL: CI runs a part of it.
test-postgres: $(VENV)/ready
	@tests/ssh/need-sshd
	@tests/postgres/need-postgres
	$(BIN)/pytest tests/ssh --account-store postgres

demo: $(VENV)/ready
	@tests/ssh/need-sshd
	@$(BIN)/python -m tests.ssh.demo

# The site of docs/, in build/site: every link on it leads somewhere, and its pictures are taken anew.
docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# The pictures alone, into build/screenshots.
screenshots: $(VENV)/ready
	$(BIN)/python docs/site/screenshots.py build/screenshots

# All parsers, SECONDS in total; guided by coverage where atheris installs, plain mutation elsewhere.
fuzz: $(VENV)/ready
	-$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

# Flips FLIPS bits in each kind of file, and runs every command that reads: about five minutes. SEED
# chooses which.
damage: $(VENV)/ready
	$(BIN)/python -m tests.hostile.flips --count $(FLIPS) --seed $(SEED)

# Two machines on one shared disk, with locks that work, fail and lie: four writers add ADDS each.
shared-disks: $(VENV)/ready
	@tests/shared/need-cc
	MSGLOG_SHARED_ADDS=$(ADDS) $(BIN)/pytest tests/shared -k two_machines

# Many processes at once, over sshd and in one repository, and races with gc step by step: SECONDS for
# each of ten parts or so. BUSY takes more options, such as `BUSY='--seed 7 server'`.
busy: $(VENV)/ready
	@tests/ssh/need-sshd
	$(BIN)/python -m tests.busy --seconds $(SECONDS) $(BUSY)

# STEPS of adding, exchanging, crashing, restoring and so on, against a model, from SEED: what fails is
# printed with the steps from which it repeats.
model: $(VENV)/ready
	$(BIN)/python -m tests.model --steps $(STEPS) --seed $(SEED)

# Connections cut and damaged at every byte of small sessions, and at POSITIONS random ones of each kind
# for all else: tests/cuts. CUTS takes more options, such as `CUTS='--part large'`.
cuts: $(VENV)/ready
	@tests/ssh/need-sshd
	$(BIN)/python -m tests.cuts --seed $(SEED) --positions $(POSITIONS) $(CUTS)

# Kills of msglog at any system call, failing calls and power losses; says what is not as promised.
# KILLS: how many processes at least; SEED: another one attacks other places; CASE='3 17': only these.
# About six minutes. STORE=postgres: with the server account in PostgreSQL, whose processes and connections
# are attacked as well. OPTIONS are those of `python -m tests.crash`, such as `--operation push pull`.
crash: $(VENV)/ready
	@tests/ssh/need-sshd
	@test "$(STORE)" = sqlite || tests/postgres/need-postgres
	$(BIN)/python -m tests.crash --store $(STORE) --seed $(SEED) --kills $(KILLS) $(if $(CASE),--case $(CASE)) $(OPTIONS)

# Three nodes of PostgreSQL under Patroni, killed, frozen and brought back while 16 clients push over sshd:
# RUNS of them, each of which ends with a killed primary, about half an hour. SEED chooses what happens;
# HA takes more options, such as `HA='--usual --kind FREEZE_PRIMARY'`.
ha: $(VENV)/ready
	@tests/ssh/need-sshd
	@tests/postgres/need-postgres
	@tests/high_availability/need-cluster
	$(BIN)/python -m tests.high_availability --seed $(SEED) --runs $(RUNS) $(HA)

# What more front ends, writers and longer logs cost, over SQLite and PostgreSQL: docs/scaling.md. A log of
# ten million messages takes hours; SCALING takes more options, such as `SCALING='--long 1000000'`.
scaling: $(VENV)/ready
	@tests/ssh/need-sshd
	@tests/postgres/need-postgres
	$(BIN)/python -m tests.scaling $(SCALING)

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

# The image, with podman or docker. Where packages come through a proxy, PIP_CERT names its certificates.
container: $(VENV)/ready
	$(BIN)/python -m tests.container.engine

# All that docs/deploy/container.md and debian.md say, played: six to eight minutes.
test-container: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --editable '.[container]'
	MSGLOG_TEST_CONTAINER=1 $(BIN)/pytest tests/container

demo-container: $(VENV)/ready
	@$(BIN)/python -m tests.container.demo

$(VENV)/docs: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist
