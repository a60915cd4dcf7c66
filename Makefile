# Understudy's front door. `make` alone says what there is.
#
# Everything lands inside the checkout: tools in .tools, builds in target and .aws-sam, the demo's world in .local.
# Only Rust and Python 3.11 with venv have to be on the machine.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

ROOT := $(CURDIR)
TOOLS := $(ROOT)/.tools
PYTHON ?= python3
# Settings in deny.toml are those of this version.
CARGO_DENY_VERSION := 0.20.2

# sam finds cargo-lambda, and cargo-lambda finds zig, by PATH. sam insists on a Region even where it asks nobody.
export PATH := $(TOOLS)/sam/bin:$(TOOLS)/cargo-deny/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1
# make demo KEEP=1, from the command line or from the environment.
export KEEP

environments := ministack moto sam
stamps := $(environments:%=$(TOOLS)/%/.stamp)

.PHONY: help tools demo test functions test-deployed test-rest check check-code check-rest bench soak replay mutants schema deploy clean FORCE

help: ## what can be made (this list)
	@echo "Understudy watches workloads, moves a failing one to its standby, and brings it home again."
	@echo
	@grep -hE '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16
	@echo
	@echo "The first run of demo, test or check installs the pinned tools into .tools and compiles everything: some minutes."

# ---------------------------------------------------------------------------------------------------- tools

tools: $(stamps) $(TOOLS)/cargo-deny/.stamp ## install the pinned tools into .tools (a second run does nothing)

# A stamp holds the hash of the lock file that it was made from, the Python and the place (an environment cannot be
# moved): a change of one of them, and nothing else, installs anew.
$(TOOLS)/%/.stamp: infra/tools/%.txt FORCE
	@wanted="$$(sha256sum $< | cut -d' ' -f1) $$($(PYTHON) --version) $(ROOT)"; \
	if [ "$$(cat $@ 2>/dev/null || true)" = "$$wanted" ]; then exit 0; fi; \
	echo "tools: installing $* into .tools/$*"; \
	rm -rf $(@D); \
	$(PYTHON) -m venv $(@D) || { echo "tools: '$(PYTHON) -m venv' failed. On Debian, install python3-venv." >&2; exit 1; }; \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --requirement $< \
	  || { echo "tools: the packages of $< could not be installed; pip says above why. Nothing else was changed." >&2; rm -rf $(@D); exit 1; }; \
	found="$$($(@D)/bin/python -m pip check --disable-pip-version-check)" \
	  || { echo "$$found" >&2; echo "tools: $< does not name everything that its packages need; its head says how to refresh it." >&2; rm -rf $(@D); exit 1; }; \
	echo "$$wanted" > $@

# The packaged cargo-deny is too old for today's licence lists, so it is compiled; unoptimised is quick enough for it.
$(TOOLS)/cargo-deny/.stamp: FORCE
	@wanted="$(CARGO_DENY_VERSION)"; \
	if [ "$$(cat $@ 2>/dev/null || true)" = "$$wanted" ]; then exit 0; fi; \
	echo "tools: compiling cargo-deny $(CARGO_DENY_VERSION) into .tools/cargo-deny"; \
	CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --version $(CARGO_DENY_VERSION) \
	  --root $(@D) --target-dir $(@D)/target cargo-deny; \
	rm -rf $(@D)/target; \
	echo "$$wanted" > $@

FORCE:

# ---------------------------------------------------------------------------------------------------- the two commands

demo: $(stamps) ## the whole story, live, on a cloud inside this machine (KEEP=1 leaves it running)
	@cargo build -p understudy-tests --bin demo
	@cargo run -q -p understudy-tests --bin demo

test: $(stamps) ## every test, the end-to-end story on really deployed functions included
	cargo test --workspace --no-run
	@$(MAKE) --no-print-directory functions
	@$(MAKE) --no-print-directory --jobs 2 test-deployed test-rest
	@echo "test: all passed"

# What is deployed, compiled before the tests: beside them it would take the time of both, and they would wait for it.
functions: $(TOOLS)/sam/.stamp
	sam build

# Beside each other: the deployed functions mostly wait, for alarms, leases and the hold time of plans.
test-deployed:
	cargo test --workspace --test deployed
test-rest:
	cargo test --workspace -- --skip the_deployed_functions_do_what_the_readme_says
	@$(MAKE) --no-print-directory mutants

# ---------------------------------------------------------------------------------------------------- the gate

check: ## formatting, lints, documentation, dependencies, template and its grants: what CI runs before the tests
	@$(MAKE) --no-print-directory --jobs 2 check-code check-rest
	@echo "check: all clean"

# Beside each other: for minutes the compiler is busy with the one crate of EC2 and leaves the other core to the tools.
check-code:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	cargo test --quiet --workspace --test template --test resources

check-rest: tools
	cfn-lint template.yaml infra/demo/traffic.yaml infra/demo/dns-and-messages.yaml infra/demo/orders.yaml
	sam validate --lint --template-file template.yaml
	cargo deny check bans licenses sources

# ---------------------------------------------------------------------------------------------------- more

bench: $(stamps) ## cold start, memory and the probe's round, as a table
	@cargo run -q -p understudy-tests --bin bench

# Deliberate mistakes in the protocol: a feature that only this test turns on.
mutants: ## let the simulator find deliberate mistakes in the protocol, one by one
	cargo test --workspace --features understudy-testkit/mutants --test mutants -- --nocapture

HISTORIES ?= 1000000
FIRST ?= 0
soak: ## histories of the simulator, as many as HISTORIES says (from the seed FIRST on)
	@cargo run -q --release -p understudy-testkit --bin soak -- $(HISTORIES) $(FIRST)

replay: ## the history of one SEED, shrunk if it fails, step by step in plain words
	@cargo run -q -p understudy-testkit --bin soak -- replay $(SEED)

schema: ## write docs/plan.schema.json and docs/RESOURCES.md anew from the code
	@cargo run -q -p understudy-core --example schema
	@cargo run -q -p understudy-testkit --example resources

deploy: functions ## build, and deploy into your own AWS account (asks before it changes anything)
	sam deploy --guided

clean: ## remove builds and the demo's leftovers; the tools stay (rm -r .tools removes those too)
	rm -rf target .aws-sam .local
