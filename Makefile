# Everything that is done with this tree. Each target installs what it needs (scripts/setup) and keeps build output
# outside the checkout, so that a fresh clone builds what has changed and no more.

CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/footlight/target
export CARGO_TARGET_DIR
# Failpoints are compiled into what is tested: a frame can then ask to crash its decoder.
TEST_FEATURES := --features failpoints
FUZZ_SECONDS ?= 5

.PHONY: run install test lint web fuzz-build fuzz setup setup-lint setup-test fmt help bench-compose bench-ingest bench-isolation bench-latency soak-browser \
	soak-connects soak-joins soak-lip-sync soak-players soak-return soak-simulcast soak-sixteen setup-players

run: setup web ## Build, go live with the demo room, print its links
	@echo "building; the first time takes some minutes"
	@cargo run --release --quiet -- demo

install: setup web ## Put the footlight command into ~/.cargo/bin
	cargo install --locked --path .

test: setup-test web ## Everything that CI runs, but for the lints
	cargo nextest run --workspace $(TEST_FEATURES)
	cargo test --workspace --doc $(TEST_FEATURES)
	$(MAKE) fuzz

lint: setup-lint web ## Format, clippy, licences and duplicates of what is depended on, types of the pages
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(TEST_FEATURES) -- -D warnings
	cargo deny check --hide-inclusion-graph licenses bans sources
	cd web && npm run --silent lint

fmt:
	cargo fmt --all

web: web/dist/.built ## The pages, embedded in the binary

web/dist/.built: web/package-lock.json $(wildcard web/*.html web/src/* web/src/*/* web/*.json web/*.js)
	cd web && npm install --no-save --no-audit --no-fund --loglevel=error && npm run --silent build
	touch $@

fuzz-build: setup-test ## All fuzz targets, built
	scripts/fuzz build

fuzz: setup-test ## Each fuzz target for FUZZ_SECONDS
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz run

bench-compose: setup-test web ## Composing and encoding, against the ffmpeg command line
	cargo bench --bench compose

bench-ingest: setup-test web ## CPU and memory per publisher
	cargo bench --bench ingest

bench-latency: setup-test web ## From a frame's being sent to its being seen, three minutes a case
	cargo bench --bench latency

bench-isolation: setup-test web ## What the child process of a live stream costs
	cargo bench --bench isolation

soak-browser: setup-test web ## Browser, aiortc and FFmpeg to a browser, a minute each and together
	WATCH_SECONDS=60 cargo nextest run --profile soak -p footlight $(TEST_FEATURES) a_camera_in_a_browser

soak-lip-sync: setup-test web ## Lip sync around a mute of 30 s
	MUTE_SECONDS=30 cargo nextest run --profile soak -p footlight $(TEST_FEATURES) lip_sync --success-output=immediate

soak-players: setup-test setup-players web ## Players of others, a minute each, with changes of rung
	PLAYER_SECONDS=60 cargo nextest run --profile soak -p footlight $(TEST_FEATURES) players_change_rungs --success-output=immediate

soak-simulcast: setup-test web ## Simulcast through loss and a narrow place, half a minute each, in H.264 and VP8
	SIMULCAST_SECONDS=30 cargo nextest run --profile soak -p footlight $(TEST_FEATURES) simulcast_survives --success-output=immediate

soak-connects: setup-test ## 10,000 WHIP connects and closes leave nothing behind
	STAGE_CONNECTS=10000 cargo nextest run --profile soak -p footlight-stage --test leaves_nothing_behind --success-output=immediate

soak-return: setup-test web ## A publisher that is away for 90 s
	AWAY_SECONDS=90 cargo nextest run --profile soak -p footlight $(TEST_FEATURES) publishers_come_and_go

soak-joins: setup-test web ## People who come and go at random for 30 minutes leave nothing behind
	JOINS_BLOCKS=6 cargo nextest run --profile soak -p footlight $(TEST_FEATURES) whoever_comes_and_goes --success-output=immediate

soak-sixteen: setup-test web ## Sixteen people in step on two cores for ten minutes
	STAGE_SECONDS=600 cargo nextest run --profile soak -p footlight $(TEST_FEATURES) sixteen_people --success-output=immediate

setup:
	@scripts/setup build

setup-test:
	@scripts/setup test

setup-players: setup-test
	@scripts/setup players

setup-lint:
	@scripts/setup lint

help: ## This
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18
