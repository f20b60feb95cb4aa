#!/usr/bin/env bash
# Builds the static binaries of cross/targets and holds each against cross/size-budget.
#
#   cross/build.sh [TARGET|all]        default: all
#
# What it needs it brings: zig as C compiler and linker (from PyPI, into target/zig), and a compiler with the sources
# of its standard library (rustup's where it is new enough, else Debian's pair of packages). Prints size and SHA-256
# of each binary; fails when one is over its budget.
#
# CARGO_TARGET_DIR is where it builds; SOURCE_DATE_EPOCH the date put in, that of the commit if unset; ZIG_PYTHON a
# Python that has zig already.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=apt.sh
. cross/apt.sh

# Later wheels put an allocator of zig's own in place of musl's, which costs 200 kB of memory.
readonly ZIG='ziglang==0.15.2'
readonly DEBIAN_RUSTC=/usr/bin/rustc
# The first whose standard library can be told that musl has 64 bits for the time, see `build`.
readonly RUST_MIN=1.96.0
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export ZIG_PYTHON=${ZIG_PYTHON:-$PWD/target/zig/bin/python}

need_zig() {
    if "$ZIG_PYTHON" -m ziglang version >/dev/null 2>&1; then
        return
    fi
    echo "installing $ZIG into target/zig" >&2
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    python3 -m venv target/zig
    ZIG_PYTHON=$PWD/target/zig/bin/python
    timeout "$INSTALL_LIMIT" "$ZIG_PYTHON" -m pip install --quiet --disable-pip-version-check "$ZIG"
}

has_sources() {
    [[ -d $("$1" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std ]]
}

is_new_enough() {
    local version
    version=$("$1" --version | cut -d' ' -f2)
    printf '%s\n' "$RUST_MIN" "$version" | sort --check=quiet --version-sort
}

# Says which compiler has the sources of its standard library.
find_rustc() {
    local rustc
    if rustc=$(rustup which rustc 2>/dev/null) && is_new_enough "$rustc"; then
        if has_sources "$rustc" || timeout "$INSTALL_LIMIT" rustup component add rust-src >/dev/null 2>&1; then
            echo "$rustc"
            return
        fi
    fi
    # The sources have to be those of the compiler; Debian ships the two as a pair.
    has_sources "$DEBIAN_RUSTC" || apt_install rustc-web rust-web-src
    if ! is_new_enough "$DEBIAN_RUSTC"; then
        echo "cross/build.sh: needs rustc $RUST_MIN with its sources" >&2
        return 1
    fi
    echo "$DEBIAN_RUSTC"
}

inline_threshold() {
    case $1 in
    arm*) echo 20 ;;
    *) echo 26 ;;
    esac
}

# The standard library is built here, not fetched: the one that `rustup target add` gives is 290 kB larger, and one
# that was not told otherwise panics on 32 bits when it is asked for the time after January 2038.
build() {
    local target=$1 rustc=$2 sysroot=$3 started=$SECONDS rustflags crates
    rustflags='-Clink-self-contained=no'
    # Small functions are inlined even where size counts: calls to some of them take more bytes than they do. The more
    # of them, the faster, up to what the budgets allow; how much is told in tests/bench/README.md.
    rustflags+=" -Cllvm-args=--inline-threshold=$(inline_threshold "$target")"
    # Nothing unwinds and nothing prints a backtrace.
    rustflags+=' -Cforce-unwind-tables=no'
    # Of a derived Debug only the name is written: what a person is to read has words of its own.
    rustflags+=' -Zfmt-debug=shallow'
    # A panic, which no input leads to, says what, but not where.
    rustflags+=' -Zlocation-detail=none'
    # The musl that zig brings has 64 bits for the time on every target. The first is for the crate libc, the variable
    # below for the older one inside the standard library.
    rustflags+=' --cfg=libc_unstable_musl_v1_2'
    # What many functions do alike becomes one they call, where that saves 8 bytes. LLVM does it of itself on aarch64;
    # on 32 bits nothing else makes as much room for as little time, and on x86_64 less inlining does.
    if [[ $target == arm* ]]; then
        rustflags+=' -Cllvm-args=-enable-machine-outliner=always -Cllvm-args=-outliner-benefit-threshold=8'
    fi
    # No path of this machine stands in the binary: those of crates begin with their names. The directories of the
    # registries are there once the crates are.
    cargo fetch --locked --quiet || return 1
    rustflags+=" --remap-path-prefix=$PWD=."
    for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/ "$sysroot/lib/rustlib/src/rust/library/"; do
        rustflags+=" --remap-path-prefix=$crates="
    done
    RUSTFLAGS=$rustflags RUSTC=$rustc RUSTC_BOOTSTRAP=1 RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1 \
        cargo build --release --locked --quiet --target "$target" \
        -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size || return 1
    report "$target" "$CARGO_TARGET_DIR/$target/release/chouette-iot" $((SECONDS - started))
}

# Prints a line about a binary; fails where it is larger than its line of cross/size-budget.
report() {
    local target=$1 binary=$2 seconds=$3 size budget
    size=$(stat -c %s "$binary")
    budget=$(awk -v target="$target" '$1 == target { print $2 }' cross/size-budget)
    printf '%-30s  %7d of %7d bytes  %s  (%d s)\n' "$target" "$size" "${budget:-0}" \
        "$(sha256sum "$binary" | cut -d' ' -f1)" "$seconds"
    if ((size > ${budget:-0})); then
        echo "cross/build.sh: $target is over its budget in cross/size-budget" >&2
        return 1
    fi
}

main() {
    local wanted=${1:-all} targets target rustc sysroot code=0
    targets=$(awk -v wanted="$wanted" '!/^#/ && NF && (wanted == "all" || wanted == $1) { print $1 }' cross/targets)
    if [[ -z $targets ]]; then
        echo "cross/build.sh: $wanted is none of cross/targets" >&2
        exit 2
    fi
    # Two builds of one commit give the same bytes.
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
    export SOURCE_DATE_EPOCH
    need_zig
    rustc=$(find_rustc)
    sysroot=$("$rustc" --print sysroot)
    "$rustc" --version
    for target in $targets; do
        build "$target" "$rustc" "$sysroot" || code=1
    done
    return "$code"
}

main "$@"
