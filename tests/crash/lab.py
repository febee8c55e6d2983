# SPDX-License-Identifier: Apache-2.0
"""Boxes for tests that kill: a home, its commands, and proof that nothing is left of them.

The test is the subreaper of all it starts, so a shim whose client is gone becomes its child: what
is left of a box, and who is a zombie, is seen in the test's own children, whoever else uses boxes
on this machine.
"""
import ctypes
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

LIMIT = 40  # seconds for anything; on a busy machine much is slow, but nothing is endless
PR_SET_CHILD_SUBREAPER = 36


class Wrong(Exception):
    """What a test found; the words are its verdict."""


class Struck(Exception):
    """The fault has done what it was to do."""


class Result:
    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err

    def __str__(self):
        return f"coffer {' '.join(self.argv)}: status {self.status}: {self.err.strip()!r}"


def become_subreaper():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "become a subreaper")


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("latin-1")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def children(pid):
    found = []
    for task in read_dir(f"/proc/{pid}/task"):
        found += map(int, read(f"/proc/{pid}/task/{task}/children").split())
    return found


def read_dir(path):
    try:
        return os.listdir(path)
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return []


def describe(pid):
    stat = read(f"/proc/{pid}/stat").rpartition(")")
    return f"{pid} {stat[0].partition('(')[2]} ({stat[2].split()[0] if stat[2] else 'gone'})"


def reap():
    """Collect the orphans that have ended."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def wait_for(what, ready, seconds=LIMIT):
    """For what gives nothing to wait on."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Wrong(f"never came: {what}")
        select.select([], [], [], 0.01)


def mounts():
    return sorted(" ".join(line.split()[2:5])
                  for line in read("/proc/self/mountinfo").splitlines())


