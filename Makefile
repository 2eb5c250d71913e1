# Septet's two commands are `make demo` and `make test`; the rest is what they are made of.
# Programs are left in target/release and run from there.

CARGO ?= cargo
PROFILE = --release
OUT = target/release
SETUP = sh host-setup/setup.sh

.PHONY: demo test build setup setup-test bench lint clean-demo

# Sets up, builds, measures, reports.
demo: setup build
	$(OUT)/septet run experiments/quick.toml

# Sets up, runs every test.
test: setup-test build
	SEPTET_GEN=$(CURDIR)/$(OUT)/septet-gen $(CARGO) test $(PROFILE) --workspace --quiet
	cd generators && CARGO_TARGET_DIR=$(CURDIR)/target/generators $(CARGO) test $(PROFILE) --workspace --quiet
	sh generators/tests/reproducible.sh

build:
	$(CARGO) build $(PROFILE) --workspace --bins
	sh generators/build.sh target/generators $(OUT)

# What measuring needs of the system.
setup:
	$(SETUP) measure

# What the tests need besides.
setup-test:
	$(SETUP) measure test

bench: setup-test build
	sh benches/run.sh

lint:
	$(CARGO) fmt --all --check
	cd generators && $(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	cd generators && CARGO_TARGET_DIR=$(CURDIR)/target/generators $(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
	cd generators && CARGO_TARGET_DIR=$(CURDIR)/target/generators RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
