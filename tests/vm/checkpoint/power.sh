#!/bin/bash
# Cut the power of a working checkpoint again and again; after every boot its log must verify, hold every scan whose gate was
# opened, its lists must be acceptable, and the service be ready.
#   power.sh CHECKPOINTD AUTHORITY [--rounds N] [--seed N] [--loss random|all|none] [--lies] [--out DIR]
#
# One boot a round: it looks at what the cut before left, and goes on under a stream of travellers until the next. In every second
# round another store goes from one generation of the lists to the next, over and over; every tenth cut comes while the service starts.
# With --out the test goes on where it was interrupted. Ends with 0 when nothing was amiss, and with 77 where the rig cannot run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,9p' "$0" >&2; exit 2; }
program=$1 authority=$2
shift 2
rounds=5 seed=1 loss=random lies=() out=''
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) rounds=$2; shift 2 ;;
        --seed) seed=$2; shift 2 ;;
        --loss) loss=$2; shift 2 ;;
        --lies) lies=(--lies); shift ;;
        --out) out=$2; shift 2 ;;
        *) sed -n '2,9p' "$0" >&2; exit 2 ;;
    esac
done
[ -e "${VMRIG_CACHE:-$HOME/.cache/vmrig}/stamp" ] || { echo "skipped: no image; run tests/vm/build-image.sh"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
out=${out:-$tmp/out}
share=$out/share
results=$out/run/job.d/out
if [ ! -e "$out/cuts" ]; then
    mkdir -p "$share/systemd" "$results"
    chmod 777 "$results"
    strip -o "$share/checkpointd" "$program"
    "$here/country.sh" "$authority" "$share/country"
    cp "$here"/guest/{gate,install-service,power-boot,power.toml,sync.toml} "$share/"
    find "$here/../../../systemd" -maxdepth 1 -type f -exec cp -t "$share/systemd/" {} +
    # The second store as it is before each sync: generation 1 in force.
    sed "s|/data/sync|$tmp/first|; s|/share|$share|" "$share/sync.toml" >"$tmp/first.toml"
    "$program" --config "$tmp/first.toml" trust import "$share/country/gen1" >"$out/import.txt"
    sqlite3 "$tmp/first/trust/store.db" 'pragma wal_checkpoint(truncate)' >/dev/null
    cp "$tmp/first/trust/store.db" "$share/store.db"
    : >"$out/cuts"
fi
first=$(($(wc -l <"$out/cuts") + 1))
for ((i = first; i <= rounds + 1; i++)); do
    RANDOM=$((seed * 1000 + i))
    wait=$((1500 + RANDOM % 8500)) what=scanning sync='' want=99
    if [ $((i % 2)) = 1 ]; then sync=sync what=scanning+sync; fi
    if [ $((i % 10)) = 0 ]; then wait=-$((1 + RANDOM % 1500)) what=starting; fi
    if [ "$i" -gt "$rounds" ]; then wait=0 what='' want=0; fi
    rc=0
    "$here/../run.sh" --out "$out/run" --keep --share "$share" --data "$out/data.img" --loss "$loss" "${lies[@]}" \
        --seed $((seed * 1000 + i)) --timeout 300 --quiet -- /share/power-boot "$i" "$wait" "$sync" >>"$out/rounds.log" 2>&1 || rc=$?
    if [ $rc != $want ]; then
        echo "power: boot $i ended with $rc (wanted $want); see $out/rounds.log and $out/run" >&2
        exit 1
    fi
    if [ $want = 99 ]; then echo "$i $what $wait" | tr + ' ' >>"$out/cuts"; fi
done
cp "$out/cuts" "$results/cuts"
python3 -B "$here/power.py" "$results"
