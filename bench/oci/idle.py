"""What an idle container weighs: its runtime's processes that stay, and the memory that the host has less."""

import json
import os
import shutil
import subprocess
import sys
import time
from os.path import dirname

sys.path.append(dirname(dirname(__file__)))

from paired import bar
from runtimes import Failed, Field, children, count, reap


def pss(pid):
    """KiB; nothing of a process that has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except ProcessLookupError:
        return 0


def available():
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))


def settled():
    """MemAvailable lags: what was freed by process exits comes a moment later."""
    time.sleep(1)
    return available()


def of_runtime(field, runtime, number):
    """Created ones (the process waits for `start`), then running ones."""
    before, lives, failures = settled(), [], 0
    for turn in range(number):
        life = runtime.create(f"bench-idle-{turn}", field.idle)
        try:
            life.step("create")
            lives.append(life)
        except Failed as why:
            failures += 1
            print(f"  failed: {why}", file=sys.stderr)
    firsts = {life.pid() for life in lives}
    waiting = sum(map(pss, firsts)) / max(len(firsts), 1)
    for life in lives:
        life.step("start")
    extra = sum(pss(pid) for pid in children() if pid not in firsts) / max(len(lives), 1)
    program = sum(map(pss, firsts)) / max(len(firsts), 1)
    host = (before - settled()) / max(len(lives), 1)
    for life in lives:
        os.kill(life.pid(), 9)
    for life in lives:
        life.wait()
        life.step("delete")
    return waiting, program, extra, host, failures


def of_engine(number):
    """`coracle run -d`: a supervisor for each."""
    root = os.environ.setdefault("CORACLE_ROOT", "/var/lib/coracle-bench")
    subprocess.run(["coracle", "image", "pack", "--name", "idle", shutil.which("busybox"), "sleep"], check=True, stdout=subprocess.DEVNULL)
    before, failures, names = settled(), 0, [f"bench-idle-{turn}" for turn in range(number)]
    for name in names:
        command = ["coracle", "run", "-d", "--network", "none", "--name", name, "idle", "sleep", "1000000"]
        failures += subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode != 0
    own = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_supervisor(pid, root)]
    weight = sum(map(pss, own)) / max(len(own), 1)
    host = (before - settled()) / number
    begin = time.perf_counter()
    subprocess.run(["coracle", "ps", "-q"], check=True, stdout=subprocess.DEVNULL)
    listing = (time.perf_counter() - begin) * 1000
    for start in range(0, number, 50):
        subprocess.run(["coracle", "rm", "-f", *names[start : start + 50]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    left = json.loads(subprocess.run(["coracle", "system", "check", "--json"], capture_output=True).stdout or "[]")
    return len(own), weight, host, failures, listing, len(left)


def is_supervisor(pid, root):
    try:
        if os.path.basename(os.readlink(f"/proc/{pid}/exe")) != "coracle":
            return False
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"CORACLE_ROOT={root}".encode() in file.read().split(b"\0")
    except OSError:
        return False


def main():
    number = count()
    with Field() as field:
        print(f"{number} idle containers (sleep, static), KiB for each")
        print("| | PSS while it waits for start | PSS of the program | PSS of what stays beside it | host's memory | failures |\n|---|---|---|---|---|---|")
        for name, runtime in field.runtimes.items():
            if name in ("runc", "youki") and number > 200:
                print(f"| {name} | not measured: its waiting processes are too heavy for {number} |")
                continue
            waiting, program, extra, host, failures = of_runtime(field, runtime, number)
            print(f"| {name} | {waiting:.0f} | {program:.0f} | {extra:.0f} | {host:.0f} | {failures} |", flush=True)
            reap()
    if shutil.which("coracle"):
        supervisors, weight, host, failures, listing, left = of_engine(number)
        print(f"`coracle run -d`: {supervisors} supervisors, PSS {weight:.0f} KiB each; host's memory {host:.0f} KiB each; "
              f"{failures} failures; `coracle ps` {listing:.0f} ms; {left} findings of `system check` after")
        bar("supervisor's PSS, MiB", weight / 1024, 1.0)


main()
