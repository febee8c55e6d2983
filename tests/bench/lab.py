# SPDX-License-Identifier: Apache-2.0
"""The place where the bench runs: a temporary directory, a share of the processor, a second
mount namespace for peers that need one, and the timer.  Lab.close() takes all of it away again
and says what was left behind."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile

APPLETS = ("sh", "true", "sleep", "cat", "echo", "id")
ROOT_DIRECTORIES = ("bin", "dev", "dev/shm", "dev/pts", "proc", "sys", "tmp", "etc", "run", "var/tmp")
# Podman binds its own files over the empty ones, and cannot make them in a read-only root.
ROOT_FILES = (
    ("etc/passwd", "root:x:0:0:root:/:/bin/sh\n"), ("etc/group", "root:x:0:\n"),
    ("etc/hosts", ""), ("etc/hostname", ""), ("etc/resolv.conf", ""), ("run/.containerenv", ""),
)

# Twenty times the usual share: otherwise other load adds a 4 ms time slice to every hand-over.
CPU_SHARES = 20480

# crun refuses a hybrid machine as long as it sees the empty cgroup2 mount.  /run and /dev/shm
# are where the peers keep state and locks that nothing removes.
HIDE = """
set -e
awk '$3 == "cgroup" { v1 = 1 } $3 == "cgroup2" { v2 = $2 } END { if (v1 && v2) print v2 }' \
        /proc/self/mounts | while read -r at; do umount "$at"; done
