#!/bin/bash
# The image as a box starts it: UEFI firmware, boot loader, verified root, a data partition that the first start makes, the daemon and its screen.
# Then once more, with the counters lost; and with a block of the system changed, which no start gets past.
#   image.sh IMAGE [--out DIR]        DIR gets screen.png, the serial lines, the journal and the times
# Needs root (it looks into the data partition), qemu-system-x86 and ovmf. VMRIG_ACCEL=kvm where that works; emulated it takes a quarter of an hour.
# Ends with 0 when all is well, and with 77 where it cannot run.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,7p' "$0" >&2; exit 2; }
image=$(realpath -e "$1") out=''
[ "${2:-}" != --out ] || out=$3
firmware=/usr/share/OVMF
[ -e $firmware/OVMF_CODE_4M.fd ] && command -v qemu-system-x86_64 >/dev/null || { echo "skipped: no qemu-system-x86 with ovmf"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
tmp=$(mktemp -d)
[ -n "$out" ] || out=$tmp/out
mkdir -p "$out" "$tmp/at"
machine=''
finish() {
    ! mountpoint -q "$tmp/at" || umount "$tmp/at"
    [ -z "$machine" ] || kill "$machine" 2>/dev/null || true
    rm -rf --one-file-system "$tmp"
}
trap finish EXIT
trap 'exit 130' INT TERM
failures=0
ok() { echo "ok    $*"; }
bad() { echo "FAIL  $*"; failures=$((failures + 1)); }
check() { local what=$1; shift; if "$@" >"$tmp/said" 2>&1; then ok "$what"; else bad "$what: $(tail -2 "$tmp/said" | tr '\n' ' ')"; fi; }

disk=$tmp/disk.raw
cp --sparse=always "$image" "$disk"
truncate -s 6G "$disk"
cp $firmware/OVMF_VARS_4M.fd "$tmp/vars"
# Without a watchdog: a machine that is emulated beside other work stands still for longer than a hung one.
boot() { # boot NAME: starts the box
    qemu-system-x86_64 -machine q35 -accel "${VMRIG_ACCEL:-tcg}" -cpu "${VMRIG_CPU:-max}" -m 2048 -smp 2 -nic none -display none \
        -device virtio-vga,xres=1280,yres=800 -drive file="$disk",format=raw,if=virtio,cache=unsafe \
        -drive if=pflash,format=raw,readonly=on,file=$firmware/OVMF_CODE_4M.fd -drive if=pflash,format=raw,file="$tmp/vars" \
        -serial file:"$out/$1.serial" -monitor unix:"$tmp/monitor",server,nowait &
    machine=$!
    began=$(date +%s)
}
says() { # says NAME WORDS SECONDS: waits for words on the serial line
    local waited=0
    until grep -aq "$2" "$out/$1.serial" 2>/dev/null; do
        [ $waited -lt "$3" ] && kill -0 "$machine" 2>/dev/null || return 1
        sleep 1
        waited=$((waited + 1))
    done
    echo "      \"$2\" after $(($(date +%s) - began)) s"
}
monitor() {
    python3 - "$tmp/monitor" "$@" <<'EOS'
import socket, sys, time
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
for command in sys.argv[2:]:
    line.sendall((command + "\n").encode())
    time.sleep(1)
EOS
}
picture() { # picture FILE: the screen, as PNG
    monitor "screendump $tmp/screen.ppm"
    python3 - "$tmp/screen.ppm" "$1" <<'EOS'
import struct, sys, zlib
kind, size, depth, pixels = open(sys.argv[1], "rb").read().split(b"\n", 3)
width, height = map(int, size.split())
lines = b"".join(b"\0" + pixels[y * width * 3:(y + 1) * width * 3] for y in range(height))
def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
open(sys.argv[2], "wb").write(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))
# How many colours there are tells a page from an empty screen.
sys.exit(len(set(pixels[i:i + 3] for i in range(0, len(pixels), 3))) < 8)
EOS
}
off() { # off: the power button, and the cable if that does not help within five minutes
    monitor system_powerdown
    local waited=0
    while kill -0 "$machine" 2>/dev/null && [ $waited -lt 300 ]; do sleep 1; waited=$((waited + 1)); done
    kill "$machine" 2>/dev/null || true
    wait "$machine" 2>/dev/null || true
    machine=''
}
start_of() { sfdisk --dump "$disk" | sed -n "s/.*start= *\([0-9]*\),.*name=\"$1\".*/\1/p"; }
look_at() { mount -o "loop,ro,noload,offset=$(($(start_of "$1") * 512))" "$disk" "$tmp/at" 2>/dev/null || mount -o "loop,offset=$(($(start_of "$1") * 512))" "$disk" "$tmp/at"; }
PATH=$PATH:/usr/sbin

echo "== the first start"
boot first
check "the system says that it works" says first "system A works" 1500
cat "$tmp/said"
# The browser is the slowest of all.
for _ in $(seq 60); do picture "$out/screen.png" && break; sleep 10; done
check "something is on the screen" picture "$out/screen.png"
off
look_at checkpoint-data
journalctl -D "$tmp/at/log/journal" -o short-monotonic --no-pager >"$out/journal.txt" 2>/dev/null || true
check "the daemon was ready" grep -q "ready after" "$out/journal.txt"
check "its log is on the data partition" ls "$tmp/at/lib/checkpointd/scans.db"
check "it was not started anew" bash -c "! grep -q 'checkpointd.service: Scheduled restart' '$out/journal.txt'"
umount "$tmp/at"
grep -aE "Startup finished|ready after|Started checkpoint" "$out/journal.txt" | cut -c1-160 | tee "$out/times.txt"
look_at checkpoint-env
check "the counters say that A works" bash -c "grep -q '^A_TRY=0' '$tmp/at/grubenv' && grep -q '^A_OK=1' '$tmp/at/grubenv'"
check "and know the box's id" grep -qE '^machine_id=[0-9a-f]{32}' "$tmp/at/grubenv"
# As a power cut in the middle of writing would leave it.
mount -o remount,rw "$tmp/at" && truncate -s 0 "$tmp/at/grubenv"
umount "$tmp/at"

echo "== counters that power took away"
boot second
check "it starts all the same" says second "system A works" 1500
cat "$tmp/said"
off
look_at checkpoint-env
check "and they are whole again" bash -c "[ \$(stat -c %s '$tmp/at/grubenv') = 1024 ] && grep -q '^A_TRY=0' '$tmp/at/grubenv'"
umount "$tmp/at"

echo "== a system that is not what was built"
# The first blocks of the squashfs: nothing is read without them.
head -c 4096 /dev/urandom | dd of="$disk" bs=512 seek="$(start_of checkpoint-system-a)" conv=notrunc status=none
boot third
check "it is tried three times, and then both are tried again" says third "Neither system starts" 1500
cat "$tmp/said"
check "and never works" bash -c "! grep -aq 'system A works' '$out/third.serial'"
kill "$machine" 2>/dev/null || true
echo "failures: $failures"
exit $((failures > 0))
