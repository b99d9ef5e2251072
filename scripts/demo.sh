#!/usr/bin/env bash
# The main job: one real application, packed once, run as a container, as a unikernel and as a microVM, driven by its real
# client, and measured side by side.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/dist:$PATH:/usr/sbin:/sbin"
export CORACLE_ROOT="${CORACLE_ROOT:-/var/lib/coracle-demo}"
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

cleanup() { coracle rm -f r1 r2 r3 >/dev/null 2>&1 || true; }
trap cleanup EXIT
cleanup

say "This machine"
run coracle system info
if ! coracle kernel ls >/dev/null 2>&1; then
  say "The guest kernel of microVMs (Debian's cloud kernel, once)"
  run coracle kernel install
fi

say "One image: the host's Redis and everything that it needs"
run coracle image pack --name redis /usr/bin/redis-server
run coracle image ls

say "The same image at three levels"
command=(redis redis-server --save "" --protected-mode no)
run coracle run --as container -d -p 7001:6379 -m 256M --cpus 1 --name r1 "${command[@]}"
run coracle run --as unikernel -d -p 7002:6379 -m 256M --name r2 "${command[@]}"
run coracle run --as microvm   -d -p 7003:6379 -m 256M --name r3 "${command[@]}"
run coracle ps

say "Its real client"
for port in 7001 7002 7003; do
  for _ in $(seq 300); do redis-cli -p "$port" ping 2>/dev/null | grep -q PONG && break; sleep 0.1; done
  run redis-cli -p "$port" set greeting "hello from port $port"
  run redis-cli -p "$port" get greeting
done
cleanup

say "What each level costs"
run coracle compare --rounds "${DEMO_ROUNDS:-3}" redis redis-server --save "" --protected-mode no
run coracle system check
