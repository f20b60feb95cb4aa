#!/usr/bin/env bash
# The promises under fault: runs tests/faults and prints what it measured as a table. Works from any directory.
#
#   tests/faults.sh [NAME OF A TEST]
#
# What it needs is installed by tests/run.sh, which runs it last.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly LIMIT=${CHOUETTE_FAULTS_LIMIT:-20m}

# Lines 'figure: GROUP | WHAT | VALUE' as a table, whatever stands before them.
table() {
    grep --only-matching 'figure: .*' "$1" | cut -d' ' -f2- | LC_ALL=C sort |
        awk -F ' [|] ' '{ printf "%-14s  %-58s  %s\n", $1 == last ? "" : $1, $2, $3; last = $1 }'
}

main() {
    mkdir -p target
    local log code=0
    log=$(mktemp target/faults.XXXXXX)
    # shellcheck disable=SC2064 # the name is to be put in now
    trap "rm -f '$log'" EXIT
    local run=(timeout --kill-after=30s "$LIMIT" cargo test --locked --test faults --)
    if (($#)); then
        "${run[@]}" "$@" 2>&1 | tee "$log" || code=$?
    else
        # How late a timer is can only be measured where nothing else keeps the processors busy.
        "${run[@]}" --test-threads 4 --skip stalled:: 2>&1 | tee "$log" || code=$?
        "${run[@]}" --test-threads 4 stalled:: 2>&1 | tee -a "$log" || code=$?
    fi
    echo
    table "$log" || echo 'nothing was measured'
    return "$code"
}

main "$@"
