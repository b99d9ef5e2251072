"""Many containers: one after another, and 200 at once. Failures, what is left, and the rate."""

import os
import sys
import time
from os.path import dirname

sys.path.append(dirname(dirname(__file__)))

from paired import bar
from runtimes import Failed, Field, count, end, groups, mounts, reap, spawn

AT_ONCE = 200


def one_after_another(field, runtime, number):
    failures, begin = 0, time.perf_counter()
    for turn in range(number):
        try:
            runtime.create(f"bench-{runtime.name}-{turn}", field.true).whole()
        except (Failed, OSError) as why:
            failures += 1
            complain(failures, why)
    return number / (time.perf_counter() - begin), failures


def at_once(field, runtime):
    """All creates, then all starts, then all deletes."""
    lives = [runtime.create(f"bench-{runtime.name}-{turn}", field.true) for turn in range(AT_ONCE)]
    failures, begin = 0, time.perf_counter()
    for step in ("create", "start", "delete"):
        started = [(life, spawn(life.commands[step])) for life in lives]
        lives = []
        for life, pid in started:
            try:
                end(pid, life.commands[step])
                lives.append(life)
            except Failed as why:
                failures += 1
                complain(failures, why)
        if step == "start":
            for life in lives:
                life.wait()
    rate = AT_ONCE / (time.perf_counter() - begin)
    return rate, failures


def complain(failures, why):
    if failures <= 2:
        print(f"  failed: {why}", file=sys.stderr)


def main():
    number, rates = count(), {}
    with Field() as field:
        print(f"{number} containers one after another, and {AT_ONCE} at once (create all, start all, delete all)")
        print("| | one after another, /s | failures | at once, /s | failures | states, groups, mounts, processes left |\n|---|---|---|---|---|---|")
        for name, runtime in field.runtimes.items():
            before = groups(), mounts()
            rate, failed = one_after_another(field, runtime, number)
            rate_at_once, failed_at_once = at_once(field, runtime)
            rates[name] = rate, rate_at_once
            left = len(runtime.left()), groups() - before[0], mounts() - before[1], processes()
            print(f"| {name} | {rate:.1f} | {failed} | {rate_at_once:.1f} | {failed_at_once} | {', '.join(map(str, left))} |", flush=True)
            reap()
    if "coracle-oci" in rates and "crun" in rates:
        for index, text in enumerate(("one after another", "at once")):
            bar(f"crun's rate / coracle-oci's, {text}", rates["crun"][index] / rates["coracle-oci"][index], 1 / 3)


def processes():
    me = os.getpid()
    with open(f"/proc/{me}/task/{me}/children") as file:
        return len(file.read().split())


main()
