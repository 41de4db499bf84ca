# make demo   build; let a drawing dance, then render a clip of a puppet with the built-in model, and draw the true clip beside it: demo/
# make test   everything that must pass: formatting, lints, tests
# make bench  benchmarks
# make deb    a Debian package, with manual pages and completions (needs cargo-deb)
# Each installs first what this machine lacks (scripts/install-needs.sh); only Rust has to be there.

export PATH := $(PATH):$(HOME)/.cargo/bin
TARGET := $(or $(CARGO_TARGET_DIR),target)
PYTHON ?= python3
DRAFT := demo/draft.mp4
CLIP := demo/wave.mp4
SHEET := demo/wave.sheet.png
TRUTH := demo/truth.mp4

.PHONY: demo test lint bench deb fixtures install-needs

demo: install-needs
	cargo build --release
	mkdir -p demo
	$(TARGET)/release/dreamtuner draft --reference examples/police.png --pose tests/footage/balance.mp4 --background dance -o $(DRAFT) --sheet --overwrite
	$(TARGET)/release/dreamtuner puppet clip --seed 1000023 --dance wave --fps 12 -o $(TRUTH) --poses demo/wave.json --overwrite
	$(TARGET)/release/dreamtuner animate --reference examples/hero.png --reference-pose examples/hero.pose.json \
	    --prompt "smile, white background" --pose demo/wave.json -o $(CLIP) --compare --sheet --overwrite
	@echo "draft:         $(DRAFT)"
	@echo "clip:          $(CLIP)"
	@echo "contact sheet: $(SHEET)"
	@echo "the truth:     $(TRUTH)"

# The tests of networks in ONNX files run the ONNX Runtime of RUNTIME, where no other is named.
test: RUNTIME := $(abspath $(TARGET))/onnxruntime
test: install-needs lint
	export ORT_DYLIB_PATH="$${ORT_DYLIB_PATH:-$$(ls $(RUNTIME)/libonnxruntime.*)}"; \
	    if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --release --workspace; \
	    else cargo test --release --workspace --tests; fi
	cargo test --release --workspace --doc
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps
	cargo clippy --release --no-default-features --lib --benches -- -D warnings

lint: install-needs
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; fi

bench: install-needs
	cargo bench --workspace

deb: install-needs
	cargo build --release
	$(TARGET)/release/dreamtuner man $(TARGET)/man --overwrite
	mkdir -p $(TARGET)/completions
	$(TARGET)/release/dreamtuner completions bash > $(TARGET)/completions/dreamtuner.bash
	$(TARGET)/release/dreamtuner completions fish > $(TARGET)/completions/dreamtuner.fish
	$(TARGET)/release/dreamtuner completions zsh > $(TARGET)/completions/_dreamtuner
	cargo deb --no-build --strip

# Rewrites the reference numbers of the tests; needs Python with the packages that each script names.
fixtures:
	$(PYTHON) tests/fixtures/all.py

install-needs:
	@sh scripts/install-needs.sh $(RUNTIME)
