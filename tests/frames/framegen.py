#!/usr/bin/env python3
"""Synthetic gate-camera frames: a pass code on a phone's screen or on paper, in a busy picture.

    framegen.py OUT [--per N] [--seed S] [--only scale,tilt] [--bg DIR] [--jobs J]

Writes OUT/<kind>/<level>_<i>.png (8-bit luma) and OUT/manifest.csv (path, source, category, width, height,
expected_hex, orig): source = syn-<kind>, category = the level, orig = facts as key=value. The same seed and the same
backgrounds give the same frames. The kind `nocode` holds no code at all (its levels are 720p and 1080p). Half of the
frames are 720p, half 1080p; a module is 3.6 to 4.2 pixels wide unless the kind is `scale`.

Levels, in the kinds' own units: `scale` pixels a module; `rot`, `tilt` degrees; `blur` sigma and `motion` length in
pixels; `dark` white level / noise sigma; `glare`, `occl` in parts of the code; `grad` light from edge to edge of the
code; `moire` depth; `jpeg` quality; `curve` degrees of a cylinder; `gate` a random mixture of all of them.

Seeds are for one purpose each: what was tuned on is not what is reported. Needs the packages in requirements.txt.
"""

import argparse, csv, glob, os, zlib
from concurrent.futures import ProcessPoolExecutor
import cv2, numpy as np, segno

