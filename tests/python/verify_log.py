#!/usr/bin/env python3
"""Verifies a checkpointd scan log independently of checkpointd (see cache/LOG.md). Needs nothing but Python.

usage: verify_log.py SCANS.DB --key KEYFILE [--anchor FILE]... [--excerpt]

Prints what is wrong, one finding a line, and exits 1; or prints `sound: ...` and exits 0.
"""
import argparse, base64, hashlib, json, sqlite3, sys

# Ed25519 verification, after RFC 8032 section 5.1 and its appendix. Slow, short, and used on public data only.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    x, y, z, t = a
    u, v, w, s = b
    e, f = (y - x) * (v - u) % P, (y + x) * (v + u) % P
    g, h = 2 * t * s * D % P, 2 * z * w % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, point):
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = add(result, point)
        point = add(point, point)
        n >>= 1
    return result


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - xx) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def good_signature(public, message, signature):
    a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or len(signature) != 64:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def read_key(text):
    name, stated, encoded = text.strip().split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    number = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if key[0] != 1 or len(key) != 33 or number.hex() != stated:
        sys.exit("not a note key")
    return name, number, key[1:]


def open_anchor(note, key):
    """(log, seq, hash) of a note signed by the key, or None."""
    name, number, public = key
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        dash, signer, encoded = line.split(" ", 2)
        raw = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and signer == name and raw[:4] == number:
            if good_signature(public, text.encode(), raw[4:]):
                title, log, seq, head, _ = text.splitlines()
                if title == "checkpointd scan log 1":
                    return log, int(seq), base64.b64decode(head, validate=True)
    return None


def known_end(path):
    """(log, [(who, seq, hash)]) of the head file beside the database, or None."""
    try:
        text = open(path + "-head", encoding="utf-8").read()
    except FileNotFoundError:
        return None
    body, mark, rest = text.partition("sum ")
    lines = body.splitlines()
    if not mark or hashlib.sha256(body.encode()).hexdigest()[:16] != rest.split("\n")[0] or lines[0] != "checkpointd head 1":
        return None
    ends = [line.split(" ") for line in lines[2:]]
    return lines[1].removeprefix("log "), [(who, int(seq), bytes.fromhex(head)) for who, seq, head in ends]


def verify(path, key, notes, excerpt):
    # Read first: rows that are written meanwhile are no finding.
    known = known_end(path)
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    log = db.execute("SELECT value FROM meta WHERE name = 'log'").fetchone()[0]
    notes = [row[0] for row in db.execute("SELECT note FROM anchors ORDER BY seq")] + notes
    found, hashes, receipts, last, first, start = [], {}, [], None, None, bytes(32)
    for seq, body, previous, stated in db.execute("SELECT seq, body, previous, hash FROM entries ORDER BY seq"):
        fits = hashlib.sha256(b"checkpointd scan log 1\0" + seq.to_bytes(8, "big") + previous + body.encode()).digest() == stated
        if first is None:
            first, start = seq, previous
        elif seq != last[0] + 1:
            found.append((last[0] + 1, f"rows {last[0] + 1} to {seq - 1} were removed"))
        elif fits and last[2] and previous != last[1]:
            found.append((last[0], f"row {last[0]} was replaced"))
        if not fits:
            found.append((seq, f"row {seq} was changed, moved or put in"))
        row = json.loads(body) if '"kind":"retention"' in body else {}
        if row.get("kind") == "retention":
            receipts.append((seq, row["through"], bytes.fromhex(row["head"])))
        hashes[seq], last = stated, (seq, stated, fits)
    end, anchored, good = last[0] if last else 0, 0, (first or 1) - 1
    if first is None:
        found.append((0, "no rows at all"))
    anchors = [open_anchor(note, key) for note in notes]
    if None in anchors:
        found.append((0, "an anchor is not signed by this key"))
    for of, seq, head in sorted((a for a in anchors if a), key=lambda a: a[1]):
        if of != log:
            found.append((0, f"an anchor belongs to another log ({of})"))
        elif seq > end:
            found.append((end + 1, f"the end is gone: the last row is {end}, an anchor was signed at row {seq}"))
        elif seq in hashes and hashes[seq] == head:
            good = anchored = seq
        elif seq in hashes:
            found.append((good + 1, f"chained anew: the first changed row lies between {good + 1} and {seq}"))
            break
    if known and known[0] != log:
        found.append((0, f"the head file is of another log ({known[0]})"))
    for who, seq, head in known[1] if known and known[0] == log else []:
        if seq > end:
            found.append((end + 1, f"the end is gone: the last row is {end}, the {who} knows row {seq}"))
        elif seq in hashes and hashes[seq] != head:
            found.append((seq, f"row {seq} is another than the one that the {who} knows"))
    if first and not excerpt and (first > 1 or start != bytes(32)):
        cut = first - 1
        if not any(at <= anchored and through >= cut and (start if through == cut else hashes.get(through)) == head
                   for at, through, head in receipts):
            found.append((1, f"rows 1 to {cut} are gone, and no anchored receipt covers that"))
    return sorted(found), len(hashes), first, end, anchored


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--key", required=True, help="file with the device's verification key")
    parser.add_argument("--anchor", action="append", default=[], help="file with an anchor seen earlier")
    parser.add_argument("--excerpt", action="store_true", help="the file is an export")
    options = parser.parse_args()
    key = read_key(open(options.key, encoding="utf-8").read())
    notes = [open(name, encoding="utf-8").read() for name in options.anchor]
    found, rows, first, end, anchored = verify(options.database, key, notes, options.excerpt)
    for _, text in found:
        print(text)
    if found:
        sys.exit(1)
    print(f"sound: {rows} rows, {first} to {end}, anchored to {anchored}")


if __name__ == "__main__":
    main()
