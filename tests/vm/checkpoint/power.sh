#!/bin/bash
# Cut the power of a working checkpoint again and again; after every boot its log must verify, hold every scan whose gate was
# opened, and its lists must be acceptable.
#   power.sh CHECKPOINTD [--rounds N] [--seed N] [--loss random|all|none] [--lies] [--out DIR]
#
# Ends with 0 when every check passed, and with 77 (skipped) where the rig cannot run. The command under test needs the
# `demo` feature: it founds the country whose codes are scanned.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$1
shift
rounds=5 seed=1 loss=random lies=() out=''
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) rounds=$2; shift 2 ;;
        --seed) seed=$2; shift 2 ;;
        --loss) loss=$2; shift 2 ;;
        --lies) lies=(--lies); shift ;;
        --out) out=$2; shift 2 ;;
        *) sed -n '2,7p' "$0" >&2; exit 2 ;;
    esac
done
for tool in qrencode qemu-system-x86_64; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -e "${VMRIG_CACHE:-$HOME/.cache/vmrig}/stamp" ] || { echo "skipped: no image; run tests/vm/build-image.sh"; exit 77; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
out=${out:-$tmp/out}
share=$tmp/share
mkdir -p "$share/pictures" "$out"
strip -o "$share/checkpointd" "$program"
timeout 200 "$program" demo --once --keep "$tmp/gate" >"$out/demo.txt" 2>&1 || true
cp -r "$tmp/gate/trust" "$share/trust"
n=0
while read -r code && [ $n -lt 10 ]; do
    n=$((n + 1))
    printf %s "$code" | qrencode -l M -s 4 -m 6 -o "$share/pictures/$(printf %02d $n).png"
done <"$tmp/gate/codes.txt"

cat >"$share/gate" <<'EOS2'
#!/bin/sh
# The gate: what it was told is noted outside the machine, where no power cut reaches it.
[ "$1" != open ] || echo open >>/vmrig/out/acked
EOS2
cat >"$share/config.toml" <<'EOS2'
[checkpoint]
id = "power"
relying = "440000"
[places]
state = "/data/state"
runtime = "/run"
[page]
enabled = false
[[lane]]
id = "1"
same_symbol_timeout = "100ms"
rearm = "0ms"
# An opened gate means a written row here, however slow the disk is.
commit_deadline = "30s"
[lane.camera]
device = "pictures:/share/pictures"
rate = 4
[lane.gate]
driver = "command"
command = ["/share/gate"]
open_for = "50ms"
EOS2
cat >"$share/work" <<'EOS2'
#!/bin/bash
[ -d /data/state/trust ] || { mkdir -p /data/state && cp -r /share/trust /data/state/trust && sync; }
exec /share/checkpointd --config /share/config.toml run 2>>/vmrig/out/daemon.log
EOS2
cat >"$share/check" <<'EOS2'
#!/bin/bash
set -u
c() { /share/checkpointd --config /share/config.toml "$@"; }
# A cut before the first row leaves no log, and then nothing may have been acknowledged.
acked=$(cat /vmrig/out/acked 2>/dev/null | wc -l)
[ -e /data/state/scans.db ] || { echo "no log yet, acknowledged $acked"; [ "$acked" = 0 ]; exit; }
c log verify || { echo "the log does not verify"; exit 1; }
rows=$(c log query --verdict admit --limit 1000000 --json | wc -l)
echo "acknowledged $acked, rows $rows"
[ "$rows" -ge "$acked" ] || { echo "LOST: $((acked - rows)) acknowledged scans"; exit 2; }
if [ -d /data/state/trust ]; then c trust show --trust /data/state/trust >/dev/null || { echo "lists unacceptable"; exit 3; }; fi
EOS2
chmod +x "$share"/{gate,work,check}
"$here/../power-cut.sh" --rounds "$rounds" --seed "$seed" --loss "$loss" "${lies[@]}" --min 6 --max 14 \
    --share "$share" --out "$out" --work /share/work --check /share/check
