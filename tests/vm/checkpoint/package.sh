#!/bin/bash
# The Debian package on a real system: installs, is confined, upgrades, removes, purges, and boots from a read-only root.
#   package.sh DEB AUTHORITY [--out DIR]
# Ends with 0 when all is well, and with 77 where the rig cannot run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,4p' "$0" >&2; exit 2; }
deb=$1 authority=$2
[ "${3:-}" != --out ] || out=$4
[ -e "${VMRIG_CACHE:-$HOME/.cache/vmrig}/stamp" ] || { echo "skipped: no image; run tests/vm/build-image.sh"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
share=$tmp/share
mkdir -p "$share"
cp "$deb" "$share/1.deb"
# The next version, with the same contents.
dpkg-deb -R "$deb" "$tmp/unpacked"
sed -i 's/^Version: .*/&+next/' "$tmp/unpacked/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 -b "$tmp/unpacked" "$share/2.deb" >/dev/null
"$here/country.sh" "$authority" "$share/country" 1
cp "$here/guest/package" "$share/"
"$here/../run.sh" ${out:+--out "$out"} --quiet --share "$share" --data "$tmp/data.img" --boots 2 --timeout 900 -- /share/package
