# The chores of this repository. Each recipe can be typed by hand as it stands.

# The target of the released binaries.
musl := "x86_64-unknown-linux-musl"

# Show the recipes.
default:
    @just --list

# Format, lint, test, document, and check the dependencies (if cargo-deny is there).
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo test
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
    if command -v cargo-deny >/dev/null; then cargo deny check; else echo "cargo-deny is absent: not checked"; fi

# Check the types and lints of the macOS side. Nothing is linked or run.
check-macos:
    rustup target add aarch64-apple-darwin
    cargo clippy --target aarch64-apple-darwin --lib --bins -- -D warnings

# Build the static binaries in target/x86_64-unknown-linux-musl/release (flags: .cargo/config.toml).
static:
    rustup target add {{musl}}
    cargo build --release --target {{musl}} --bins

# Package the static binaries in target/package: a .deb and a tarball for each architecture, or for the one named.
package *architectures: static
    scripts/package.sh {{architectures}}

# Measure the static binaries against other tools: `just bench`, `just bench spawn latency`.
bench *sections: static
    benches/install-peers.sh
    cargo bench --bench peers -- {{sections}}

# Install what the tests call besides cargo (Debian, Ubuntu).
install-test-tools:
    scripts/install-test-tools.sh
