#!/usr/bin/env bash
# Every benchmark, beside its peer in the same run. Ratios of medians are what counts: see docs/benchmarks.md.
# bench/run.sh [ROUNDS of starts] [ROUNDS of Redis]
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/dist:$PATH:/usr/sbin:/sbin"
export CORACLE_ROOT="${CORACLE_ROOT:-/var/lib/coracle-bench}"

# crun refuses hybrid control groups while the version 2 mount lists a controller. Giving that one to version 1, in a mount
# namespace of our own, cures it; it goes back with the last mount.
if [ -z "${CORACLE_BENCH_INSIDE:-}" ]; then
  exec env CORACLE_BENCH_INSIDE=1 unshare -m "$0" "$@"
fi
unified=/sys/fs/cgroup/unified/cgroup.controllers
made=()
if [ -r "$unified" ]; then
  for controller in $(cat "$unified"); do
    dir="/sys/fs/cgroup/$controller"
    [ -e "$dir" ] || { mkdir "$dir" && made+=("$dir"); }
    mount -t cgroup -o "$controller" cgroup "$dir" 2>/dev/null || true
  done
  trap 'for dir in "${made[@]:-}"; do [ -z "$dir" ] || { umount "$dir"; rmdir "$dir"; } 2>/dev/null || true; done' EXIT
fi

python3 bench/start.py "${1:-20}"
coracle image pack --name redis /usr/bin/redis-server >/dev/null
python3 bench/levels.py "${1:-20}" "${2:-3}"
