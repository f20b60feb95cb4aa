#!/usr/bin/env bash
# Makes the Debian package of each target that cross/build.sh has built, and checks it: what it holds, and that it can
# be installed, upgraded, removed and purged.
#
#   cross/package/deb.sh [TARGET|all]        default: all that are built
#
# Needs Debian, root for the installation, and cargo-deb, which it installs into target/cargo-deb where it is missing.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly CARGO_DEB_VERSION=3.8.0
readonly OUT=target/debian

# Rust's name of a machine → Debian's. Debian's armhf wants ARMv7; for a Pi Zero or 1, Raspberry Pi OS calls ARMv6 so
# as well, hence two packages of one architecture, told apart by the name of their file.
architecture() {
    case $1 in
    x86_64-*) echo amd64 ;;
    aarch64-*) echo arm64 ;;
    armv7-* | arm-*) echo armhf ;;
    *) return 1 ;;
    esac
}

need_cargo_deb() {
    PATH=$PWD/target/cargo-deb/bin:$PATH
    if ! command -v cargo-deb >/dev/null; then
        echo "installing cargo-deb $CARGO_DEB_VERSION into target/cargo-deb"
        cargo install --quiet --locked --version "$CARGO_DEB_VERSION" --root target/cargo-deb cargo-deb
    fi
}

check_contents() {
    local deb=$1 wanted listed
    listed=$(dpkg-deb --contents "$deb" | awk '{ print $1, $2, $6 }')
    for wanted in \
        '-rwxr-xr-x 0/0 ./usr/bin/chouette-iot' \
        '-rwxr-xr-x 0/0 ./etc/init.d/chouette-iot' \
        '-rw-r--r-- 0/0 ./usr/lib/systemd/system/chouette-iot.service' \
        '-rw-r--r-- 0/0 ./usr/share/chouette-iot/chouette-iot.env' \
        '-rw-r--r-- 0/0 ./usr/share/doc/chouette-iot/copyright'; do
        if ! grep -qxF -- "$wanted" <<<"$listed"; then
            printf '%s lacks %s; it holds\n%s\n' "$deb" "$wanted" "$listed" >&2
            return 1
        fi
    done
    [[ $(dpkg-deb --field "$deb" Depends) == '' ]] || { echo "$deb depends on something" >&2 && return 1; }
}

# dpkg runs the package's scripts inside the directory it installs into: that needs a shell, no more.
check_installation() (
    local deb=$1 root busybox program
    if [[ $(id -u) -ne 0 ]] || ! busybox=$(command -v busybox) || ldd "$busybox" >/dev/null 2>&1; then
        echo "$deb is not installed for a test: that needs root and busybox-static" >&2
        exit
    fi
    root=$(mktemp -d)
    # shellcheck disable=SC2064 # the name is to be put in now
    trap "rm -rf '$root'" EXIT
    mkdir -p "$root"/{bin,usr/bin,etc,var/log} "$root"/var/lib/dpkg/{info,updates,triggers}
    : >"$root/var/lib/dpkg/status"
    printf 'root:x:0:0:root:/:/bin/sh\n' >"$root/etc/passwd"
    cp "$busybox" "$root/bin/busybox"
    while read -r program; do
        [[ $program == busybox ]] || ln -s busybox "$root/bin/$program"
    done < <("$busybox" --list)
    # What the scripts call on a Debian with systemd; here it only has to be there.
    printf '#!/bin/sh\necho "$@" >>/calls\n' >"$root/bin/deb-systemd-helper"
    chmod +x "$root/bin/deb-systemd-helper"
    mkdir -p "$root/dev" && : >"$root/dev/null"
    local dpkg=(dpkg --root="$root" --log="$root/var/log/dpkg.log" --force-architecture)

    # It warns of another architecture and of an /etc that is not empty afterwards.
    exec 2> >(grep -v '^dpkg: warning' >&2)
    "${dpkg[@]}" --install "$deb" >/dev/null
    grep -qx 'enable chouette-iot.service' "$root/calls"
    [[ $(stat -c %a "$root/etc/chouette-iot.env") == 600 ]]
    cmp "$root/etc/chouette-iot.env" cross/package/chouette-iot.env
    echo 'API_KEY=mine' >"$root/etc/chouette-iot.env"
    # Once more is an upgrade.
    "${dpkg[@]}" --install "$deb" >/dev/null
    [[ $(cat "$root/etc/chouette-iot.env") == API_KEY=mine ]]
    "${dpkg[@]}" --remove chouette-iot >/dev/null
    [[ ! -e $root/usr/bin/chouette-iot && -e $root/etc/chouette-iot.env ]]
    "${dpkg[@]}" --purge chouette-iot >/dev/null
    [[ ! -e $root/etc/chouette-iot.env && ! -e $root/etc/init.d/chouette-iot ]]
)

package() {
    local target=$1 version deb
    version=$(sed -n 's/^version = "\(.*\)"/\1/p;/^version/q' Cargo.toml)
    deb=$OUT/chouette-iot_${version}_$(architecture "$target")${2:-}.deb
    mkdir -p "$OUT"
    cargo-deb --quiet --no-build --no-strip --locked --target "$target" --output "$deb" >/dev/null
    check_contents "$deb"
    check_installation "$deb"
    printf '%-56s %9d bytes  %s\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
}

main() {
    local wanted=${1:-all} target made=no
    # Two packages of one commit are the same.
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
    export SOURCE_DATE_EPOCH
    need_cargo_deb
    while read -r target _; do
        if [[ $wanted == all || $wanted == "$target" ]] && [[ -x target/$target/release/chouette-iot ]]; then
            case $target in
            arm-*) package "$target" _armv6 ;;
            *) package "$target" ;;
            esac
            made=yes
        fi
    done < <(grep -v '^#' cross/targets)
    if [[ $made == no ]]; then
        echo "cross/package/deb.sh: nothing is built for $wanted; run cross/build.sh first" >&2
        exit 2
    fi
}

main "$@"
