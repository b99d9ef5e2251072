"""Start to end of the smallest programs: our levels beside crun, runc and bubblewrap."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

from paired import alternate, bar

HELLO = r"""
#include <unistd.h>
int main(void) { return write(1, "hello\n", 6) != 6; }
"""


def bundle(directory, program):
    """A spec-default OCI bundle whose root file system holds one static program."""
    root = os.path.join(directory, "rootfs", "bin")
    os.makedirs(root)
    shutil.copy(program, os.path.join(root, "hello"))
    subprocess.run(["crun", "spec"], cwd=directory, check=True)
    path = os.path.join(directory, "config.json")
    with open(path) as file:
        config = json.load(file)
    config["process"].update(terminal=False, args=["/bin/hello"])
    with open(path, "w") as file:
        json.dump(config, file)


def works(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as directory:
        source, program = os.path.join(directory, "hello.c"), os.path.join(directory, "hello")
        with open(source, "w") as file:
            file.write(HELLO)
        subprocess.run(["gcc", "-O2", "-static", "-o", program, source], check=True)
        subprocess.run(["coracle", "image", "pack", "--name", "hello", program], check=True, stdout=subprocess.DEVNULL)
        packed = os.path.join(directory, "bundle")
        os.makedirs(packed)
        bundle(packed, program)
        ours = lambda level, network: ["coracle", "run", "--rm", "--as", level, "--network", network, "hello"]
        commands = {
            "plain process": [program],
            "coracle container": ours("container", "none"),
            "coracle unikernel": ours("unikernel", "none"),
            "coracle container, bridge": ours("container", "bridge"),
            "coracle unikernel, bridge": ours("unikernel", "bridge"),
        }
        peers = {
            "crun": ["crun", "run", "--bundle", packed, "coracle-bench-crun"],
            "runc": ["runc", "run", "--bundle", packed, "coracle-bench-runc"],
            "bubblewrap": ["bwrap", "--unshare-all", "--ro-bind", packed + "/rootfs", "/", "/bin/hello"],
        }
        for name, command in peers.items():
            if shutil.which(command[0]) and works(command):
                commands[name] = command
            else:
                print(f"SKIP: {name} is not installed or does not run here")
        figures = alternate(commands, rounds)
    print(f"Start to end of a static hello, wall ms, {rounds} rounds in turn: median (lowest, highest)")
    for name, (low, median, high) in figures.items():
        print(f"  {name:28} {median:8.2f}   ({low:.2f}, {high:.2f})")
    median = lambda name: figures[name][1]
    if "crun" in figures:
        bar("container start / crun run", median("coracle container") / median("crun"), 1.0)
    bar("unikernel start / container start", median("coracle unikernel") / median("coracle container"), 1.0)


main()
