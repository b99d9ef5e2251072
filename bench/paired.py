"""Timing of commands in turn: A B C A B C …, so that all see the same drift of the machine."""

import os
import statistics
import subprocess
import time


def run(command):
    """Wall and CPU seconds of one run; CPU counts the command's waited-for descendants."""
    before = os.times()
    begin = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wall = time.perf_counter() - begin
    after = os.times()
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.decode().strip()}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu


def alternate(commands, rounds):
    """Medians of wall milliseconds by name, after one uncounted round."""
    walls = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            wall, _ = run(command)
            if turn:
                walls[name].append(wall * 1000)
    return {name: (min(w), statistics.median(w), max(w)) for name, w in walls.items()}


def bar(text, value, limit):
    """One line of the verdict."""
    word = "met" if value <= limit else "MISSED"
    print(f"  {word:7} {text}: {value:.2f} (bar: {limit:.2f})")
