#!/usr/bin/env python3
"""Presentations: somebody brings a code into a gate camera's view, 30 pictures a second.

    presentations.py OUT [--per N] [--seed S] [--bg DIR] [--frames K]

A hand brings a phone or a paper in from one side, tilted, settles, and trembles. The light hunts (a bright screen is blown out
until the exposure has come down), so does the focus; the hand's speed blurs; a dimmed screen has bands that wander with the
rolling shutter; a reflection wanders over glass. All of that at strengths 1, 2 and 3.

Writes OUT/<strength>_<i>/<k>.jpg and OUT/manifest.csv (path, source, category, expected_hex): source = presentation-<strength>,
category = <i>:<k>:<1 when the whole code is in view>. The same seed and the same backgrounds give the same pictures. Needs the
packages in requirements.txt.
"""

import argparse, csv, glob, os
import cv2, numpy as np, segno

cv2.setNumThreads(1)
ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
W, H, RATE = 1280, 720, 30


def carrier(rng):
    """A code with its quiet zone as a texture of 8 pixels a module, and its text."""
    text = "MR1:" + "".join(ALNUM[i] for i in rng.integers(0, 45, int(rng.integers(150, 320))))
    code = segno.make_qr(text, error="lmq"[int(rng.integers(0, 3))], mode="alphanumeric", boost_error=False)
    modules = 1 - np.array([list(row) for row in code.matrix], np.float32)
    return np.kron(np.pad(modules, 4, constant_values=1), np.ones((8, 8), np.float32)), modules.shape[0], text


def pose(t, p, n, strength):
    """Where the code's middle is, how it lies and how far it is tilted, `t` seconds after the hand began to move."""
    come = np.clip(t / p["settle"], 0, 1)
    ease = come * come * (3 - 2 * come)
    shake = strength * (1.2 if come == 1 else 2.5)
    x = p["x"] + (1 - ease) * p["from"] + shake * np.sin(t * p["f"][0] + p["ph"][0])
    y = p["y"] + (1 - ease) * 60 + shake * np.sin(t * p["f"][1] + p["ph"][1])
    tilt = np.deg2rad(p["tilt"] + (1 - ease) * (15 + 10 * strength))
    return x, y, np.deg2rad(p["rot"] + (1 - ease) * 20 + strength * np.sin(t * 5)), tilt


def homography(x, y, rot, tilt, axis, n, module):
    """From texture pixels to the picture's, through a pinhole."""
    turn = lambda a: np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    lean = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    r, f, s, half = turn(axis) @ lean @ turn(rot - axis), 3.2 * n * module, module / 8, (n + 8) * 4
    to = np.array([[s, 0, -half * s], [0, s, -half * s], [0, 0, 0], [0, 0, 1]])
    look = np.array([[f, 0, 0, 0], [0, f, 0, 0], [0, 0, 1, f]]) @ np.vstack([np.hstack([r, np.zeros((3, 1))]), [0, 0, 0, 1]])
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) @ look @ to


