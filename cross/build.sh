#!/usr/bin/env bash
# Builds the static binaries of cross/targets.
#
#   cross/build.sh [TARGET|all]        default: all
#
# What it needs it brings: zig as C compiler and linker (from PyPI, into target/zig), and the standard library of
# each target, by rustup where that can add it, else built from Debian's sources. Prints size and SHA-256 of each.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Later wheels put an allocator of zig's own in place of musl's, which costs 200 kB of memory.
readonly ZIG='ziglang==0.15.2'
readonly DEBIAN_RUSTC=/usr/bin/rustc
export ZIG_PYTHON=${ZIG_PYTHON:-$PWD/target/zig/bin/python}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo --non-interactive "$@"; fi
}

need_zig() {
    if [[ ! -x $ZIG_PYTHON ]]; then
        python3 -m venv target/zig
    fi
    "$ZIG_PYTHON" -m ziglang version >/dev/null 2>&1 ||
        "$ZIG_PYTHON" -m pip install --quiet --disable-pip-version-check "$ZIG"
}

# Compiler and sources must be of one version; Debian ships them as a pair.
need_debian_rust() {
    if [[ ! -d $("$DEBIAN_RUSTC" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library ]]; then
        as_root apt-get install -y -qq --no-install-recommends rustc-web rust-web-src >/dev/null
    fi
}

build() {
    local target=$1 started=$SECONDS rustflags
    local cargo=(cargo build --release --locked --target "$target")
    # No path of this machine stands in the binary.
    rustflags="-Clink-self-contained=no --remap-path-prefix=$PWD=."
    rustflags+=" --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=crates"
    if rustup target add "$target" >/dev/null 2>&1; then
        RUSTFLAGS=$rustflags "${cargo[@]}" --quiet
    else
        need_debian_rust
        rustflags+=" --remap-path-prefix=$("$DEBIAN_RUSTC" --print sysroot)/lib/rustlib/src/rust=std"
        RUSTFLAGS=$rustflags RUSTC=$DEBIAN_RUSTC RUSTC_BOOTSTRAP=1 "${cargo[@]}" --quiet \
            -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
    fi
    local binary=target/$target/release/chouette-iot
    printf '%-32s %9d bytes  %s  (%d s)\n' "$target" "$(stat -c %s "$binary")" \
        "$(sha256sum "$binary" | cut -d' ' -f1)" $((SECONDS - started))
}

main() {
    local wanted=${1:-all} target known=no
    # Two builds of one commit give the same bytes.
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
    export SOURCE_DATE_EPOCH
    need_zig
    while read -r target _; do
        if [[ $wanted == all || $wanted == "$target" ]]; then
            known=yes
            build "$target"
        fi
    done < <(grep -v '^#' cross/targets)
    if [[ $known == no ]]; then
        echo "cross/build.sh: $wanted is none of cross/targets" >&2
        exit 2
    fi
}

main "$@"
