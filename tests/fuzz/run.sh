#!/usr/bin/env bash
# Fuzzes with libFuzzer, one target after the other. Needs a nightly Rust, a C++ compiler and cargo-fuzz
# (`cargo install cargo-fuzz --locked`). Works from any directory.
#
#   tests/fuzz/run.sh [SECONDS [TARGET …]]      600 seconds of each target where nothing is said
#
# What it learns stays under target/fuzz, as do the inputs that are findings. Ends with a line for each target.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"

readonly SECONDS_EACH=${1:-600}
readonly STATE=${FUZZ_STATE:-$PWD/../../target/fuzz}
readonly INPUT_BYTES_MAX=20000
# Nothing that comes in makes the agent ask for so much at once.
readonly ALLOCATION_MB_MAX=64

fuzz() {
    local target=$1 found=$STATE/corpus/$1 findings=$STATE/findings/$1
    mkdir -p "$found" "$findings"
    cargo +nightly fuzz run --fuzz-dir . --target-dir "$STATE/build" "$target" "$found" "corpus/$target" -- \
        -dict="dictionaries/$target.dict" -artifact_prefix="$findings/" -max_total_time="$SECONDS_EACH" \
        -max_len="$INPUT_BYTES_MAX" -malloc_limit_mb="$ALLOCATION_MB_MAX" -timeout=10 -print_final_stats=1 \
        >"$STATE/$target.log" 2>&1
}

shift || true
targets=("$@")
if ((${#targets[@]} == 0)); then
    mapfile -t targets < <(cargo +nightly fuzz list --fuzz-dir .)
fi
mkdir -p "$STATE"
code=0
for target in "${targets[@]}"; do
    outcome='no finding'
    fuzz "$target" || { outcome="FINDING, or it did not run: see $STATE/$target.log"; code=1; }
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$STATE/$target.log" | tail -n 1)
    printf '%-14s %12s runs  %s\n' "$target" "${runs:-0}" "$outcome"
done
exit "$code"