cv2.setNumThreads(1)
ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
BASE = dict(
    module=3.6,
    rot=None,
    tilt=None,
    sigma=0.6,
    motion=0,
    white=215,
    black=28,
    noise=2.0,
    glare=0,
    grad=1.0,
    invert=0,
    moire=0,
    jpeg=0,
    occl=0,
    curve=0,
)
LEVELS = {
    "scale": [(f"{m}", dict(module=m)) for m in (1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)],
    "rot": [(f"{r}", dict(rot=r, tilt=0)) for r in (0, 10, 20, 30, 45)],
    "tilt": [(f"{t}", dict(tilt=t, module=4.2)) for t in (0, 15, 25, 35, 45, 55)],
    "blur": [(f"{s}", dict(sigma=s, module=4.0)) for s in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)],
    "motion": [(f"{m}", dict(motion=m, module=4.0)) for m in (2, 4, 6, 8, 12)],
    "dark": [
        (f"{w}/{n}", dict(white=w, black=max(8, w // 8), noise=n))
        for w, n in ((120, 4), (80, 6), (60, 8), (45, 9), (35, 10))
    ],
    "glare": [(f"{g}", dict(glare=g)) for g in (0.10, 0.18, 0.26, 0.34)],
    "grad": [(f"1:{g}", dict(grad=float(g))) for g in (2, 4, 8, 16)],
    "invert": [("plain", dict(invert=1)), ("dim", dict(invert=1, white=120, black=40, noise=4))],
    "moire": [(f"{m}", dict(moire=m)) for m in (0.1, 0.2, 0.3, 0.4)],
    "jpeg": [(f"q{q}", dict(jpeg=q)) for q in (50, 30, 20, 12, 7)],
    "occl": [(f"{o}", dict(occl=o)) for o in (0.02, 0.04, 0.07, 0.10, 0.14)],
    "curve": [(f"{c}", dict(curve=c, module=4.0)) for c in (20, 40, 60, 80)],
    "gate": [("mild", "mild"), ("medium", "medium"), ("hard", "hard")],
    "nocode": [("720p", None), ("1080p", None)],
}


def procedural(rng, w, h):
    im = np.full((h, w), float(rng.integers(40, 190)), np.float32)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    a = rng.uniform(0, 2 * np.pi)
    im = np.clip(im + (np.cos(a) * xx / w + np.sin(a) * yy / h) * rng.uniform(10, 80), 0, 255).astype(np.uint8)
    for _ in range(rng.integers(20, 60)):
        x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
        s = int(rng.integers(20, 400))
        c = float(rng.integers(10, 245))
        k = rng.integers(0, 6)
        if k == 0:
            cv2.rectangle(im, (x, y), (x + s, y + int(s * rng.uniform(0.2, 2))), c, -1)
        elif k == 1:
            cv2.circle(im, (x, y), s // 3, c, -1)
        elif k == 2:
            p = int(rng.integers(6, 40))
            for i in range(0, s, p):
                cv2.line(im, (x + i, y), (x + i + s // 3, y + s), c, int(rng.integers(1, p // 2 + 1)))
        elif k == 3:
            f = rng.uniform(0.4, 2.2)
            n = int(rng.integers(3, 9))
            for i in range(n):
                t = "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVWXYZ0123456789 :-"), int(rng.integers(6, 24))))
                cv2.putText(
                    im, t, (x, y + int(i * 30 * f)), int(rng.integers(0, 4)), f, c, max(1, int(f * 1.5)), cv2.LINE_AA
                )
        elif k == 4:  # tiles / grille
            p = int(rng.integers(6, 24))
            c2 = float(rng.integers(10, 245))
            x1, y1 = min(w, x + s), min(h, y + s)
            if x1 > x and y1 > y:
                sub = im[y:y1, x:x1]
                m = ((np.arange(y1 - y)[:, None] // p + np.arange(x1 - x)[None] // p) % 2) > 0
                sub[m] = c
                sub[~m] = c2
        else:
            cv2.line(im, (x, y), (int(rng.integers(0, w)), int(rng.integers(0, h))), c, int(rng.integers(1, 14)))
    return cv2.GaussianBlur(im.astype(np.float32), (0, 0), rng.uniform(0.6, 2.0))


def background(rng, w, h, bgs):
    if bgs and rng.random() < 0.6:
        b = cv2.imread(bgs[int(rng.integers(0, len(bgs)))], cv2.IMREAD_GRAYSCALE).astype(np.float32)
        if rng.random() < 0.5:
            b = b[:, ::-1]
        f = max(w / b.shape[1], h / b.shape[0]) * rng.uniform(1.0, 1.4)
        b = cv2.resize(b, None, fx=f, fy=f, interpolation=cv2.INTER_AREA if f < 1 else cv2.INTER_LINEAR)
        x, y = int(rng.integers(0, b.shape[1] - w + 1)), int(rng.integers(0, b.shape[0] - h + 1))
        return b[y : y + h, x : x + w] * rng.uniform(0.5, 1.0)
    return procedural(rng, w, h)


def code(rng):
    n = int(rng.integers(250, 451))
    ec = ("L", "M", "Q")[int(rng.integers(0, 3))]
    text = "MR1:" + "".join(ALNUM[i] for i in rng.integers(0, 45, n - 4))
    q = segno.make_qr(text, error=ec.lower(), mode="alphanumeric", boost_error=False)
    v = q.version
    if rng.random() < 0.2 and v < 20:
        q = segno.make_qr(
            text, error=ec.lower(), mode="alphanumeric", boost_error=False, version=int(rng.integers(v, 21))
        )
    return text, np.array([list(r) for r in q.matrix], np.uint8), q.version, ec


def carrier(rng, m, t, invert, occl):
    """Card of a screen or paper with the code; t = texture px a module. 0=black 1=white."""
    n = m.shape[0]
    qz = 4
    img = 1.0 - np.kron(m, np.ones((t, t), np.float32))
    if occl:  # blobs over the data part, never over the three finders
        a = occl * (n * t) ** 2
        done = 0.0
        k = 0
        while done < a and k < 60:
            k += 1
            r = int(np.sqrt(min(a - done + t * t, a / 2) / np.pi)) + 1
            x, y = rng.integers(0, n * t, 2)
            f = 9 * t
            if (x - r < f and y - r < f) or (x + r > n * t - f and y - r < f) or (x - r < f and y + r > n * t - f):
                continue
            cv2.circle(img, (int(x), int(y)), r, float(rng.choice([0.05, 0.35, 0.6, 0.95])), -1)
            done += np.pi * r * r
    img = np.pad(img, qz * t, constant_values=1.0)
    if invert:
        img = 1.0 - img
    bgv = 0.0 if invert else 1.0
    s = img.shape[0]
    mx, top, bot = int(s * rng.uniform(0.02, 0.12)), int(s * rng.uniform(0.1, 0.5)), int(s * rng.uniform(0.15, 0.6))
    card = np.full((s + top + bot, s + 2 * mx), bgv, np.float32)
    card[top : top + s, mx : mx + s] = img
    fs = s / 420
    card = (card * 255).astype(np.uint8)
    ink = float((1 - bgv) * 255)
    for yy, z in ((int(top * 0.55), top), (s + top + int(bot * 0.4), bot)):
        if z > s * 0.08:
            cv2.putText(
                card,
                "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVWXYZ0123456789 "), 14)),
                (mx + int(s * 0.05), yy),
                cv2.FONT_HERSHEY_SIMPLEX,
                fs,
                ink,
                max(1, int(2 * fs)),
                cv2.LINE_AA,
            )
    card = card.astype(np.float32) / 255
    if rng.random() < 0.7:  # phone bezel
        b = int(s * rng.uniform(0.02, 0.05))
        card = np.pad(card, b, constant_values=0.03)
        card = np.pad(card, b // 3 + 1, constant_values=0.5)
        top += b + b // 3 + 1
        mx += b + b // 3 + 1
    return card, (mx + s / 2, top + s / 2)


def frame(kind, level, i, seed, bgs):
    rng = np.random.default_rng([seed, zlib.crc32(f"{kind}/{level}".encode()), i])
    w, h = ((1280, 720), (1920, 1080))[i % 2]
    if kind == "nocode":
        w, h = (1280, 720) if level == "720p" else (1920, 1080)
        im = background(rng, w, h, bgs)
        im = cv2.GaussianBlur(im, (0, 0), rng.uniform(0.4, 1.2)) * rng.uniform(0.5, 1.1) + rng.normal(
            0, rng.uniform(1, 5), im.shape
        )
        return np.clip(im, 0, 255).astype(np.uint8), "", ""
    p = dict(BASE)
    d = dict(LEVELS[kind])[level]
    if kind == "gate":
        k = {"mild": 0.35, "medium": 0.65, "hard": 1.0}[level]
        u = lambda a, b: a + (b - a) * k * rng.random()
        p.update(
            module=4.2 - u(0, 2.4),
            rot=rng.uniform(-45, 45) * k,
            tilt=u(0, 45),
            sigma=u(0.5, 1.7),
            motion=u(0, 5),
            white=215 - u(0, 150),
            noise=u(2, 7),
            glare=u(0, 0.22) if rng.random() < 0.5 else 0,
            grad=1 + u(0, 4),
            invert=int(rng.random() < 0.25),
            moire=u(0, 0.2),
            jpeg=int(95 - u(0, 70)),
            occl=u(0, 0.03),
            curve=u(0, 40) if rng.random() < 0.3 else 0,
        )
        p["black"] = p["white"] / 8
    else:
        p.update(d)
    text, m, ver, ec = code(rng)
    n = m.shape[0]
    s = p["module"]
    if (n + 10) * s > h * 0.98 and kind != "scale":
        s = h * 0.98 / (n + 10)
    if (n + 9) * s > h:
        w, h = 1920, 1080
    if (n + 9) * s > h:
        s = h / (n + 9)
    ss = 3 if s < 3 else 2  # supersampling
    t = max(4, int(round(s * ss)))
    card, (cx, cy) = carrier(rng, m, t, p["invert"], p["occl"])
    rot = p["rot"] if p["rot"] is not None else rng.uniform(-15, 15)
    rot = np.deg2rad(rot + 90 * int(rng.integers(0, 4) if kind == "rot" else 0))
    tilt = np.deg2rad(p["tilt"] if p["tilt"] is not None else rng.uniform(0, 10))
    axis = rng.uniform(0, 2 * np.pi)
    k = s * ss / t
    side = n * s * ss
    R = lambda a: np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    Rt = (
        R(axis)
        @ np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
        @ R(-axis)
        @ R(rot)
    )
    f = 3.2 * side  # distance of the eye, in code sides
    r = side * 0.5 * (1.0 + 0.25 * min(1, abs(np.sin(2 * rot)))) * 1.12
    px = rng.uniform(min(r, w * ss / 2), max(w * ss - r, w * ss / 2))
    py = rng.uniform(min(r, h * ss / 2), max(h * ss - r, h * ss / 2))
    if p["curve"]:  # paper on a cylinder of angle `curve` over the code's side
        ang = np.deg2rad(p["curve"])
        rad = n * t / ang
        xs = np.arange(card.shape[1], dtype=np.float32) - cx
        u = np.arcsin(np.clip(xs / rad, -0.999, 0.999)) * rad + cx
        z = rad * (1 - np.sqrt(1 - np.clip(xs / rad, -0.999, 0.999) ** 2))
        ysc = 1 + z / (3.2 * n * t)
        mapx = np.repeat(u[None].astype(np.float32), card.shape[0], 0)
        mapy = (np.arange(card.shape[0], dtype=np.float32)[:, None] - cy) * ysc[None].astype(np.float32) + cy
        card = cv2.remap(card, mapx, mapy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    T = np.array([[k, 0, -cx * k], [0, k, -cy * k], [0, 0, 0], [0, 0, 1]], np.float64)
    P = (
        np.array([[f, 0, 0, 0], [0, f, 0, 0], [0, 0, 1, f]])
        @ np.vstack([np.hstack([Rt, np.zeros((3, 1))]), [0, 0, 0, 1]])
        @ T
    )
    H = np.array([[1, 0, px], [0, 1, py], [0, 0, 1]]) @ P
    W2, H2 = w * ss, h * ss
    card = np.clip(card, 0, 1).astype(np.float32)
    c = cv2.warpPerspective(card, H, (W2, H2), flags=cv2.INTER_LINEAR, borderValue=0)
    al = cv2.warpPerspective(np.ones_like(card), H, (W2, H2), flags=cv2.INTER_LINEAR, borderValue=0)
    c = cv2.resize(c, (w, h), interpolation=cv2.INTER_AREA)
    al = cv2.resize(al, (w, h), interpolation=cv2.INTER_AREA)
    lum = p["black"] * al + c * (p["white"] - p["black"])
    if p["moire"]:
        yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
        a1 = rng.uniform(0, np.pi)
        f1 = rng.uniform(0.10, 0.35)
        wv = np.sin(2 * np.pi * f1 * (np.cos(a1) * xx + np.sin(a1) * yy)) + np.sin(
            2 * np.pi * f1 * 1.13 * (np.cos(a1 + 1.4) * xx + np.sin(a1 + 1.4) * yy)
        )
        lum *= 1 + p["moire"] * wv * 0.5
    bg = background(rng, w, h, bgs) * (p["white"] / 255)
    im = bg * (1 - al) + lum
    qx, qy = px / ss, py / ss
    if p["grad"] > 1:
        yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
        a = rng.uniform(0, 2 * np.pi)
        d = ((xx - qx) * np.cos(a) + (yy - qy) * np.sin(a)) / (n * s)
        im = im * p["grad"] ** (-np.clip(d + 0.5, 0, 1))
    if p["glare"]:
        yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
        o = rng.uniform(-0.35, 0.35, 2) * n * s
        e = rng.uniform(0.6, 1.6)
        g = np.exp(
            -(
                ((((xx - qx - o[0]) * e) ** 2 + ((yy - qy - o[1]) / e) ** 2) / (2 * (p["glare"] * n * s / 2) ** 2))
                ** 1.0
            )
        )
        im = im + 420 * g
    if p["motion"] >= 1:
        L = p["motion"]
        K = int(np.ceil(L)) | 1
        a = rng.uniform(0, np.pi)
        ker = np.zeros((K * 8 + 1, K * 8 + 1), np.float32)
        c0 = K * 4
        cv2.line(
            ker,
            (int(round(c0 - np.cos(a) * L * 4)), int(round(c0 - np.sin(a) * L * 4))),
            (int(round(c0 + np.cos(a) * L * 4)), int(round(c0 + np.sin(a) * L * 4))),
            1.0,
            4,
            cv2.LINE_AA,
        )
        ker = cv2.resize(ker, (K, K), interpolation=cv2.INTER_AREA)
        im = cv2.filter2D(im.astype(np.float32), -1, ker / ker.sum())
    if p["sigma"] > 0.05:
        im = cv2.GaussianBlur(im, (0, 0), p["sigma"])
    im = im + rng.normal(0, 1, im.shape) * (p["noise"] * (0.5 + 0.5 * np.sqrt(np.clip(im, 0, 255) / 128)))
    im = np.clip(im, 0, 255).astype(np.uint8)
    if p["jpeg"]:
        im = cv2.imdecode(cv2.imencode(".jpg", im, [cv2.IMWRITE_JPEG_QUALITY, int(p["jpeg"])])[1], cv2.IMREAD_GRAYSCALE)
    return im, text, f"v={ver} ec={ec} module={s:.2f} n={n}"


def job(a):
    kind, level, i, seed, bgs, out = a
    im, text, facts = frame(kind, level, i, seed, bgs)
    rel = f"{kind}/{level.replace('/', '-').replace(':', '-')}_{i:02d}.png"
    cv2.imwrite(os.path.join(out, rel), im, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return [rel, f"syn-{kind}", level, im.shape[1], im.shape[0], text.encode().hex(), facts]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--per", type=int, default=20)
    ap.add_argument("--seed", type=int, default=20261123)
    ap.add_argument("--only")
    ap.add_argument("--bg")
    ap.add_argument("--jobs", type=int, default=2)
    a = ap.parse_args()
    bgs = sorted(glob.glob(os.path.join(a.bg, "*.[pj][np]g"))) if a.bg else []
    kinds = a.only.split(",") if a.only else list(LEVELS)
    jobs = []
    for k in kinds:
        os.makedirs(os.path.join(a.out, k), exist_ok=True)
        for lv, _ in LEVELS[k]:
            for i in range(a.per * (2 if k == "nocode" else 1)):
                jobs.append((k, lv, i, a.seed, bgs, a.out))
    with ProcessPoolExecutor(a.jobs) as ex:
        rows = list(ex.map(job, jobs, chunksize=4))
    with open(os.path.join(a.out, "manifest.csv"), "w", newline="") as f:
        wr = csv.writer(f)
        wr.writerow("path,source,category,width,height,expected_hex,orig".split(","))
        wr.writerows(rows)


if __name__ == "__main__":
    main()
