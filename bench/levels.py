"""One Redis at every level: memory, system calls, throughput, CPU per request (`coracle compare`), against the bars."""

import json
import subprocess
import sys

from paired import bar


def main():
    rounds = sys.argv[2] if len(sys.argv) > 2 else "3"
    command = ["coracle", "compare", "--json", "--rounds", rounds, "redis", "redis-server", "--save", "", "--protected-mode", "no"]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    report = json.loads(done.stdout)
    columns = {c["level"]: c for c in report["columns"]}
    print(f"Redis, {rounds} rounds in turn, medians")
    for name in sorted({key for c in columns.values() for key in c["figures"]}):
        cells = [f"{level} {c['figures'][name]['median']:.2f}" for level, c in columns.items() if name in c["figures"]]
        print(f"  {name:18} " + "   ".join(cells))
    for level, column in columns.items():
        if column["failure"]:
            print(f"  {level} was not measured: {column['failure']}")
    value = lambda level, name: columns[level]["figures"][name]["median"]
    if "null_call_ns" not in columns["unikernel"]["figures"]:
        raise SystemExit("the unikernel was not measured")
    bar("null call, unikernel / host", value("unikernel", "null_call_ns") / value("host", "null_call_ns"), 0.2)
    for name in ("get_cpu1", "get_cpu16"):
        bar(f"{name}, unikernel / container", value("unikernel", name) / value("container", name), 1.0)
    extra = value("unikernel", "idle_pss_mib") - value("container", "idle_pss_mib")
    bar("idle PSS, unikernel - container, MiB", extra, 6.0)
    for name in ("get_rps1", "set_rps1", "get_rps16", "set_rps16"):
        print(f"          {name}, unikernel / container: {value('unikernel', name) / value('container', name):.2f}")


main()
