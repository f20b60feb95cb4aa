#!/usr/bin/env bash
# What each dependency costs in the binary of a target: the bytes of its functions and constants, by the crate that a
# symbol's name begins with. A generic function counts for the crate that wrote it, not the one that asked for it.
#
#   cross/costs.sh [TARGET]            default: aarch64-unknown-linux-musl
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Lines 'SIZE CRATE'.
by_crate() {
    nm --print-size --radix=d --demangle "$1" | awk '
        # address, size, kind, name; what takes no room in the file is of the kinds b and B
        $2 ~ /^[0-9]+$/ && length($3) == 1 && $3 !~ /[bB]/ {
            size = $2 + 0
            total += size
            name = substr($0, index($0, " " $3 " ") + 3)
            if (match(name, /[a-z_][a-z0-9_]*::/)) {
                crate = substr(name, RSTART, RLENGTH - 2)
            } else if (name ~ /^OUTLINED_FUNCTION/) {
                crate = "(shared pieces)"
            } else if (name ~ /^\.Lanon/) {
                crate = "(texts and tables)"
            } else if (name ~ /ring_core|nistz|fiat_|_nohw|bsaes|aesni|mulx?4x|^fe_|^ge_|25519|gcm|ghash/) {
                # its C and assembly
                crate = "ring"
            } else {
                crate = "musl"
            }
            if (crate ~ /^(core|alloc|std|hashbrown|compiler_builtins|libunwind)$/) crate = "std"
            bytes[crate] += size
        }
        END { for (crate in bytes) print bytes[crate], crate; print total, "(all with a name)" }'
}

main() {
    # A directory of its own: the stripped binary stays as it is.
    local target=${1:-aarch64-unknown-linux-musl} directory=${CARGO_TARGET_DIR:-$PWD/target}/costs binary
    binary=$directory/$target/release/chouette-iot
    rm -f "$binary"
    # With its symbols it is over the budget.
    CARGO_TARGET_DIR=$directory CARGO_PROFILE_RELEASE_STRIP=none cross/build.sh "$target" >/dev/null 2>&1 || [[ -f $binary ]]
    by_crate "$binary" | sort --numeric-sort --reverse
    size --format=sysv "$binary" | awk '/^\.(text|rodata|data\.rel\.ro|eh_frame|ARM\.)/ { print $2, "section", $1 }'
}

main "$@"
