#!/usr/bin/env python3
"""Makes first corpora from tests/vectors and FORMAT.md: python3 tests/fuzz/seed.py, then cargo fuzz run TARGET.

Those of the eye's targets are drawn symbols and need segno (tests/frames/requirements.txt); without it they start from nothing."""
import base64, hashlib, json, pathlib, re, zlib

HERE = pathlib.Path(__file__).parent
VECTORS = HERE.parent / "vectors"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def base45(text):
    digits, out = [ALPHABET.index(letter) for letter in text], b""
    for at in range(0, len(digits), 3):
        group = digits[at : at + 3]
        out += sum(d * 45**i for i, d in enumerate(group)).to_bytes(len(group) - 1, "big")
    return out


def seed(target, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


for path in sorted(VECTORS.glob("dcc/*/*.jsonl")):
    for line in path.read_text().splitlines()[:40]:
        body = (json.loads(line).get("text") or "").removeprefix("HC1:")
        seed("code_text", body.encode())
        seed("base45", body.encode())
        try:
            message = zlib.decompress(base45(body))
        except (ValueError, OverflowError, zlib.error):
            continue
        if len(message) < 4096:
            seed("code_message", message)
            seed("cbor", message)
for path in VECTORS.glob("nzcp/*/*.txt"):
    body = path.read_text().strip().removeprefix("NZCP:/1/")
    seed("code_text", body.encode())
    seed("code_message", base64.b32decode(body + "=" * (-len(body) % 8)))
for path in VECTORS.glob("cose/*/*.json"):
    message = bytes.fromhex(json.loads(path.read_text())["output"]["cbor"])
    for target in ("code_message", "cbor", "status"):
        seed(target, message)
for certificate in json.loads((VECTORS / "dcc/certificates.json").read_text()):
    seed("certificate", base64.b64decode(certificate["certificate"]))
FORMAT = (HERE.parents[1] / "trustlist/FORMAT.md").read_text()
delta = re.search(r"```hex delta\n(.*?)```", FORMAT, re.S).group(1)
seed("status_delta", bytes.fromhex(re.sub(r"#.*|\s", "", delta)))
code = re.search(r"```text configuration-code\nMRC1:(.*?)\n```", FORMAT, re.S).group(1)
seed("configuration", code.encode())
seed("configuration", base45(code))
exchange = re.findall(r"\n((?:    [^\n]*\n)+)", (HERE.parents[1] / "cache/EXCHANGE.md").read_text())
LOG, STORE, HASH = "00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000008", base64.b64encode(bytes(32)).decode()
for block in exchange:
    lines = [re.sub(r" {4,}.*", "", line.strip()) for line in block.splitlines()]
    lines = [line.replace("0193f1d0-…", LOG).replace("5d9f8a1c-…", STORE).replace("q8x…=", HASH).replace("n7Y…=", HASH) for line in lines]
    for target in ("batch", "receipt", "post_notes"):
        seed(target, ("\n".join(lines) + "\n").encode())
try:
    import segno
except ImportError:
    print("segno is not installed: no symbols for eye_grid and eye_luma")
    raise SystemExit
for number, (text, version) in enumerate([("A", 1), ("MR1:" + "Z7 $" * 6, 3), ("MR1:" + "0123456789" * 14, 7), ("1234", "M2"), ("GATE", "M4")]):
    rows = [list(row) for row in segno.make(text, version=version, boost_error=False).matrix]
    size, which = len(rows), version if isinstance(version, int) else 39 + int(version[1])
    # As the targets read them: size and whether the fixed modules are left alone; columns, pixels a module, way of looking.
    seed("eye_grid", bytes([which | 64]) + bytes(100 if dark else 156 for row in rows for dark in row))
    quiet = [[0] * size] * 3
    cells = [[0] * 3 + row + [0] * 3 for row in quiet + rows + quiet]
    for how in range(12):
        light, dark = (220, 30) if how % 4 else (30, 220)
        seed("eye_luma", bytes([size + 5, number % 4 + 1, how]) + bytes(dark if cell else light for row in cells for cell in row))
