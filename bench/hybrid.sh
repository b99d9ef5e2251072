# To be sourced first by a benchmark: executes it again in a mount namespace of its own where crun works.
#
# crun refuses hybrid control groups while the version 2 mount lists a controller. Giving that one to version 1, in the
# mount namespace, cures it; it goes back with the last mount.
if [ -z "${CORACLE_BENCH_INSIDE:-}" ]; then
  exec env CORACLE_BENCH_INSIDE=1 unshare -m "$0" "$@"
fi
unified=/sys/fs/cgroup/unified/cgroup.controllers
made=()
if [ -r "$unified" ]; then
  for controller in $(cat "$unified"); do
    dir="/sys/fs/cgroup/$controller"
    [ -e "$dir" ] || { mkdir "$dir" && made+=("$dir"); }
    # The hierarchy of a run before this one may be dying still.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      mount -t cgroup -o "$controller" cgroup "$dir" 2>/dev/null && break
      sleep 0.5
    done
  done
  # A hierarchy with groups, or with dying ones, would outlive its last mount.
  leave() {
    for dir in "${made[@]:-}"; do
      [ -n "$dir" ] || continue
      find "$dir" -mindepth 1 -depth -type d -exec rmdir {} +
      sleep 0.5
      umount "$dir" && rmdir "$dir"
    done 2>/dev/null || true
  }
  trap leave EXIT
fi
