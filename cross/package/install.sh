#!/bin/sh
# Puts the agent onto a device, or takes it away again. Needs no more than BusyBox, and may be run any number of times.
#
#   install.sh [install] [--binary FILE] [--prefix DIR] [--init systemd|openrc|sysv]
#   install.sh uninstall [--prefix DIR] [--purge]
#
# FILE: the program, by default chouette-iot beside this script. DIR: by default /usr/local. --purge removes the
# settings too. With DESTDIR set everything goes below that directory, and nothing is started, stopped or enabled.
set -eu

NAME=chouette-iot
HERE=$(cd "$(dirname "$0")" && pwd)
DESTDIR=${DESTDIR:-}
PREFIX=/usr/local
BINARY=$HERE/$NAME
INIT=
PURGE=no
ACTION=install

fail() {
    echo "install.sh: $*" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    install | uninstall) ACTION=$1 ;;
    --purge) PURGE=yes ;;
    --binary | --prefix | --init)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --binary) BINARY=$2 ;;
        --prefix) PREFIX=$2 ;;
        --init) INIT=$2 ;;
        esac
        shift
        ;;
    *) fail "$1 is not known; see the beginning of $0" ;;
    esac
    shift
done
case $PREFIX in
/*) ;;
*) fail "--prefix $PREFIX: a path that begins with a slash is needed" ;;
esac

PROGRAM=$PREFIX/bin/$NAME
ENV_FILE=$DESTDIR/etc/$NAME.env
UNIT=$DESTDIR/etc/systemd/system/$NAME.service
SCRIPT=$DESTDIR/etc/init.d/$NAME
# Where BusyBox' init looks: everything in /etc/init.d that is called S and two digits.
RC_LINK=$DESTDIR/etc/init.d/S90$NAME

detected_init() {
    if [ -d "$DESTDIR/run/systemd/system" ]; then
        echo systemd
    elif [ -e "$DESTDIR/sbin/openrc-run" ]; then
        echo openrc
    else
        echo sysv
    fi
}

live() {
    [ -z "$DESTDIR" ]
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# Puts what comes in into its place in one step, so that a program that runs can be replaced.
put() {
    mkdir -p "$(dirname "$2")"
    cat >"$2.new"
    chmod "$1" "$2.new"
    mv -f "$2.new" "$2"
}

# A service names the program by its place.
put_service() {
    sed "s|/usr/bin/$NAME|$PROGRAM|g" "$2" | put "$1" "$3"
}

add_user() {
    if id "$NAME" >/dev/null 2>&1; then
        return
    elif has useradd; then
        useradd --system --no-create-home --home-dir /nonexistent --shell /bin/false "$NAME"
    elif has adduser; then
        # BusyBox
        adduser -S -D -H -h /nonexistent -s /bin/false "$NAME"
    else
        echo "no user $NAME can be added: the agent will run as root" >&2
    fi
}

install_env_file() {
    if [ -e "$ENV_FILE" ]; then
        return
    fi
    # It will hold a key, so nobody else may read it at any moment.
    (umask 077 && put 0600 "$ENV_FILE" <"$HERE/$NAME.env")
}

has_key() {
    grep -q '^ *API_KEY *=.' "$ENV_FILE"
}

do_install() {
    [ -f "$BINARY" ] || fail "$BINARY is missing; name the program with --binary"
    case ${INIT:=$(detected_init)} in
    systemd | openrc | sysv) ;;
    *) fail "--init $INIT is none of systemd, openrc, sysv" ;;
    esac
    put 0755 "$DESTDIR$PROGRAM" <"$BINARY"
    install_env_file
    case $INIT in
    systemd) put_service 0644 "$HERE/$NAME.service" "$UNIT" ;;
    openrc) put_service 0755 "$HERE/$NAME.openrc" "$SCRIPT" ;;
    sysv) put_service 0755 "$HERE/$NAME.init" "$SCRIPT" ;;
    esac
    if live; then
        enable_service
    fi
    echo "installed $DESTDIR$PROGRAM for $INIT; settings: $ENV_FILE"
    if ! has_key; then
        echo "put your API_KEY there, then start the service"
    fi
}

enable_service() {
    if [ "$INIT" != systemd ]; then
        add_user
        # systemd reads it as root, the others let the agent do so.
        if id "$NAME" >/dev/null 2>&1; then
            chown "$NAME" "$ENV_FILE"
        fi
    fi
    case $INIT in
    systemd)
        systemctl daemon-reload
        systemctl enable "$NAME"
        ;;
    openrc) rc-update add "$NAME" default ;;
    sysv)
        if has update-rc.d; then
            update-rc.d "$NAME" defaults
        elif has chkconfig; then
            chkconfig --add "$NAME"
        else
            ln -sf "$NAME" "$RC_LINK"
        fi
        ;;
    esac
    if has_key; then
        case $INIT in
        systemd) systemctl restart "$NAME" ;;
        openrc) rc-service "$NAME" restart ;;
        sysv) "$SCRIPT" restart ;;
        esac
    fi
}

disable_service() {
    if [ -e "$UNIT" ]; then
        systemctl disable --now "$NAME" || :
    fi
    if [ -e "$SCRIPT" ]; then
        "$SCRIPT" stop || :
        if has rc-update; then
            rc-update del "$NAME" || :
        elif has chkconfig; then
            chkconfig --del "$NAME" || :
        fi
    fi
}

do_uninstall() {
    if live; then
        disable_service
    fi
    rm -f "$DESTDIR$PROGRAM" "$UNIT" "$SCRIPT" "$RC_LINK"
    if live && has update-rc.d; then
        update-rc.d "$NAME" remove
    fi
    if live && [ -d /run/systemd/system ]; then
        systemctl daemon-reload
    fi
    if [ "$PURGE" = yes ]; then
        rm -f "$ENV_FILE" "$DESTDIR/var/log/$NAME.log"
        rm -rf "$DESTDIR/var/lib/$NAME" "$DESTDIR/var/lib/private/$NAME"
        echo "removed $NAME and its settings"
    else
        echo "removed $NAME; its settings stay in $ENV_FILE"
    fi
}

"do_$ACTION"