mount -t tmpfs bench-run /run
mount -t tmpfs bench-shm /dev/shm
echo ready
read -r end || true
"""


PR_SET_CHILD_SUBREAPER = 36


class NotRun(Exception):
    """A competitor cannot run here; the text is its own error."""


def first_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].strip() if lines else "no error text"


class Lab:
    def __init__(self, build):
        self.tag = f"coffer-bench-{os.getpid()}"
        self.floor = os.path.join(build, "tests/bench/floor")
        self.timer = os.path.join(build, "tests/bench/timer")
        self.coffer = os.path.join(build, "bin/coffer")
        self.left = []
        self.share = None
        self.holder = None
        self.kept = []  # processes of the peers that hold a box
        self.dir = tempfile.mkdtemp(prefix="coffer-bench-", dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "HOME": self.dir, "LANG": "C.UTF-8", "COFFER_HOME": self.path("home")}
        self.root = self.path("root")
        self.filter = self.path("filter.bpf")

    def furnish(self):
        os.chmod(self.dir, 0o755)  # box root is another user here
        self.make_root(self.root)
        with open(self.filter, "wb") as f:
            subprocess.run([self.floor, "filter"], stdout=f, check=True)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def make_root(self, root):
        """A root file system of one static busybox."""
        for directory in ROOT_DIRECTORIES:
            os.makedirs(os.path.join(root, directory), exist_ok=True)
        busybox = os.path.join(root, "bin/busybox")
        shutil.copy("/bin/busybox", busybox)
        for applet in APPLETS:
            os.link(busybox, os.path.join(root, "bin", applet))
        for file, text in ROOT_FILES:
            write(os.path.join(root, file), text)

    # ---- the share of the processor ----

    def take_share(self):
        """Only where the v1 cpu controller is; answers what to tell the reader."""
        with open("/proc/self/mounts", encoding="ascii") as f:
            for _, at, kind, options, *_ in (line.split() for line in f):
                if kind == "cgroup" and "cpu" in options.split(","):
                    break
            else:
                return "no cpu controller to raise our share with: other load shows in the numbers"
        with open("/proc/self/cgroup", encoding="ascii") as f:
            mine = {c: path for _, cs, path in (line.strip().split(":", 2) for line in f)
                    for c in cs.split(",")}
        self.share = (os.path.join(at, self.tag), os.path.join(at, mine["cpu"].lstrip("/")))
        os.mkdir(self.share[0])
        write(os.path.join(self.share[0], "cpu.shares"), CPU_SHARES)
        write(os.path.join(self.share[0], "cgroup.procs"), os.getpid())
        return f"in a cpu cgroup with {CPU_SHARES // 1024} times the usual share"

    # ---- the namespace of the peers ----

    def hidden_namespace(self):
        if self.holder is None:
            self.holder = subprocess.Popen(
                ["unshare", "-m", "--propagation", "private", "sh", "-c", HIDE], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
            if self.holder.stdout.readline() != "ready\n":
                raise NotRun(first_line(self.holder.stderr.read()))
        return f"/proc/{self.holder.pid}/ns/mnt"

    # ---- running ----

    def run(self, argv, hidden=False):
        """Runs a command and answers what it printed; its error becomes a NotRun."""
        if hidden:
            argv = ["nsenter", f"--mount={self.hidden_namespace()}", *argv]
        try:
            done = subprocess.run(argv, env=self.env, text=True, capture_output=True, timeout=60,
                                  stdin=subprocess.DEVNULL, check=False)
        except (OSError, subprocess.TimeoutExpired) as e:
            raise NotRun(str(e)) from e
        if done.returncode != 0:
            raise NotRun(first_line(done.stderr))
        return done.stdout.strip()

    def time(self, mode, options, rows):
        """Runs the timer over all rows; answers one dictionary per row."""
        words = [word for row in rows for word in row]
        with subprocess.Popen([self.timer, mode, *map(str, options), *words], env=self.env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as timer:
            try:
                results = [json.loads(line) for line in timer.stdout]
            except BaseException:  # a signal
                self.end_run(timer)
                raise
        if timer.returncode != 0:
            raise RuntimeError(f"timer {mode}: exit status {timer.returncode}")
        return results

    def time_idle(self, number, row, tidy):
        """Parks up to number boxes; answers one dictionary per count."""
        with subprocess.Popen([self.timer, "idle", "-n", str(number), *row], env=self.env, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as timer:
            results = [json.loads(line) for line in timer.stdout]
            tidy()
            timer.stdin.close()
        return results

    # ---- the end ----

    def release(self):
        """Ends the processes that hold a box for the peers."""
        for process in self.kept:
            process.kill()
            process.wait()
        self.kept.clear()

    def end_run(self, timer):
        """Ends the timer and all that it has under way.  Whatever dies hands its children up to us,
        and only our own children are killed: until we wait for one, its pid means no other process."""
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        timer.kill()
        timer.wait()
        keep = {str(process.pid) for process in (self.holder, *self.kept) if process}
        while strays := children() - keep:
            for pid in strays:
                os.kill(int(pid), signal.SIGKILL)
                os.waitpid(int(pid), 0)

    def close(self):
        if self.holder is not None:
            self.holder.communicate()  # closes its input, which ends it
        if self.share is not None:
            write(os.path.join(self.share[1], "cgroup.procs"), os.getpid())
        self.remove_cgroups()
        self.remove_mounts()
        shutil.rmtree(self.dir, ignore_errors=True)
        if os.path.exists(self.dir):
            self.left.append(self.dir)
        return self.left

    def remove_cgroups(self):
        """Ours only: they carry our tag."""
        for at, names, _ in os.walk("/sys/fs/cgroup", topdown=False):
            for name in names:
                path = os.path.join(at, name)
                if self.tag not in path:
                    continue
                try:
                    os.rmdir(path)
                except OSError as e:
                    self.left.append(f"{path} ({e.strerror})")

    def remove_mounts(self):
        """A removal must never walk into a mount.  Only this private namespace sees them."""
        with open("/proc/self/mounts", encoding="utf-8") as f:
            mounts = [line.split()[1] for line in f]
        for at in reversed([at for at in mounts if at.startswith(self.dir + "/")]):
            self.left.append(f"mount {at}")
            subprocess.run(["umount", "-l", at], check=False)


def write(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(value))


def children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as f:
        return set(f.read().split())
