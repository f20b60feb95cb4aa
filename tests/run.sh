#!/usr/bin/env bash
# Installs what the tests need and runs all of them. For Debian 12 with Rust; works from any directory.
#
#   tests/run.sh [ARGUMENTS OF cargo test]
#
# With CI=true a test that cannot run fails; otherwise it says why it was skipped.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=../cross/apt.sh
. cross/apt.sh

readonly CLIENTS=('chouette-iot-client==0.0.1' 'datadog==0.56.0')
readonly VENV=target/venv
# Building from nothing on a slow board takes longer than the tests themselves.
readonly TEST_LIMIT=${CHOUETTE_TEST_LIMIT:-40m}

# program → Debian package
missing_packages() {
    command -v cc >/dev/null || printf '%s\n' gcc libc6-dev
    # Bash has a `kill` of its own; the tests need the program.
    type -P kill >/dev/null || echo procps
    command -v ip >/dev/null || echo iproute2
    command -v redis-server >/dev/null || echo redis-server
    # A wall clock that tests can set.
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || echo faketime
    command -v victoria-metrics >/dev/null || echo victoria-metrics
    # A device of the tests has nothing but a static BusyBox.
    { command -v busybox && ! ldd "$(command -v busybox)"; } &>/dev/null || echo busybox-static
    command -v shellcheck >/dev/null || echo shellcheck
    command -v systemd-analyze >/dev/null || echo systemd
    python3 -c 'import yaml' 2>/dev/null || echo python3-yaml
    if [[ -z ${CHOUETTE_TEST_PYTHON:-} && ! -x $VENV/bin/python ]]; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    fi
}

install_packages() {
    local packages=("$@")
    if ! command -v apt-get >/dev/null || ! as_root true 2>/dev/null; then
        echo "not installed, and neither root nor sudo to install it: ${packages[*]}" >&2
        echo "    apt-get install --no-install-recommends ${packages[*]}" >&2
        return
    fi
    # The services that the packages start are none of the tests' business: each test has servers of its own.
    apt_install "${packages[@]}" ||
        echo "could not install ${packages[*]}" >&2
}

install_clients() {
    if [[ -n ${CHOUETTE_TEST_PYTHON:-} ]] || REDIS_HOST=localhost "$VENV/bin/python" -c 'import chouette_iot_client, datadog' 2>/dev/null; then
        return
    fi
    echo "installing ${CLIENTS[*]} into $VENV"
    timeout "$INSTALL_LIMIT" python3 -m venv --clear "$VENV" &&
        timeout "$INSTALL_LIMIT" "$VENV/bin/pip" install --quiet --disable-pip-version-check "${CLIENTS[@]}" ||
        echo "could not install ${CLIENTS[*]}" >&2
}

main() {
    local packages
    mapfile -t packages < <(missing_packages)
    if ((${#packages[@]})); then
        install_packages "${packages[@]}"
    fi
    install_clients

    mkdir -p target
    local log
    log=$(mktemp target/tests.XXXXXX)
    # shellcheck disable=SC2064 # the name is to be put in now
    trap "rm -f '$log'" EXIT
    # Most tests wait for something most of the time: more of them at once than there are processors.
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-8}
    # The commands of the README run what its first one builds.
    if [[ -n ${CI:-} ]]; then
        cargo build --release --locked
    fi
    local code=0
    local limit=(timeout --kill-after=30s)
    if [[ -t 0 ]]; then
        # Lets Ctrl-C reach the tests.
        limit+=(--foreground)
    fi
    "${limit[@]}" "$TEST_LIMIT" cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log" || code=$?
    if ((code == 124)); then
        echo "the tests took longer than $TEST_LIMIT" >&2
    fi
    # The arguments pick tests; without any, everything runs.
    if (($# == 0)); then
        tests/faults.sh 2>&1 | tee -a "$log" || code=$?
    fi

    echo
    # The line may stand behind the name of the test.
    grep --only-matching 'skipped: .*' "$log" | sort -u || echo 'nothing was skipped'
    return "$code"
}

main "$@"
