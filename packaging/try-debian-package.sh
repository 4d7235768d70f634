#!/bin/sh
# Tries a Debian package of the kiosk on a bare system: installs an older version, makes a visit, upgrades, makes
# another visit, shows the window on a virtual screen, and removes the package.
#
#   packaging/try-debian-package.sh PACKAGE.deb
#
# Run it as root in a container or chroot that you throw away afterwards.
set -eu
package=$(realpath "${1:?name the package}")
export DEBIAN_FRONTEND=noninteractive
work=$(mktemp -d)
screen=
kiosk=
clean_up() {
    for process in $kiosk $screen; do
        kill "$process" 2>/dev/null || :
    done
    wait
    rm -rf "$work"
}
trap clean_up EXIT
export HOME="$work/home"
mkdir "$HOME"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
install_packages() {
    apt-get install -y -q --no-install-recommends "$@" >>"$work/apt.log" 2>&1 || {
        tail -n 40 "$work/apt.log" >&2
        fail "apt-get install $*"
    }
}
installed_version() {
    dpkg-query --show --showformat '${Version}' copresence-kiosk
}
make_visit() {
    copresence --out "$work/avatars" visit --auto --speed 20 >"$work/visit.log" 2>&1 || {
        cat "$work/visit.log" >&2
        fail "a visit with the simulated backend"
    }
}

. /etc/os-release
echo "== $PRETTY_NAME"
apt-get update -q >"$work/apt.log" 2>&1 || fail "apt-get update"

echo "== Install an older version: the same files as version 0.0.1"
dpkg-deb --raw-extract "$package" "$work/older"
sed -i 's/^Version: .*/Version: 0.0.1/' "$work/older/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$work/older" "$work/older.deb" >/dev/null
install_packages "$work/older.deb"
test "$(installed_version)" = 0.0.1 || fail "version $(installed_version) is installed"
make_visit

echo "== Upgrade"
install_packages "$package"
version=$(installed_version)
copresence --version | grep -q -F "$version" || fail "the package is $version, but the program $(copresence --version)"
make_visit
test "$(copresence --json history | wc -l)" -ge 2 || fail "the visit before the upgrade is not in the history"
# Images of containers leave documents out.
differences=$(dpkg --verify copresence-kiosk | grep -v " /usr/share/\(doc\|man\)/" || :)
test -z "$differences" || fail "installed files differ from the package: $differences"

echo "== Start the window"
install_packages xvfb desktop-file-utils
desktop-file-validate /usr/share/applications/copresence-kiosk.desktop
Xvfb :93 >"$work/screen.log" 2>&1 &
screen=$!
until test -e /tmp/.X11-unix/X93; do
    kill -0 "$screen" 2>/dev/null || fail "Xvfb has ended: $(cat "$work/screen.log")"
    sleep 0.2
done
DISPLAY=:93 DBUS_SESSION_BUS_ADDRESS=disabled: copresence-kiosk -v >"$work/window.log" 2>&1 &
kiosk=$!
tries=0
until grep -q "the page lives" "$work/window.log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 120 ] || ! kill -0 "$kiosk" 2>/dev/null; then
        cat "$work/window.log" >&2
        fail "the window shows no page"
    fi
    sleep 1
done
kill -TERM "$kiosk"
wait "$kiosk" || fail "the window was asked to end, and ended with exit code $?"
kiosk=

echo "== Remove"
dpkg-query --listfiles copresence-kiosk >"$work/files"
apt-get purge -y -q copresence-kiosk >>"$work/apt.log" 2>&1 || fail "apt-get purge"
while read -r file; do
    test -d "$file" || ! test -e "$file" || fail "$file is still there"
done <"$work/files"
test -n "$(ls "$work/avatars")" || fail "the avatars are gone"
echo "== All held: installation, visits, upgrade, window and removal of $version"
