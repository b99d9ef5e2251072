"""Create, start, wait and delete of a spec-default container whose program is /bin/true, in turn with the others."""

import shutil
import statistics
import sys
import time
from os.path import dirname

sys.path.append(dirname(dirname(__file__)))

from paired import bar
from runtimes import Field, call, rounds


def once(command):
    """Wall and CPU milliseconds of one command."""
    begin = time.perf_counter()
    cpu = call(command)
    return (time.perf_counter() - begin) * 1000, cpu * 1000


def measure(field, turns):
    steps, cpus, walls = {}, {}, {}
    single = {"plain process": [field.rootfs + "/bin/true"]}
    if shutil.which("bwrap"):
        single["bubblewrap"] = [shutil.which("bwrap"), "--unshare-all", "--ro-bind", field.rootfs, "/", "/bin/true"]
    for name, runtime in field.runtimes.items():
        # youki 0.7 does not always see the end of a program that is so short.
        if name != "youki":
            single[name + " run"] = runtime.command("run", "--bundle", field.true, "bench-run-" + name)
    for turn in range(turns + 2):
        for name, runtime in field.runtimes.items():
            wall, cpu = runtime.create(f"bench-{name}-{turn}", field.true).whole()
            if turn > 1:
                steps.setdefault(name, []).append(wall)
                walls.setdefault(name, []).append(sum(wall.values()))
                cpus.setdefault(name, []).append(cpu)
        for name, command in single.items():
            wall, cpu = once(command)
            if turn > 1:
                walls.setdefault(name, []).append(wall)
                cpus.setdefault(name, []).append(cpu)
    return steps, walls, cpus


def main():
    turns = rounds(40)
    with Field() as field:
        steps, walls, cpus = measure(field, turns)
    median = statistics.median
    base, base_cpu = (median(walls["crun"]), median(cpus["crun"])) if "crun" in walls else (float("nan"),) * 2
    print(f"Start to end of /bin/true, spec-default bundle, ms, medians of {turns} rounds in turn; × is the ratio to crun")
    print("| | wall | lowest | highest | × | CPU | × |\n|---|---|---|---|---|---|---|")
    for name, values in walls.items():
        wall, cpu = median(values), median(cpus[name])
        words = [wall, min(values), max(values), wall / base, cpu, cpu / base_cpu]
        print(f"| {name}{' create+start+delete' if name in steps else ''} | " + " | ".join(f"{w:.2f}" for w in words) + " |")
    print("\nThe commands of a life, wall ms, medians\n| | create | start | until its end | delete |\n|---|---|---|---|---|")
    for name, turns_of in steps.items():
        print(f"| {name} | " + " | ".join(f"{median(t[s] for t in turns_of):.2f}" for s in ("create", "start", "wait", "delete")) + " |")
    verdict(walls, cpus)


def verdict(walls, cpus):
    median = statistics.median
    if "coracle-oci" not in walls:
        return
    if "crun" in walls:
        bar("create+start+delete, coracle-oci / crun, wall", median(walls["coracle-oci"]) / median(walls["crun"]), 0.5)
        bar("create+start+delete, coracle-oci / crun, CPU", median(cpus["coracle-oci"]) / median(cpus["crun"]), 0.5)
    if "bubblewrap" in walls:
        bar("create+start+delete, coracle-oci / bubblewrap, wall", median(walls["coracle-oci"]) / median(walls["bubblewrap"]), 2.0)


main()
