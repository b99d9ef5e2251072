"""System calls of one life, by strace; the container's program's own are among them."""

import os
import shutil
import subprocess
import sys
import time
from os.path import dirname

sys.path.append(dirname(dirname(__file__)))

from paired import bar
from runtimes import Field, reap


def trace(command, log):
    words = [shutil.which("strace"), "-f", "-c", "-U", "calls,name", "-o", log, *command]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def counts(log):
    """Calls by name."""
    found = {}
    with open(log) as file:
        for words in (line.split() for line in file):
            if len(words) == 2 and words[0].isdigit() and words[1] != "total":
                found[words[1]] = int(words[0])
    return found


def life(field, runtime):
    """Calls by command and name. `create`'s strace follows the container's process to its end."""
    made = runtime.create("bench-calls", field.true)
    logs = {name: os.path.join(field.directory, f"{runtime.name}-{name}") for name in made.commands}
    create = trace(made.commands["create"], logs["create"])
    deadline = time.monotonic() + 20
    state = runtime.command("state", "bench-calls")
    while b'"created"' not in subprocess.run(state, capture_output=True).stdout:
        if time.monotonic() > deadline:
            raise SystemExit(f"{runtime.name} does not create under strace")
        time.sleep(0.02)
    trace(made.commands["start"], logs["start"]).wait()
    create.wait(20)
    trace(made.commands["delete"], logs["delete"]).wait()
    return {name: counts(log) for name, log in logs.items()}


def main():
    if not shutil.which("strace"):
        print("SKIP: strace is not installed")
        return
    with Field() as field:
        print("System calls of a life of /bin/true (strace -f -c; the program's own are among create's)")
        print("| | create | start | delete | all | clones | execs |\n|---|---|---|---|---|---|---|")
        for name, runtime in field.runtimes.items():
            found = life(field, runtime)
            sums = [sum(found[step].values()) for step in ("create", "start", "delete")]
            of = lambda *calls: sum(step.get(call, 0) for step in found.values() for call in calls)
            clones, execs = of("clone", "clone3", "fork", "vfork"), of("execve", "execveat")
            print(f"| {name} | " + " | ".join(map(str, [*sums, sum(sums), clones, execs])) + " |")
            if name == "coracle-oci":
                most = sorted(((n, c) for step in found.values() for c, n in step.items()), reverse=True)[:12]
                ours = (sum(sums), ", ".join(f"{c} {n}" for n, c in most))
        reap()
        if "coracle-oci" in field.runtimes:
            print(f"the most frequent: {ours[1]}")
            bar("system calls of a life", ours[0], 250)


main()
