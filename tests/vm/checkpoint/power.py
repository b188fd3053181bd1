"""Judges what the power test found: power.py OUT.

Every signal that the gate got (noted outside of the machine) must have its row. Rows are chained, so what a cut takes is taken from the
end: the n-th signal of a boot belongs to the n-th row of that boot, and came after it. What each boot found must be sound, too.
Ends with 0 when nothing is amiss; prints what is, and the numbers.
"""
import bisect
import glob
import json
import os
import statistics
import sys


def numbered(out, word):
    paths = glob.glob(os.path.join(out, word + ".*"))
    return {int(path.rsplit(".", 1)[1]): path for path in paths if path.rsplit(".", 1)[1].isdigit()}


def moments(out, name):
    """Lines of a boot's number and microseconds."""
    with open(os.path.join(out, name)) as lines:
        return [(int(boot), int(micros) // 1000) for boot, micros in (line.split() for line in lines)]


def spread(name, values):
    values = sorted(values)
    if values:
        print(f"{name}: median {statistics.median(values):.0f} ms, least {values[0]}, most {values[-1]}, of {len(values)}")


def main(out):
    found = {boot: open(path).read().splitlines() for boot, path in numbered(out, "found").items()}
    rows = numbered(out, "rows")
    cuts = [line.split()[1:] for line in open(os.path.join(out, "cuts"))]
    amiss = [
        f"boot {boot}: {line}"
        for boot, lines in sorted(found.items())
        for line in lines
        if "FAILED" in line or line.startswith("file-system")
    ]
    last = max(rows)
    times = [json.loads(line)["row"]["at_ms"] for line in open(rows[last])]
    began = moments(out, "began")
    starts = [at for _, at in began]
    signals = {}
    for _, at in moments(out, "acked"):
        signals.setdefault(bisect.bisect(starts, at), []).append(at)
    of_boot = {}
    for at in times:
        of_boot.setdefault(bisect.bisect(starts, at), []).append(at)
    lost = spare = given = 0
    for boot in range(1, len(starts) if began[-1][0] == last else len(starts) + 1):
        acked, written = signals.get(boot, []), of_boot.get(boot, [])
        given += len(acked)
        spare += max(0, len(written) - len(acked))
        missing = sum(1 for n, at in enumerate(acked) if n >= len(written) or written[n] > at)
        if missing:
            amiss.append(f"LOST: boot {began[boot - 1][0]}: {missing} of {len(acked)} signals have no row")
            lost += missing
    print(
        f"cuts {len(cuts)}: {sum('scanning' in cut for cut in cuts)} while scanning, {sum('sync' in cut for cut in cuts)} of them while "
        f"syncing; {sum('starting' in cut for cut in cuts)} while starting. Boots that looked at what a cut left: {len(found) - 1}"
    )
    print(f"gate signals {given}, signals without a row {lost}; rows whose signal the cut came before {spare}")
    said = [line for lines in found.values() for line in lines]
    print(
        f"log verified {said.count('log ok')}; lists verified {said.count('lists ok')}; second store at generation 1: "
        f"{said.count('sync ok 1')}, 2: {said.count('sync ok 2')}"
    )
    for name, word in (("kernel start to ready", "boot-to-ready-ms"), ("program start to ready", "start-to-ready-ms")):
        spread(name, [int(line.split()[1]) for line in said if line.startswith(word + " ")])
    for line in amiss:
        print(line)
    print("nothing amiss" if not amiss else f"AMISS: {len(amiss)} findings, {lost} signals lost")
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
