# SPDX-License-Identifier: Apache-2.0
"""./bench: measures coffer against its peers.  docs/performance.md says how to read it."""

import argparse
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True  # the checkout may be another user's

from lab import Lab, NotRun
from life import LIVE, STOPPED, Life
from peers import PEERS, TRUE
from report import print_goals, print_group

FULL = {"rounds": 60, "warmup": 2, "rate_rounds": 3, "rate_count": 200, "bytes_rounds": 7, "mib": 256,
        "life_rounds": 20}
QUICK = {"rounds": 10, "warmup": 1, "rate_rounds": 1, "rate_count": 40, "bytes_rounds": 3, "mib": 64,
         "life_rounds": 5}
REST_MS = 25  # performance.md says why
COUNTS = (1, 10, 50)


def failure(error):
    return {"failed": 1, "error": str(error)}


class Bench:
    def __init__(self, lab, size):
        self.lab = lab
        self.size = size
        self.peers = [peer(lab) for peer in PEERS]
        self.results = {}
        self.broken = {}
        for peer in self.peers:
            try:
                peer.prepare()
            except NotRun as e:
                self.broken[peer.name] = e

    def rows(self, words_of):
        """The rows that run here; the others come back as failures.  Each is tried once first."""
        rows, results = [], {}
        for peer in self.peers:
            if peer.name in self.broken:
                results[peer.name] = failure(self.broken[peer.name])
                continue
            try:
                argv = words_of(peer)
            except (NotRun, OSError, ValueError) as e:
                results[peer.name] = failure(e)
                continue
            if argv is None:
                continue
            row = peer.row(argv)
            results[peer.name] = self.lab.time("latency", ["-n", 1, "-w", 0], [row])[0]
            if not results[peer.name]["failed"]:
                rows.append(row)
        return rows, results

    def measure(self, mode, options, rows, results):
        if rows:
            for result in self.lab.time(mode, options, rows):
                results[result["row"]] = result
        return results

    def start(self):
        rows, results = self.rows(lambda peer: peer.start())
        options = ["-n", self.size["rounds"], "-w", self.size["warmup"], "-r", REST_MS]
        self.results["start"] = self.measure("latency", options, rows, results)
        print_group(f"Cold start of /bin/true in a fresh box (ms, {self.size['rounds']} rounds)", results,
                    [("p50", "p50_ms"), ("p95", "p95_ms"), ("min", "min_ms"), ("cpu", "cpu_ms")],
                    "p50_ms", ["floor", "bwrap", "crun"])

    def with_boxes(self, command, work):
        """Opens one box per peer, and closes them whatever happens."""
        def words(peer):
            peer.open_box()
            return peer.inside(*command)

        try:
            work(*self.rows(words))
        finally:
            self.tidy()

    def exec(self):
        def work(rows, results):
            options = ["-n", self.size["rounds"], "-w", self.size["warmup"], "-r", REST_MS]
            self.results["exec"] = self.measure("latency", options, rows, results)
            print_group(f"Exec of /bin/true in a running box (ms, {self.size['rounds']} rounds; "
                        "bwrap by nsenter)", results,
                        [("p50", "p50_ms"), ("p95", "p95_ms"), ("min", "min_ms"), ("cpu", "cpu_ms")],
                        "p50_ms", ["floor", "crun"])

        self.with_boxes([TRUE], work)

    def memory(self):
        groups = {count: {} for count in COUNTS}
        for peer in self.peers:
            if peer.name in self.broken or peer.park() is not None:
                self.park_one(peer, groups)
        for count in COUNTS:
            self.results[f"memory {count}"] = groups[count]
        joined = {name: join_counts(name, groups) for name in groups[COUNTS[0]]}
        print_group("Memory per idle box, payload sleep included (KiB of PSS)", joined,
                    [*((f"at {count}", f"at_{count}") for count in COUNTS),
                     ("processes", "processes")], "at_50", ["floor", "bwrap"])

    def park_one(self, peer, groups):
        if peer.name in self.broken:
            results = [failure(self.broken[peer.name])]
        else:
            results = self.lab.time_idle(COUNTS[-1], peer.row(peer.park()), peer.tidy)
        by_count = {result.get("boxes"): result for result in results}
        failed = next((result for result in results if result["failed"]), None)
        for count in COUNTS:
            groups[count][peer.name] = by_count.get(count) or failed or failure("no answer")

    def rate(self):
        rows, tried = self.rows(lambda peer: peer.start())
        for jobs in (1, 8):
            options = ["-n", self.size["rate_rounds"], "-c", self.size["rate_count"], "-j", jobs,
                       "-r", REST_MS]
            results = self.measure("rate", options, rows, dict(tried))
            self.results[f"rate {jobs}"] = results
            how = "in sequence" if jobs == 1 else f"{jobs} at a time"
            print_group(f"Starts per second, {self.size['rate_count']} {how} "
                        f"(podman fewer; median of {self.size['rate_rounds']})", results,
                        [("per s", "per_s"), ("min", "min_per_s"), ("max", "max_per_s"),
                         ("cpu ms", "cpu_ms")], "per_s", ["floor", "bwrap"])

    def bytes(self):
        """Everything on one core: the boxes, the clients, and the timer at both ends."""
        cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cpus)})
        try:
            self.with_boxes(["/bin/cat"], self.measure_bytes)
        finally:
            os.sched_setaffinity(0, cpus)

    def measure_bytes(self, rows, results):
        cat = f"{self.lab.root}/bin/cat"
        name = "cat | cat | cat"
        rows.insert(0, ["+row", name, "--", f"{self.lab.root}/bin/sh", "-c", f"{cat} | {cat} | {cat}"])
        options = ["-n", self.size["bytes_rounds"], "-w", 1, "-r", REST_MS, "-m", self.size["mib"]]
        self.measure("bytes", options, rows, results)
        ordered = {name: results.pop(name), **results}
        self.results["bytes"] = ordered
        print_group(f"Bytes through cat in a running box, all on one core (MiB/s, "
                    f"{self.size['mib']} MiB a round)", ordered,
                    [("median", "mib_per_s"), ("min", "min_mib_per_s"), ("cpu ms", "cpu_ms")],
                    "mib_per_s", [name])

    def life(self):
        life = Life(self.lab)
        try:
            self.results |= life.measure(self.size["life_rounds"])
        except (NotRun, OSError, subprocess.CalledProcessError) as e:
            self.results["life"] = {"coffer": failure(e)}
        finally:
            life.tidy()
        print_group(f"Finding, adopting and stopping boxes, {STOPPED} stopped and {LIVE} live (ms, "
                    f"{self.size['life_rounds']} rounds)", self.results["life"],
                    [("p50", "p50_ms"), ("p95", "p95_ms"), ("min", "min_ms")], "p50_ms", ["version"])

    def tidy(self):
        self.lab.release()
        for peer in self.peers:
            try:
                peer.tidy()
            except NotRun as e:
                self.lab.left.append(f"boxes of {peer.name}: {e}")


