# The project's verbs. Everything is built with one profile in one target folder; set
# CARGO_TARGET_DIR to put it elsewhere.

CARGO ?= cargo
PYTHON ?= python3
FUZZ_SECONDS ?= 60
FUZZ_TOOLCHAIN ?= nightly
CHAOS_ROUNDS ?= 100
RUNG_OPERATIONS ?= 300000
CHAOS_SEED ?= $(shell date +%s)
DIFFER_STEPS ?= 300000
DIFFER_SEED ?= $(shell date +%s)

.DEFAULT_GOAL := help
.PHONY: help demo test lint fmt peers bench chaos clients differ rungs fuzz fuzz-tools lint-tools

help: ## Say what there is
	@echo "usage: make <verb>"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 10

demo: ## A live migration between two servers while an application writes
	$(CARGO) run -p ferrite-tools --bin ferrite-migrate -- demo $(DEMO_OPTIONS)

test: lint peers ## Everything that must pass: format, lints, house rules, all tests
	$(CARGO) test --workspace

lint: lint-tools ## Format and lints, without tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

fmt: lint-tools ## Format the code
	$(CARGO) fmt --all

peers: ## Get the real servers tests run against (apt and pip, no root, once)
	$(CARGO) run --quiet -p ferrite-testkit --bin peers -- fetch

bench: ## Measure against other tools and servers, side by side; see bench/
	$(PYTHON) bench/run
	$(PYTHON) bench/server --quick

chaos: ## CHAOS_ROUNDS (100) live migrations to which everything happens at once
	$(CARGO) test -p ferrite-migrate --test chaos -- --rounds $(CHAOS_ROUNDS) --seed $(CHAOS_SEED)

clients: ## ioredis, go-redis and redis-rs at a real server and at ours (takes Node.js and Go)
	$(CARGO) test -p ferrite-server --test other_clients

differ: ## DIFFER_STEPS (300000) random commands on real servers and ours, compared
	$(CARGO) test -p ferrite-server --test differ -- --steps $(DIFFER_STEPS) --seed $(DIFFER_SEED)

rungs: ## Live migrations by every strategy from every server, under 40,000 operations a second
	$(CARGO) test -p ferrite-migrate --test chaos -- --rungs $(RUNG_OPERATIONS)

fuzz: fuzz-tools ## Run every fuzz target for FUZZ_SECONDS (60) each
	@targets=$$($(CARGO) +$(FUZZ_TOOLCHAIN) fuzz list --fuzz-dir fuzz) || exit 1; \
	for target in $$targets; do \
		echo "fuzz: $$target, $(FUZZ_SECONDS) s"; \
		$(CARGO) +$(FUZZ_TOOLCHAIN) fuzz run --fuzz-dir fuzz "$$target" -- \
			-max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 || exit 1; \
	done

# What a bare toolchain may lack.

lint-tools:
	@$(CARGO) fmt --version >/dev/null 2>&1 || rustup component add rustfmt || \
		{ echo "rustfmt is missing; with rustup: rustup component add rustfmt" >&2; exit 1; }
	@$(CARGO) clippy --version >/dev/null 2>&1 || rustup component add clippy || \
		{ echo "clippy is missing; with rustup: rustup component add clippy" >&2; exit 1; }

fuzz-tools:
	@$(CARGO) +$(FUZZ_TOOLCHAIN) --version >/dev/null 2>&1 || \
		rustup toolchain install --profile minimal $(FUZZ_TOOLCHAIN) || \
		{ echo "fuzzing needs rustup and its $(FUZZ_TOOLCHAIN) toolchain:" \
			"rustup toolchain install $(FUZZ_TOOLCHAIN)" >&2; exit 1; }
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz || \
		{ echo "cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 1; }
