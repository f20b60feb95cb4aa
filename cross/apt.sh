# shellcheck shell=bash
# Sourced by the scripts that bring what they need: installs packages of Debian, as root or by sudo.

readonly INSTALL_LIMIT=10m

as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo --non-interactive "$@"; fi
}

# apt_install PACKAGE…
apt_install() {
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@")
    echo "installing $*" >&2
    as_root timeout "$INSTALL_LIMIT" "${install[@]}" >/dev/null ||
        { as_root timeout "$INSTALL_LIMIT" apt-get update -qq && as_root timeout "$INSTALL_LIMIT" "${install[@]}" >/dev/null; }
}
