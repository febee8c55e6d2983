#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""traces.py HOME BIN-DIR [sockets]: everything that a box could leave behind, a line each, sorted.

Two listings, one before and one after, must be equal: what lies in the home (but for the records of
events, and the audit logs, which outlive their boxes), mounts, cgroups, processes of ours; and on demand their control sockets.
"""
import os
import re
import sys

HOME, BIN = (os.path.abspath(path) for path in sys.argv[1:3])


def read(path):
    with open(path, "rb") as file:
        return file.read().decode("latin-1")


def files():
    for top, dirs, names in os.walk(HOME):
        dirs.sort()
        where = os.path.relpath(top, HOME)
        if where == "audit":
            continue
        # The directories of the home itself come with its first use.
        if where not in (".", "boxes", "names", "ids", "images", "volumes", "images/blobs",
                         "images/blobs/sha256", "images/blobs/partial"):
            yield f"file {where}/"
        for name in sorted(names):
            if (where, name) not in ((".", "events"), ("images", "lock")):
                yield f"file {where}/{name}"


def mounts():
    for line in read("/proc/self/mountinfo").splitlines():
        yield "mount " + " ".join(line.split()[2:5])


def cgroups():
    """Of boxes of this home: each is in the record before it has a cgroup."""
    try:
        ids = set(re.findall(r'"id":"([a-z2-7]{12})"', read(f"{HOME}/events")))
    except FileNotFoundError:
        return
    for top, dirs, _ in os.walk("/sys/fs/cgroup"):
        for name in dirs:
            if name.removeprefix("coffer-") in ids:
                yield f"cgroup {top}/{name}"


def subordinate_ids():
    """Of the caller, as (first, count), so that his boxes' processes are known as his."""
    import pwd

    name = pwd.getpwuid(os.getuid()).pw_name
    try:
        for line in read("/etc/subuid").splitlines():
            fields = line.split(":")
            if fields[0] in (name, str(os.getuid())):
                yield int(fields[1]), int(fields[2])
    except FileNotFoundError:
        pass


class Processes:
    def __init__(self):
        self.parent, self.name, self.uid = {}, {}, {}
        self.ranges = [(os.getuid(), 1), *subordinate_ids()] if os.getuid() else []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                status = read(f"/proc/{pid}/status")
            except OSError:
                continue
            self.name[pid] = re.search(r"^Name:\t(.*)", status, re.M).group(1)
            self.parent[pid] = re.search(r"^PPid:\t(.*)", status, re.M).group(1)
            self.uid[pid] = int(re.search(r"^Uid:\t(\d+)", status, re.M).group(1))

    def is_ours(self, pid):
        """As a user: by the ids.  As root: by the program, which another checkout's is not."""
        if self.ranges:
            return any(first <= self.uid[pid] < first + count for first, count in self.ranges)
        while pid in self.name and pid != "1":
            try:
                if os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)").startswith(BIN + "/"):
                    return True
            except OSError:
                pass
            pid = self.parent[pid]
        return False

    def list(self):
        for pid, name in self.name.items():
            if name.startswith("coffer") and self.is_ours(pid):
                yield f"process {name} {pid}"


def sockets(processes):
    """Control sockets that a process of ours has open; one that nobody has open is not there."""
    found = {line.split()[6] for line in read("/proc/net/unix").splitlines()[1:]
             if line.endswith("/control.sock")}
    for pid in filter(processes.is_ours, processes.name):
        try:
            held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        for inode in found.intersection(link[8:-1] for link in held if link.startswith("socket:[")):
            yield f"socket {inode}"


def main():
    processes = Processes()
    listings = [files(), mounts(), cgroups(), processes.list()]
    if sys.argv[3:] == ["sockets"]:
        listings.append(sockets(processes))
    for line in sorted(line for lines in listings for line in lines):
        print(line)


main()
