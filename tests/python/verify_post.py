#!/usr/bin/env python3
"""Checks a post's rows in a centre's PostgreSQL independently of the centre (see cache/LOG.md, cache/EXCHANGE.md).

usage: verify_post.py "dbname=centre" POST [--key KEYFILE]

Needs psql and nothing else. --key takes the device's key from a file, written down at the post, instead of the registry's word.
Prints what is wrong, one finding a line, and exits 1; or prints `sound: ...` and exits 0.
"""
import hashlib, pathlib, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from verify_log import open_anchor, read_key

database, post = sys.argv[1:3]
own_key = read_key(open(sys.argv[4], encoding="utf-8").read()) if sys.argv[3:4] == ["--key"] else None


def ask(sql, **values):
    arguments = [part for name, value in values.items() for part in ("-v", f"{name}={value}")]
    command = ["psql", "-d", database, "-v", "ON_ERROR_STOP=1", "-qAtX0", "-F", "\x1f", *arguments]
    answer = subprocess.run(command, input=sql.encode(), stdout=subprocess.PIPE, check=True).stdout.decode()
    return [row.split("\x1f") for row in answer.split("\0") if row]


found, rows, fits = [], 0, 0
for no, log, key, end in ask("SELECT l.no, log, l.key, seq FROM logs l JOIN posts p ON p.no = post WHERE name = :'post' ORDER BY 1", post=post):
    key = own_key or read_key(key)
    notes = {int(seq): open_anchor(note, key) for seq, note in ask("SELECT seq, note FROM anchors WHERE log = :no", no=no)}
    holes = {int(last): bytes.fromhex(hash) for last, hash in ask("SELECT last, encode(hash, 'hex') FROM holes WHERE log = :no", no=no)}
    last, before, good = 0, bytes(32), 0
    for seq, stated, body in ask("SELECT seq, encode(hash, 'hex'), body FROM entries WHERE log = :no ORDER BY seq", no=no):
        seq, stated = int(seq), bytes.fromhex(stated)
        if seq != last + 1:
            anchor = notes.get(seq - 1)
            before = holes.get(seq - 1) or (anchor[2] if anchor and last == 0 else None)
            if before is None and last:
                found.append((log, last + 1, "is missing, and what follows it"))
        if before and hashlib.sha256(b"checkpointd scan log 1\0" + seq.to_bytes(8, "big") + before + body.encode()).digest() != stated:
            found.append((log, seq, "was changed, moved or put in"))
        if seq in notes:
            if notes[seq] == (log, seq, stated):
                good, fits = seq, fits + 1
            else:
                found.append((log, good + 1, f"may be the first rewritten one: the anchor at {seq} does not fit"))
        last, before, rows = seq, stated, rows + 1
    if last and last < int(end):
        found.append((log, last + 1, "and all after it are gone from the end"))
for log, seq, what in found:
    print(f"log {log}: row {seq} {what}")
if found:
    sys.exit(1)
print(f"sound: {rows} rows, {fits} anchors that fit")
