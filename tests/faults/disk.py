#!/usr/bin/env python3
"""What a gate does on a disk that is slow, hangs or fails; prints the table of docs/reliability.md.

usage: disk.py PATH-TO-CHECKPOINTD [SECONDS [STORY]]

Starts the real daemon on a kept demonstration gate with a scan engine's socket as its only reader, shows it an admissible code several times a
second, and counts what opened, what the log says afterwards, and how long the first admission after the fault took. Needs gcc. A full disk is
`cargo test -p tests --test log_full_disk`. Travellers are different codes in turn; anti-passback is off.
"""
import json, mmap, os, shutil, signal, socket, sqlite3, struct, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.abspath(sys.argv[1])
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
ONLY = sys.argv[3] if len(sys.argv) > 3 else None
WORK = tempfile.mkdtemp(prefix="disk-")
SHIM, GATE = WORK + "/disk.so", WORK + "/gate"
EIO, ENOSPC = 5, 28


class Control:
    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(bytes(4096))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 4096)

    def set(self, flush_us=0, flush_errno=0, write_errno=0):
        struct.pack_into("III", self.map, 0, flush_us, flush_errno, write_errno)

    def opens(self):
        return struct.unpack_from("I", self.map, 12)[0]


class Gate:
    def __init__(self, name):
        self.dir = f"{WORK}/{name}"
        self.state = self.dir + "/state"
        os.makedirs(self.dir + "/run")
        os.makedirs(self.state, exist_ok=True)
        shutil.copy(GATE + "/device.key", self.state)
        self.control = Control(self.dir + "/control")
        with open(self.dir + "/config.toml", "w") as file:
            file.write(f"""
[checkpoint]
id = "disk"
relying = "440000"
[places]
state = "{self.state}"
runtime = "{self.dir}/run"
[trust]
seed = "{GATE}/trust"
[page]
enabled = false
[[lane]]
id = "1"
readers = ["socket:{self.dir}/run/reader"]
same_symbol_timeout = "100ms"
rearm = "0s"
show_for = "200ms"
[lane.camera]
device = "none"
[lane.gate]
driver = "file"
path = "{self.dir}/run/gate"
open_for = "100ms"
""")
        self.start()

    def start(self):
        env = dict(os.environ, LD_PRELOAD=SHIM, DISK_CONTROL=self.dir + "/control")
        self.journal = open(self.dir + "/journal", "ab")
        self.process = subprocess.Popen([PROGRAM, "--config", self.dir + "/config.toml", "run"],
                                        stdout=self.journal, stderr=self.journal, env=env)

    def reader(self, within=15):
        until = time.monotonic() + within
        while True:
            there = socket.socket(socket.AF_UNIX)
            try:
                there.connect(self.dir + "/run/reader")
                return there
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def stop(self):
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return time.monotonic() - start

    def rows(self, where):
        log = sqlite3.connect(f"file:{self.state}/scans.db?mode=ro", uri=True)
        return log.execute(f"SELECT count(*) FROM entries WHERE {where}").fetchone()[0]

    def gaps(self):
        log = sqlite3.connect(f"file:{self.state}/scans.db?mode=ro", uri=True)
        bodies = [json.loads(body) for body, in log.execute("SELECT body FROM entries WHERE kind = 'gap'")]
        return ", ".join(str(gap.get("openings") or f"at most {gap.get('at_most')}") for gap in bodies) or "–"


def show(gate, reader, codes, seconds, every=0.15):
    shown, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        reader.sendall((codes[shown % len(codes)] + "\n").encode())
        shown += 1
        time.sleep(every)
    return shown


def story(name, codes, fault, kill=False):
    if ONLY and name != ONLY:
        return
    gate = Gate(name.replace(" ", "-").replace(",", ""))
    reader = gate.reader()
    show(gate, reader, codes, 1.5)
    before, opened = gate.rows("body ->> '$.verdict' = 'admit'"), gate.control.opens()
    gate.control.set(**fault)
    shown = show(gate, reader, codes, SECONDS)
    opens = gate.control.opens() - opened
    if kill:
        gate.process.kill()
        gate.process.wait()
        gate.control.set()
        healed = time.monotonic()
        gate.start()
        reader = gate.reader()
    else:
        gate.control.set()
        healed = time.monotonic()
    at = gate.control.opens()
    while gate.control.opens() == at and time.monotonic() - healed < 60:
        show(gate, reader, codes, 0.15)
    recovered = time.monotonic() - healed
    time.sleep(1.5)
    after = gate.control.opens()
    end = gate.stop()
    rows = gate.rows("body ->> '$.verdict' = 'admit'") - before
    late = after - opened - opens
    sound = subprocess.run([PROGRAM, "--config", gate.dir + "/config.toml", "log", "verify"], capture_output=True).returncode == 0
    print(f"| {name} | {shown} | {opens} | {max(0, opens + late - rows)} | {gate.gaps()} | {recovered:.1f} s | {end:.1f} s | "
          f"{'sound' if sound else 'NOT SOUND'} |", flush=True)


def main():
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", SHIM, HERE + "/disk.c", "-ldl"], check=True)
    # The demonstration makes a country, a gate and codes; whether it has shown them all is of no interest here.
    demo = subprocess.Popen([PROGRAM, "demo", "--once", "--keep", GATE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists(GATE + "/scans.db-head"):
        if demo.poll() is not None:
            sys.exit("the demonstration ended at once")
        time.sleep(0.1)
    demo.terminate()
    demo.wait()
    lines = open(GATE + "/codes.txt").read().split("\n")
    codes = [lines[at] for at in (0, 1, 2, 3, 5)]
    print("| disk | shown | opened | of these without a row | `gap` row | first admission afterwards | end after SIGTERM | `log verify` |")
    print("|---|---|---|---|---|---|---|---|")
    story("healthy", codes, {})
    story("a flush takes 40 ms", codes, {"flush_us": 40_000})
    story("a flush takes 200 ms", codes, {"flush_us": 200_000})
    story("a flush takes 30 s", codes, {"flush_us": 30_000_000})
    story("hangs", codes, {"flush_us": 3_600_000_000})
    story("hangs, then killed", codes, {"flush_us": 3_600_000_000}, kill=True)
    story("a flush fails (EIO)", codes, {"flush_errno": EIO})
    story("a write fails (EIO)", codes, {"write_errno": EIO})
    story("a write fails (ENOSPC)", codes, {"write_errno": ENOSPC})
    shutil.rmtree(WORK, ignore_errors=True)


main()
