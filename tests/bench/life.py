# SPDX-License-Identifier: Apache-2.0
"""./bench life: what it costs to find out about boxes, to adopt them and to stop them."""

import os
import select
import shutil
import subprocess
import time

STOPPED, LIVE = 1000, 50
TRUE = "/bin/true"
LISTING_S = 30
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
# Main ends as soon as it is asked to.
PROMPT = ("/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 86400 & wait; done")


def percentiles(times):
    times = sorted(times)
    return {"failed": 0, "p50_ms": times[len(times) // 2], "p95_ms": times[len(times) * 95 // 100],
            "min_ms": times[0]}


class Life:
    def __init__(self, lab):
        self.lab = lab
        self.image = f"dir:{lab.root}"
        self.home = lab.env["COFFER_HOME"]

    def coffer(self, *words):
        return self.lab.run([self.lab.coffer, *words])

    # ---- the boxes ----

    def make_stopped(self):
        """One that has run, and copies of it under other ids and names."""
        first = self.coffer("run", "-d", "--name", "stopped", self.image, "--", TRUE)
        self.coffer("wait", first)
        source = os.path.join(self.home, "boxes", first)
        for n in range(STOPPED - 1):
            box = "a" * 8 + "".join(ALPHABET[n >> shift & 31] for shift in (15, 10, 5, 0))
            directory = os.path.join(self.home, "boxes", box)
            os.mkdir(directory, 0o700)
            for name in ("config.json", "meta.json", "state.json", "lock", "log"):
                shutil.copy(os.path.join(source, name), directory)
            os.symlink(f":stopped{n}", os.path.join(directory, "claims"))
            os.symlink(box, os.path.join(self.home, "names", f"stopped{n}"))

    def make_live(self):
        return [self.coffer("run", "-d", self.image, "--", "/bin/sleep", "86400") for _ in range(LIVE)]

    def await_listing(self):
        """The listing is written when the boxes have been left alone for two seconds."""
        end = time.monotonic() + LISTING_S
        while not os.path.exists(os.path.join(self.home, "listing")):
            self.coffer("ps", "-a", "-q")
            if time.monotonic() > end:
                break

    # ---- what is measured ----

    def timed(self, *words):
        start = time.perf_counter()
        subprocess.run([self.lab.coffer, *words], env=self.lab.env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, check=True)
        return (time.perf_counter() - start) * 1000

    def measure_stop(self, rounds):
        """Answers stop, an exec beside it, and how long the monitor was there after the end was told."""
        stop, execs, dying, zombie = [], [], [], []
        for _ in range(rounds):
            box = self.coffer("run", "-d", self.image, "--", *PROMPT)
            with open(os.path.join(self.home, "boxes", box, "identity"), encoding="ascii") as f:
                shim = int(dict(line.split(" ", 1) for line in f)["pid"])
            pidfd = os.pidfd_open(shim)
            execs.append(self.timed("exec", box, TRUE))
            stop.append(self.timed("stop", box))
            told = time.perf_counter()
            select.select([pidfd], [], [])
            died = time.perf_counter()
            while os.path.exists(f"/proc/{shim}"):
                os.sched_yield()
            dying.append((died - told) * 1000)
            zombie.append((time.perf_counter() - died) * 1000)
            os.close(pidfd)
            self.coffer("rm", box)
        return [percentiles(times) for times in (stop, execs, dying, zombie)]

    def measure(self, rounds):
        """Answers {group: {row: result}}."""
        self.make_stopped()
        live = self.make_live()
        first = percentiles([self.timed("ps", "-a")])
        self.await_listing()
        rows = [["+row", name, "--", self.lab.coffer, *words] for name, words in (
            ("version", ["version"]), ("ps -a", ["ps", "-a"]), ("ps", ["ps"]),
            ("adopt 50", ["kill", "-s", "CONT", *live]), ("inspect 50", ["inspect", *live]))]
        results = {r["row"]: r for r in self.lab.time("latency", ["-n", rounds, "-w", 1], rows)}
        stop, execs, dying, zombie = self.measure_stop(rounds)
        results |= {"ps -a, the first": first, "exec true": execs, "stop": stop,
                    "monitor, after stop": dying, "its zombie": zombie}
        return {
            "life": results,
            "life ps": {"coffer": results["ps -a"], "version": results["version"]},
            "life adopt": {"coffer": results["adopt 50"], "version": results["version"]},
            "life stop": {"coffer": stop, "exec": execs},
        }

    def tidy(self):
        left = self.coffer("ps", "-a", "-q").split()
        if left:
            self.coffer("rm", "-f", *left)
