#!/bin/bash
# The whole daemon for a long time: a lane at 30 pictures a second with another traveller every half second, lists that change every
# minute, rows that go to a centre. Prints a line a minute: memory, descriptors, threads, time to verdict, frames that gave way to newer ones.
#   soak.sh CHECKPOINTD AUTHORITY MINUTES [DIR]
# Everything stays on the loopback and in DIR (a new folder where none is named). Ends with 0 when memory and descriptors stayed level in
# the second half, the log verifies and nothing waits for the centre. Needs ffmpeg and python3. The databases' page caches, 2 MB a connection,
# are full after some 3,500 rows: half an hour.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 3 ] || { sed -n '2,6p' "$0" >&2; exit 2; }
program=$(realpath -e "$1") authority=$(realpath -e "$2") minutes=$3 dir=${4:-$(mktemp -d)}
mkdir -p "$dir/pictures"
"$here/../vm/checkpoint/country.sh" "$authority" "$dir/country" 40
cd "$dir"
pad='pad=1280:720:(ow-iw)/2:(oh-ih)/2:color=gray'
for code in country/codes/*.png; do
    n=$(basename "$code" .png)
    ffmpeg -v error -y -i "$code" -vf "$pad" -pix_fmt gray "pictures/$n-00.png"
    for i in 01 02 03 04 05 06 07 08 09; do ln -sf "$n-00.png" "pictures/$n-$i.png"; done
    # Nobody, between two travellers.
    ffmpeg -v error -y -f lavfi -i color=gray:s=1280x720 -frames:v 1 -pix_fmt gray "pictures/$n-10.png"
    for i in 11 12 13 14; do ln -sf "$n-10.png" "pictures/$n-$i.png"; done
done
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
page=$(port) mirror=$(port) centre=$(port)
cat >config.toml <<X
[checkpoint]
id = "soak"
relying = "440000"
[places]
state = "$dir/state"
runtime = "$dir/run"
[trust]
seed = "$dir/country/gen1"
hold_above = 1.0
[page]
listen = "127.0.0.1:$page"
[sync]
mirrors = ["http://127.0.0.1:$mirror"]
every = "30s"
[upload]
receipts = "none"
url = "http://127.0.0.1:$centre/rows"
[[lane]]
id = "1"
same_symbol_timeout = "200ms"
rearm = "50ms"
show_for = "200ms"
[lane.camera]
device = "pictures:$dir/pictures"
rate = 30
[lane.gate]
driver = "file"
path = "$dir/gate"
open_for = "200ms"
X
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
python3 -m http.server --bind 127.0.0.1 --directory country/gen2 "$mirror" >mirror.log 2>&1 & pids+=($!)
python3 "$here/../python/rows_server.py" "$centre" rows.jsonl >centre.log 2>&1 & pids+=($!)
"$program" --config config.toml run >daemon.log 2>&1 & daemon=$!; pids+=($daemon)
status() { "$program" --config config.toml status --json; }
until status >status.json 2>/dev/null; do kill -0 $daemon; sleep 0.2; done
sample() {
    status >status.json
    python3 - $daemon "$page" <<'X'
import json, os, sys, urllib.request
pid, status = sys.argv[1], json.load(open("status.json"))
metrics = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[2]}/metrics").read().decode()
gave_way = sum(int(line.split()[-1]) for line in metrics.splitlines() if line.startswith('checkpoint_frames_total{result="replaced"}'))
memory = next(line for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS")).split()[1]
lane = status["lanes"][0]
took = lane["time_to_verdict_ms"] or [0, 0, 0]
print(memory, len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")), status["log"]["rows"], status["log"]["outbox_pending"],
      *(round(part, 1) for part in took), gave_way)
X
}
echo "minute  KiB  descriptors  threads  rows  to-upload  p50  p95  p99 (ms)  gave-way"
for ((minute = 1; minute <= minutes; minute++)); do
    "$authority" --dir country/420000 status-list set revoked $((100 + minute)) >/dev/null
    "$authority" --dir country/420000 publish --out country/gen2 >/dev/null
    sleep 60
    line=$(sample)
    echo "$minute  $line" | tee -a samples.txt
done
kill -TERM $daemon
wait $daemon
"$program" --config config.toml log verify
python3 - "$minutes" <<'X'
import sys
rows = [[float(word) for word in line.split()] for line in open("samples.txt")]
settled = rows[len(rows) // 2:]
kib, descriptors = [row[1] for row in settled], [row[2] for row in settled]
print(f"resident {min(kib):.0f} to {max(kib):.0f} KiB, descriptors {min(descriptors):.0f} to {max(descriptors):.0f}, {rows[-1][4]:.0f} rows")
sys.exit(max(kib) > 1.05 * min(kib) or max(descriptors) > min(descriptors) + 4 or rows[-1][5] > 500)
X
