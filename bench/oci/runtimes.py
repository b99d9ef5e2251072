"""The runtimes, a spec-default bundle, and the life of one container: create, start, wait, delete."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
# What the last command that failed said; every command empties it.
COMPLAINT = os.path.join(tempfile.gettempdir(), f"coracle-bench-{os.getpid()}.stderr")
STREAMS = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
STREAMS.append((os.POSIX_SPAWN_OPEN, 2, COMPLAINT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))


PATIENCE = 60


class Failed(Exception):
    """A command of a runtime that failed."""


def too_long(*_):
    raise Failed(f"a command has not ended within {PATIENCE} s")


signal.signal(signal.SIGALRM, too_long)


def spawn(command):
    """Starts a command without the copy of us that fork makes; its input and output are /dev/null."""
    return os.posix_spawn(command[0], command, os.environ, file_actions=STREAMS)


def end(pid, command):
    """Waits for a command, not for ever; its CPU seconds."""
    signal.alarm(PATIENCE)
    _, status, usage = os.wait4(pid, 0)
    signal.alarm(0)
    if status != 0:
        raise Failed(f"{' '.join(command)}: {os.waitstatus_to_exitcode(status)}: {complaint()}")
    return usage.ru_utime + usage.ru_stime


def complaint():
    with open(COMPLAINT, errors="replace") as file:
        return file.readline().strip()


def call(command):
    return end(spawn(command), command)


class Runtime:
    """One OCI runtime with a state directory of its own."""

    def __init__(self, name, binary, directory):
        self.name, self.binary, self.directory = name, binary, directory
        self.root = os.path.join(directory, "state-" + name)
        os.makedirs(self.root, exist_ok=True)

    def command(self, *words):
        return [self.binary, "--root", self.root, *words]

    def create(self, identity, bundle):
        """The three commands of a life are made here, so that nothing is computed while the clock runs."""
        pid_file = os.path.join(self.directory, identity + ".pid")
        return Life(
            identity,
            pid_file,
            self.command("create", "--bundle", bundle, "--pid-file", pid_file, identity),
            self.command("start", identity),
            self.command("delete", identity),
        )

    def force(self, identity):
        subprocess.run(self.command("delete", "--force", identity), stdin=subprocess.DEVNULL, capture_output=True)

    def left(self):
        """Names of states that were left."""
        return [name for name in os.listdir(self.root) if not name.startswith(".")]


class Life:
    """One container. We are the subreaper: its first process becomes our child, and its CPU time is counted."""

    def __init__(self, identity, pid_file, create, start, delete):
        self.identity, self.pid_file = identity, pid_file
        self.commands = {"create": create, "start": start, "delete": delete}

    def step(self, name):
        return call(self.commands[name])

    def pid(self):
        with open(self.pid_file) as file:
            return int(file.read())

    def wait(self):
        """The end of the container's program; its CPU seconds."""
        _, _, usage = os.wait4(self.pid(), 0)
        return usage.ru_utime + usage.ru_stime

    def whole(self):
        """Create, start, wait, delete; wall milliseconds of each command and CPU milliseconds of all."""
        walls, cpu = {}, 0.0
        begin = time.perf_counter()
        for name in ("create", "start", "wait", "delete"):
            cpu += self.wait() if name == "wait" else self.step(name)
            now = time.perf_counter()
            walls[name] = (now - begin) * 1000
            begin = now
        os.unlink(self.pid_file)
        return walls, cpu * 1000


class Field:
    """Everything that a table needs: the bundles and those runtimes that work here."""

    def __init__(self):
        if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise SystemExit("no subreaper can be made")
        self.directory = tempfile.mkdtemp(prefix="coracle-bench-")
        self.rootfs = os.path.join(self.directory, "rootfs")
        make_rootfs(self.rootfs)
        self.true = self.bundle("true", ["/bin/true"])
        self.idle = self.bundle("idle", ["/bin/sleep", "1000000"])
        self.runtimes = {}
        wanted = {"coracle-oci": os.environ.get("CORACLE_OCI_BIN", "coracle-oci"), "crun": "crun", "runc": "runc", "youki": "youki"}
        for name, program in wanted.items():
            self.consider(name, shutil.which(program))

    def consider(self, name, binary):
        if binary is None:
            print(f"SKIP: {name} is not installed")
            return
        runtime = Runtime(name, binary, self.directory)
        try:
            runtime.create("bench-trial", self.true).whole()
            self.runtimes[name] = runtime
        except (Failed, OSError) as why:
            print(f"SKIP: {name} does not run here: {why}")
            runtime.force("bench-trial")
        reap()

    def bundle(self, name, args):
        """`runc spec` (crun's where there is no runc), without a terminal."""
        directory = os.path.join(self.directory, "bundle-" + name)
        os.makedirs(directory)
        os.symlink(self.rootfs, os.path.join(directory, "rootfs"))
        subprocess.run([shutil.which("runc") or "crun", "spec"], cwd=directory, check=True)
        path = os.path.join(directory, "config.json")
        with open(path) as file:
            config = json.load(file)
        config["process"].update(terminal=False, args=args)
        config["root"]["path"] = self.rootfs
        with open(path, "w") as file:
            json.dump(config, file)
        return directory

    def close(self):
        reap()
        for runtime in self.runtimes.values():
            for identity in runtime.left():
                runtime.force(identity)
        shutil.rmtree(self.directory, ignore_errors=True)
        os.unlink(COMPLAINT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def make_rootfs(rootfs):
    for name in ("bin", "dev", "proc", "sys", "etc", "tmp"):
        os.makedirs(os.path.join(rootfs, name))
    shutil.copy(shutil.which("busybox"), os.path.join(rootfs, "bin/busybox"))
    for applet in ("true", "sleep", "sh"):
        os.symlink("busybox", os.path.join(rootfs, "bin", applet))


def reap():
    """Ends and waits for what became our child."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            for child in children():
                os.kill(child, signal.SIGKILL)
            time.sleep(0.01)


def children():
    me = os.getpid()
    with open(f"/proc/{me}/task/{me}/children") as file:
        return [int(pid) for pid in file.read().split()]


def groups():
    """How many control groups there are, in all hierarchies."""
    return sum(1 for _ in os.walk("/sys/fs/cgroup"))


def mounts():
    with open("/proc/self/mountinfo") as file:
        return sum(1 for _ in file)


def rounds(default):
    return int(sys.argv[1]) if len(sys.argv) > 1 else default


def count(default=1000):
    return int(os.environ.get("COUNT", default))
