#!/bin/bash
# A USB stick with newer lists, plugged into a machine that runs the real service under systemd and udev: taken without a command, pulled
# out half-way, read on when it is back, older than what is here, with a symbolic link on it, without lists, and with a bad block.
#   stick.sh CHECKPOINTD AUTHORITY [--out DIR]
#
# Ends with 0 when everything was as it should be, and with 77 (skipped) where the rig cannot run. About three minutes on an idle machine.
#   cargo build --release -p scanner -p authority --bins
#   tests/vm/checkpoint/stick.sh target/release/{checkpointd,authority}
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,9p' "$0" >&2; exit 2; }
program=$1 authority=$(realpath -e "$2") out=''
[ "${3:-}" != --out ] || out=$4
[ -e "${VMRIG_CACHE:-$HOME/.cache/vmrig}/stamp" ] || { echo "skipped: no image; run tests/vm/build-image.sh"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
share=$tmp/share sticks=$tmp/sticks
mkdir -p "$share/systemd" "$sticks"
strip -o "$share/checkpointd" "$program"
cp "$here"/guest/{stick,stick.toml,install-service} "$share/"
find "$here/../../../systemd" -maxdepth 1 -type f -exec cp -t "$share/systemd/" {} +

# Five generations; the third is long enough for a slow stick to be pulled out in the middle.
"$here/country.sh" "$authority" "$share/country" 1
cd "$share/country"
for generation in 3 4 5; do
    cp -r gen$((generation - 1)) gen$generation
    for province in 310000 420000 440000; do
        "$authority" --dir $province status-list grow 8000000
        if [ $generation = 3 ]; then "$authority" --dir $province status-list set revoked --file <(shuf -i 10000-7999999 -n 1000000); fi
    done
    for party in nation 310000 420000 440000; do "$authority" --dir $party publish --out gen$generation; done
done >generations.log 2>&1
cp -r gen4 with-link
rm with-link/420000/metadata/timestamp.json
ln -s ../../../timestamp.json with-link/420000/metadata/timestamp.json
cp gen4/420000/metadata/timestamp.json with-link/timestamp.json
mkdir photographs
echo 'nothing of ours' >photographs/IMG_0001.JPG

# As they come from a shop: one partition with FAT from the first mebibyte on; the others without partitions.
fat() { # fat IMAGE FOLDER
    truncate -s 64M "$sticks/$1"
    python3 - "$sticks/$1" <<'EOS'
import struct, sys
with open(sys.argv[1], "r+b") as disk:
    disk.seek(446)
    disk.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x0C, b"\xfe\xff\xff", 2048, 63 * 2048))
    disk.seek(510)
    disk.write(b"\x55\xaa")
EOS
    PATH=$PATH:/usr/sbin mkfs.vfat -n LISTS --offset 2048 "$sticks/$1" $((63 * 1024)) >/dev/null
    mcopy -s -i "$sticks/$1@@1M" "$2"/* ::/
}
ext4() { # ext4 IMAGE FOLDER
    truncate -s 64M "$sticks/$1"
    PATH=$PATH:/usr/sbin mke2fs -q -t ext4 -E root_owner=0:0 -d "$2" "$sticks/$1"
}
fat two gen2
ext4 three gen3
ext4 link with-link
fat five gen5
ext4 photographs photographs
head -c 1M /dev/urandom >"$sticks/noise"
cp "$sticks/five" "$sticks/broken"
# A block that has gone bad: where Guangdong's timestamp is.
python3 - "$sticks/broken" gen5/440000/metadata/timestamp.json <<'EOS'
import os, sys
with open(sys.argv[1], "r+b") as disk, open(sys.argv[2], "rb") as file:
    disk.seek(disk.read().index(file.read()))
    disk.write(os.urandom(512))
EOS
before=$(cd "$sticks" && sha256sum *)
"$here/../run.sh" --out "${out:-$tmp/out}" --share "$share" --sticks "$sticks" --timeout 900 --quiet -- /share/stick
[ "$before" = "$(cd "$sticks" && sha256sum *)" ] || { echo "FAIL  something was written to a stick"; exit 1; }
echo "ok    nothing was written to any stick"
