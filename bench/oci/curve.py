"""Does a start become slower with the containers that run, or with the host's mounts?"""

import os
import statistics
import subprocess
import sys
from os.path import dirname

sys.path.append(dirname(dirname(__file__)))

from paired import bar
from runtimes import Failed, Field, count, reap, rounds


def starts(field, runtimes, turns):
    """Medians of wall ms."""
    walls = {name: [] for name in runtimes}
    for turn in range(turns + 1):
        for name, runtime in runtimes.items():
            wall, _ = runtime.create(f"bench-{name}-c{turn}", field.true).whole()
            if turn:
                walls[name].append(sum(wall.values()))
    return {name: statistics.median(values) for name, values in walls.items()}


def points():
    return [n for n in (0, 10, 100, 500, 1000) if n <= count()]


def with_containers(field, turns):
    """The containers that run are coracle-oci's own, or crun's where it is missing."""
    table, lives = [], []
    keeper = field.runtimes.get("coracle-oci") or field.runtimes["crun"]
    try:
        for number in points():
            while len(lives) < number:
                life = keeper.create(f"bench-kept-{len(lives)}", field.idle)
                life.step("create")
                lives.append(life)
                life.step("start")
            table.append((number, starts(field, field.runtimes, turns)))
    finally:
        for life in lives:
            try:
                os.kill(life.pid(), 9)
                life.wait()
                life.step("delete")
            except (Failed, OSError) as why:
                print(f"  a kept container: {why}", file=sys.stderr)
    return table


def with_mounts(field, turns):
    """Mounts in the namespace that the runtimes start in, which each container's is a copy of."""
    table, made = [], []
    place = os.path.join(field.directory, "mounts")
    try:
        for number in points():
            while len(made) < number:
                target = os.path.join(place, str(len(made)))
                os.makedirs(target)
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "bench", target], check=True)
                made.append(target)
            table.append((number, starts(field, field.runtimes, turns)))
    finally:
        for target in made:
            subprocess.run(["umount", target], check=True)
    return table


def show(title, table):
    names = list(table[0][1])
    print(title)
    print("| | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
    for number, medians in table:
        print(f"| {number} | " + " | ".join(f"{medians[name]:.2f}" for name in names) + " |")
    print(flush=True)
    if "coracle-oci" in names:
        bar(f"the last row / the first, coracle-oci", table[-1][1]["coracle-oci"] / table[0][1]["coracle-oci"], 1.25)


def main():
    turns = max(5, rounds(40) // 2)
    with Field() as field:
        show(f"create+start+delete of /bin/true, wall ms, medians of {turns}, by running containers", with_containers(field, turns))
        reap()
        show("the same by mounts of the host", with_mounts(field, turns))


main()
