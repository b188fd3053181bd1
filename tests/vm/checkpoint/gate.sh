#!/bin/bash
# The gate of a real service in the virtual machine: relay, lights, sounder, passage sensor and fire contact on a simulated GPIO chip whose
# lines are read back from outside, a keyboard wedge, and every way in which a daemon can end.
#   gate.sh CHECKPOINTD AUTHORITY SURROUNDINGS [--out DIR]
#
# Ends with 0 when everything was as it should be, and with 77 (skipped) where the rig cannot run. About two minutes on an idle machine.
#   cargo build --release -p scanner -p authority -p tests --bins
#   tests/vm/checkpoint/gate.sh target/release/{checkpointd,authority,surroundings}
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 3 ] || { sed -n '2,8p' "$0" >&2; exit 2; }
program=$1 authority=$2 surroundings=$3 out=''
[ "${4:-}" != --out ] || out=$5
[ -e "${VMRIG_CACHE:-$HOME/.cache/vmrig}/stamp" ] || { echo "skipped: no image; run tests/vm/build-image.sh"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
share=$tmp/share
mkdir -p "$share/systemd" "$share/codes"
strip -o "$share/checkpointd" "$program"
strip -o "$share/surroundings" "$surroundings"
"$here/country.sh" "$authority" "$share/country" 1
for n in 1 2 3 4 5 6 7; do
    "$authority" --dir "$share/country/440000" issue --status $((2000 + n)) --valid-for 604800 >"$share/codes/green-$n"
done
"$authority" --dir "$share/country/440000" issue --colour red --status 3000 >"$share/codes/red"
cp "$here"/guest/{gate-test,gate.toml,install-service} "$share/"
find "$here/../../../systemd" -maxdepth 1 -type f -exec cp -t "$share/systemd/" {} +
"$here/../run.sh" --out "${out:-$tmp/out}" --share "$share" --timeout 900 --quiet -- /share/gate-test
