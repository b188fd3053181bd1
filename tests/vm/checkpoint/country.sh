#!/bin/bash
# A small country for the virtual machine: its lists in two generations, and pass codes of Guangdong as pictures.
#   country.sh AUTHORITY DIR [CODES]
#
# DIR/gen1 and DIR/gen2 are mirrors as a web server or a stick would hold them; DIR/codes/NN.png are CODES (default 10) different
# codes, good for a week, each of which a gate in 440000 admits.
set -euo pipefail
authority=$(realpath -e "$1")
codes=${3:-10}
mkdir -p "$2/codes"
cd "$2"
provinces=(440000 420000 310000)
{
    "$authority" --dir nation init 000000
    for p in "${provinces[@]}"; do
        "$authority" --dir "$p" init "$p"
        "$authority" --dir "$p" status-list grow 100000
        "$authority" --dir nation issuer add "$p" --root "$p/roots/1.root.json"
        "$authority" --dir nation arrange "$p" 440000 --route direct
    done
    for p in nation "${provinces[@]}"; do "$authority" --dir "$p" publish --out gen1; done
    cp -r gen1 gen2
    "$authority" --dir 420000 status-list set revoked 5
    for p in nation "${provinces[@]}"; do "$authority" --dir "$p" publish --out gen2; done
    for ((i = 1; i <= codes; i++)); do
        "$authority" --dir 440000 issue --status $((1000 + i)) --valid-for 604800 --scale 4 --out "codes/$(printf %02d "$i").png"
    done
} >country.log 2>&1 || { tail -5 country.log >&2; exit 1; }