def join_counts(name, groups):
    """One row for the table out of one per count."""
    last = groups[COUNTS[-1]][name]
    if last["failed"]:
        return last
    return {"failed": 0, "processes": last["processes"],
            **{f"at_{count}": groups[count][name]["pss_kib"] for count in COUNTS}}


GROUPS = ("start", "exec", "memory", "rate", "bytes", "life")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./bench", description="measure coffer against its peers")
    parser.add_argument("--quick", action="store_true", help="few rounds: is everything there?")
    parser.add_argument("--measure", metavar="BUILD", help=argparse.SUPPRESS)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}; default: all")
    arguments = parser.parse_args()
    for group in arguments.groups:
        if group not in GROUPS:
            parser.error(f"no group '{group}': choose from {', '.join(GROUPS)}")
    return arguments


def build():
    """As the caller, so that no file in the checkout becomes root's."""
    directory = os.path.abspath(os.environ.get("BENCH_BUILD", "build"))
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        subprocess.run(["meson", "setup", directory], stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["ninja", "-C", directory, "--quiet"], check=True)
    return directory


def measure_as_root(directory):
    """Starts ourselves again: as root, and where no mount we make can reach the machine's."""
    print("bench: makes boxes over a directory in /var/tmp, in a mount namespace and a cpu cgroup of its "
          "own; removes them all")
    sys.stdout.flush()
    sudo = [] if os.geteuid() == 0 else ["sudo", "--"]
    words = [*sudo, "unshare", "--mount", "--propagation", "private", sys.executable,
             os.path.abspath(__file__), *sys.argv[1:], "--measure", directory]
    os.execvp(words[0], words)


def main():
    arguments = parse_arguments()
    if arguments.measure is None:
        try:
            measure_as_root(build())
        except subprocess.CalledProcessError:
            sys.exit("bench: the build failed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lab = Lab(arguments.measure)
    fine = True
    bench = None
    try:
        lab.furnish()
        print(f"{os.uname().release}, {len(os.sched_getaffinity(0))} processors, {lab.take_share()}")
        bench = Bench(lab, QUICK if arguments.quick else FULL)
        for group in arguments.groups or GROUPS:
            getattr(bench, group)()
            sys.stdout.flush()
        fine = print_goals(bench.results)
    except KeyboardInterrupt:
        fine = False
    finally:
        if bench:
            bench.tidy()
        for what in lab.close():
            print(f"left behind: {what}")
            fine = False
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
