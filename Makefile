# The commands of daily work. What they do stands in the scripts that they call.

.PHONY: run test test-long check bench e2e openapi fmt

# A demonstration server on embedded SQLite, with sample data and calls to paste.
run:
	cargo run --release -- demo

# Every suite on both engines, with the real SDK, nginx, Caddy and Chromium.
test:
	scripts/test

# The same with more rounds and more rows.
test-long:
	scripts/test-long

# Formatting, lints and the tidy test.
check:
	scripts/check

# One table of what the hot path costs; see docs/performance.md.
bench:
	scripts/install-test-tools
	scripts/postgres run cargo bench -p claviger-server

# Only the tests that run the real binary against real clients, proxies and a browser.
e2e:
	scripts/install-test-tools
	scripts/postgres run scripts/wire
	scripts/e2e

# Writes the committed OpenAPI document anew from the code.
openapi:
	document=$$(cargo run --quiet -- openapi) && printf '%s\n' "$$document" > docs/openapi/native.json

fmt:
	cargo fmt --all
