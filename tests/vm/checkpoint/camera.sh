#!/bin/bash
# Cameras on a real kernel: formats, unplugging, stalls, damage, a driver's faults, two at once, and a thousand replugs.
#   camera.sh CHECKPOINTD AUTHORITY [--cycles N] [--out DIR]
# Ends with 0 when all is well, and with 77 where the rig cannot run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,4p' "$0" >&2; exit 2; }
program=$1 authority=$2
shift 2
cycles=1000 out=''
while [ $# -gt 0 ]; do
    case $1 in
        --cycles) cycles=$2; shift 2 ;;
        --out) out=$2; shift 2 ;;
        *) sed -n '2,4p' "$0" >&2; exit 2 ;;
    esac
done
[ -e "${VMRIG_CACHE:-$HOME/.cache/vmrig}/stamp" ] || { echo "skipped: no image; run tests/vm/build-image.sh"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
share=$tmp/share
mkdir -p "$share/systemd"
strip -o "$share/checkpointd" "$program"
"$here/country.sh" "$authority" "$share/country"
cp "$here"/guest/{camera,camera.toml,install-service} "$share/"
find "$here/../../../systemd" -maxdepth 1 -type f -exec cp -t "$share/systemd/" {} +
for format in GREY NV12 YUYV; do
    "$here/../feed-camera" pack --format $format "$share/$format.vrf" "$share/country/codes" >/dev/null
done
"$here/../run.sh" ${out:+--out "$out"} --quiet --share "$share" --usbcam MJPG:1280x720@30 --camera YUYV:1280x720@30 --hold 15 \
    --pictures "$share/country/codes" --timeout 3600 -- /share/camera "$cycles"