def presentation(rng, background, strength, frames):
    texture, n, text = carrier(rng)
    u = rng.uniform
    module = min((4.5, 3.8, 3.2)[strength - 1] * u(0.9, 1.1), 560 / (n + 8))
    screen = rng.random() < 0.7
    p = dict(settle=u(0.4, 0.7), x=W * u(0.42, 0.58), y=H * u(0.44, 0.56), f=u(8, 30, 2), ph=u(0, 6, 2), rot=u(-15, 15),
             tilt=u(2, 6 + 5 * strength))
    p["from"] = rng.choice([-1, 1]) * u(500, 800)
    axis, white = u(0, 6.28), (u(0.75, 0.95) if screen else u(0.5, 0.8))
    glance, wander, band = u(0, 1), u(0.5, 1.5), u(0, 1)
    pwm, period = screen and rng.random() < 0.3 + 0.15 * strength, H / u(4, 10)
    half = (n + 8) * 4
    for k in range(frames):
        t = k / RATE
        x, y, rot, tilt = pose(t, p, n, strength)
        now = homography(x, y, rot, tilt, axis, n, module)
        before = homography(*pose(t - 0.012, p, n, strength), axis, n, module)
        middle = lambda h: (h @ [half, half, 1])[:2] / (h @ [half, half, 1])[2]
        speed = middle(now) - middle(before)
        card = cv2.warpPerspective(texture, now, (W, H), flags=cv2.INTER_AREA)
        there = cv2.warpPerspective(np.ones_like(texture), now, (W, H))
        light = 0.04 + card * (white - 0.04)
        if pwm:
            rows = (np.arange(H)[:, None] / period + band + t * wander * 3) % 1
            light = light * (1 - (0.25 + 0.2 * strength) * (rows < 0.4))
        if screen:
            xs = np.linspace(-0.5, 0.5, W)[None]
            streak = np.exp(-(((xs - (glance - 0.5 + t * wander * 0.4) + np.linspace(-0.1, 0.1, H)[:, None]) / 0.03) ** 2))
            light = light + streak * 0.25 * strength * there
        picture = background * 0.6 * (1 - there) + light * there
        # The exposure comes down from too much in a third of a second, the focus hunts once.
        exposure = 1 + strength * 0.5 * np.exp(-max(t - 0.15, 0) / 0.12) * screen
        focus = 0.6 + 0.9 * strength * np.exp(-(((t - 0.45) / 0.12) ** 2))
        length = float(np.hypot(*speed))
        if length > 1:
            kernel, reach = np.zeros((41, 41), np.float32), np.clip(speed, -19, 19) / 2
            cv2.line(kernel, tuple(int(round(20 - v)) for v in reach), tuple(int(round(20 + v)) for v in reach), 1.0, 1, cv2.LINE_AA)
            picture = picture * (1 - there) + cv2.filter2D(picture.astype(np.float32), -1, kernel / kernel.sum()) * there
        picture = cv2.GaussianBlur((picture * exposure).astype(np.float32), (0, 0), float(focus)) * 255
        noise = cv2.randn(np.zeros((H, W), np.float32), 0, 1)
        picture = np.clip(picture + noise * (1.5 + strength) * np.sqrt(0.3 + np.clip(picture, 0, 255) / 180), 0, 255)
        corners = cv2.perspectiveTransform(np.float32([[[32, 32]], [[2 * half - 32, 32]], [[2 * half - 32] * 2], [[32, 2 * half - 32]]]), now)
        whole = bool((corners > 0).all() and (corners[..., 0] < W).all() and (corners[..., 1] < H).all())
        yield picture.astype(np.uint8), whole, text


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--per", type=int, default=8)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--frames", type=int, default=45)
    ap.add_argument("--bg", required=True)
    a = ap.parse_args()
    files, rows = sorted(glob.glob(a.bg + "/*.[jp][pn]g")), []
    for strength in (1, 2, 3):
        for i in range(a.per):
            rng = np.random.default_rng([a.seed, strength, i])
            cv2.setRNGSeed(a.seed * 1000 + strength * 100 + i)
            ground = cv2.resize(cv2.imread(files[int(rng.integers(0, len(files)))], 0), (W, H)).astype(np.float32) / 255
            os.makedirs(f"{a.out}/{strength}_{i}", exist_ok=True)
            for k, (picture, whole, text) in enumerate(presentation(rng, ground, strength, a.frames)):
                path = f"{strength}_{i}/{k:02d}.jpg"
                cv2.imwrite(f"{a.out}/{path}", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
                rows.append([path, f"presentation-{strength}", f"{i}:{k}:{int(whole)}", text.encode().hex()])
    with open(f"{a.out}/manifest.csv", "w", newline="") as f:
        csv.writer(f).writerows([["path", "source", "category", "expected_hex"], *rows])