class Lab:
    """One home and the programs that use it."""

    def __init__(self, programs):
        self.programs = programs
        self.home = tempfile.mkdtemp(prefix="crash-")
        self.trace = None
        self.fault = None
        self.stop_at = None  # a line of the trace
        self.ids = set()
        self.mounts = mounts()
        self.results = []
        self.going = []  # commands in the background
        self.cut_off = False  # a client that starts a box was killed, or has failed

    # ------------------------------------------------------------------------- commands

    def environment(self, fault):
        env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8",
               "COFFER_HOME": self.home}
        if self.trace:
            env["COFFER_FAULT_TRACE"] = self.trace
        if fault:
            env["COFFER_FAULT"] = fault
        return env

    def command(self, *argv):
        return [os.path.join(self.programs, "coffer"), *argv]

    def begin(self, *argv, **options):
        """A command in the background, with the fault."""
        return subprocess.Popen(self.command(*argv), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                errors="replace", env=self.environment(self.fault), **options)

    def end(self, process, limit=LIMIT):
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Wrong(f"coffer {' '.join(process.args[1:])}: not done after {limit} s") from None
        result = Result(process.args[1:], process.returncode, out, err)
        self.results.append(result)
        self.note_end(process)
        self.check_struck()
        return result

    def note_end(self, process):
        """Of a client with the fault."""
        if self.fault and process.args[1] in ("run", "start") and process.returncode != 0:
            self.cut_off = True

    def check_struck(self):
        if self.stop_at and self.stop_at in read(self.trace):
            raise Struck

    def faulty(self, *argv, limit=LIMIT):
        """A command in which the fault may strike: how it ends is for the judge to say."""
        return self.end(self.begin(*argv), limit)

    def coffer(self, *argv, limit=LIMIT):
        """A command of somebody who knows of no fault."""
        fault, self.fault = self.fault, None
        try:
            return self.faulty(*argv, limit=limit)
        finally:
            self.fault = fault

    def must(self, *argv, status=0):
        r = self.coffer(*argv)
        if r.status != status:
            raise Wrong(f"{r}, expected {status}")
        return r

    # ---------------------------------------------------------------------------- boxes

    def inspect(self, name):
        r = self.coffer("inspect", name)
        if r.status == 0:
            self.results.pop()  # nothing to tell
            return json.loads(r.out)[0]
        if "there is no box" in r.err or "was removed" in r.err:
            return None
        raise Wrong(str(r))

    def shim_pid(self, name):
        """From the record, or None when there is none."""
        box = self.inspect(name)
        identity = read(f"{self.home}/boxes/{box['Id']}/identity") if box else ""
        found = re.search(r"^pid (\d+)$", identity, re.M)
        return int(found[1]) if found else None

    def kill(self, *pids):
        """SIGKILL, and wait until it has happened."""
        for pid in pids:
            try:
                fd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            try:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                select.select([fd], [], [], LIMIT)
            except ProcessLookupError:
                pass
            os.close(fd)

    # --------------------------------------------------------------------- what is left

    def see_ids(self):
        """A box is in the record of events, or has its directory, before it has a cgroup."""
        self.ids |= set(re.findall(r'"id":"([a-z2-7]{12})"', read(f"{self.home}/events")))
        self.ids |= {name for name in read_dir(f"{self.home}/boxes") if name[0] != "."}

    def cgroups(self):
        return [os.path.join(top, name) for top, dirs, _ in os.walk("/sys/fs/cgroup")
                for name in dirs if name.removeprefix("coffer-") in self.ids]

    def files(self):
        found = []
        for where in ("boxes", "names", "ids", "volumes", "images/tmp"):
            found += [f"{where}/{name}" for name in read_dir(f"{self.home}/{where}")]
        return found

    def no_children(self):
        reap()
        return not children(os.getpid())

    def nothing_left(self):
        """No box is there any more: then nor is anything else of one."""
        self.see_ids()
        try:
            wait_for("an end of all processes", self.no_children)
        except Wrong:
            left = children(os.getpid())
            words = [describe(p) for p in left + [c for p in left for c in children(p)]]
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            raise Wrong(f"processes are left: {', '.join(words)}") from None
        for what, left in (("files", self.files()), ("cgroups", self.cgroups()),
                           ("mounts", [m for m in mounts() if m not in self.mounts])):
            if left:
                raise Wrong(f"{what} are left: {', '.join(left)}")

    def close(self):
        """Away with all of it, whatever state it is in."""
        self.fault = None
        for pid in children(os.getpid()):
            self.kill(pid)
        reap()
        subprocess.run(self.command("rm", "-f", "-a"), env=self.environment(None), check=False,
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
        shutil.rmtree(self.home, ignore_errors=True)


def work(programs, jobs, todo, do):
    """do(programs, …) of each, by several processes that are subreapers of their own boxes."""
    pipes, workers = {}, []
    for j in range(jobs):
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(r)
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # cleans up on the way
            become_subreaper()
            with os.fdopen(w, "w") as out:
                for i in range(j, len(todo), jobs):
                    print(json.dumps((i, do(programs, *todo[i]))), file=out, flush=True)
            os._exit(0)
        os.close(w)
        workers.append(pid)
        pipes[r] = os.fdopen(r)
    try:
        while pipes:
            for r in select.select(list(pipes), [], [])[0]:
                line = pipes[r].readline()
                if line:
                    yield json.loads(line)
                else:
                    pipes.pop(r).close()
        for pid in workers:
            if os.waitpid(pid, 0)[1] != 0:
                raise Wrong("a worker died")
            workers = [p for p in workers if p != pid]
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


class Tap:
    """Numbered verdicts; the plan comes last."""

    def __init__(self):
        self.count = self.failed = 0

    def verdict(self, ok, words):
        self.count += 1
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {self.count} - {words}", flush=True)

    def note(self, words):
        for line in words.splitlines():
            print(f"# {line}", flush=True)

    def end(self):
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


def run(main):
    """To the end, or to the signal that ends the test; then what it made is gone, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)


def programs_of(argv):
    """The directory with the programs: the argument, or what ./check says."""
    where = argv[0] if argv else os.environ.get("COFFER_BIN_DIR", "build/bin")
    if not os.access(os.path.join(where, "coffer"), os.X_OK):
        sys.exit(f"there is no coffer in '{where}'")
    return os.path.abspath(where)
