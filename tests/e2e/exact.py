#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exact.py WHAT COFFER IMAGE [ARG...]: bytes, words and numbers that must pass a box unchanged.

    echoes COUNT        so many boxes say hi, and each says exactly that
    argv                words of every kind arrive as they were given, by run and by exec
    bytes BOX MIB       random bytes through `exec -i BOX cat` come back; neither side grows
    run-bytes MIB       the same through `run -i`
    statuses BOX FIRST STEP   exec passes on FIRST, FIRST + STEP, ... 255
    signals BOX         every signal that ends a process: of its own in an exec, by kill under --init,
                        and through the client, with and without a handler
    first               what main, as PID 1 of its namespace, has no handler for does nothing
"""
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading

WHAT, COFFER, IMAGE = sys.argv[1:4]
ARGS = sys.argv[4:]
SEED = os.environ.get("COFFER_SEED", "1")
PEAK_LIMIT_KIB = 32 * 1024


def coffer(*args, **options):
    return subprocess.run([COFFER, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60, **options)


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r}, and not {wanted!r}")


def echoes(count):
    for i in range(int(count)):
        done = coffer("run", "--rm", IMAGE, "echo", "hi")
        check(f"run {i}", (done.returncode, done.stdout, done.stderr), (0, b"hi\n", b""))


def argv():
    draw = random.Random(SEED)
    words = [b"", b" ", b"a b", b"'", b'"', b"\\", b"$HOME `id` $(id) *", b"\n", b"\t", b"--", b"-d", b"-",
             b"#", b"=", b"\x01\x7f", bytes(range(0x80, 0x100)), "é漢字🙂".encode(), b"\xff\xfe\xc3", b"x" * 100000]
    words += [bytes(draw.randrange(1, 256) for _ in range(draw.randrange(40))) for _ in range(200)]
    show = ["/bin/sh", "-c", 'for word; do printf "%s\\0" "$word"; done', "sh"]
    wanted = b"".join(word + b"\0" for word in words)
    box = coffer("run", "-d", IMAGE, "sleep", "1000").stdout.strip()
    for name, start in ("run", ["run", "--rm", IMAGE]), ("run --", ["run", "--rm", IMAGE, "--"]), (
            "exec", ["exec", box]):
        done = coffer(*start, *show, *words)
        check(f"{name}: status", (done.returncode, done.stderr), (0, b""))
        check(f"{name}: words", done.stdout, wanted)
    environment = {b"V%d" % i: word for i, word in enumerate(words) if len(word) < 1000}
    flags = [part for name, word in environment.items() for part in ("-e", name + b"=" + word)]
    for start in ["run", "--rm", *flags, IMAGE], ["exec", *flags, box]:
        done = coffer(*start, "cat", "/proc/self/environ")
        got = dict(pair.split(b"=", 1) for pair in done.stdout.split(b"\0") if b"=" in pair)
        for name, word in environment.items():
            check(f"{start[0]} -e {name}", got.get(name), word)


def peak_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM:")).split()[1])


def shim_of(box):
    """The pid of the box's shim: its argv is exactly coffer-shim and the id."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read() == b"coffer-shim\0" + box + b"\0":
                    return pid
        except OSError:
            pass
    sys.exit("the box has no shim")


def pump(command, mib, watch):
    """Feeds MIB of random bytes to COMMAND and reads them back; its peak memory stays small."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sent, total = hashlib.blake2b(), mib << 20
    draw = random.Random(SEED)
    blocks = [draw.randbytes(65521) for _ in range(64)]

    def feed():
        left = total
        while left > 0:
            block = blocks[draw.randrange(64)][:left]
            child.stdin.write(block)
            sent.update(block)
            left -= len(block)
        watch.append((child.pid, peak_kib(child.pid)))
        child.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    received, count = hashlib.blake2b(), 0
    while chunk := child.stdout.read(1 << 20):
        received.update(chunk)
        count += len(chunk)
    feeder.join()
    check("the status", child.wait(), 0)
    check("so many bytes came back", count, total)
    check("the bytes", received.hexdigest(), sent.hexdigest())
    for pid, kib in watch:
        if kib > PEAK_LIMIT_KIB:
            sys.exit(f"process {pid} grew to {kib} KiB")


def through_exec(box, mib):
    box_id = coffer("ps", "-q", "--no-trunc", "-f", f"name={box}").stdout.strip()
    shim = shim_of(box_id)
    pump([COFFER, "exec", "-i", box, "cat"], int(mib), [])
    if peak_kib(shim) > PEAK_LIMIT_KIB:
        sys.exit(f"the shim grew to {peak_kib(shim)} KiB")


def through_run(mib):
    pump([COFFER, "run", "--rm", "-i", IMAGE, "cat"], int(mib), [])


def statuses(box, first, step):
    for code in range(int(first), 256, int(step)):
        check(f"exec exit {code}", coffer("exec", box, "sh", "-c", f"exit {code}").returncode, code)


STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
HARMLESS = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
# What the client passes on; others say something of the client itself.
PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
             signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR, signal.SIGRTMIN, signal.SIGRTMAX}
# Says ready and waits.  No shell: it would be late to stop ignoring some.
WAIT = ["tail", "-f", "/etc/ready"]


def ready(command):
    child = subprocess.Popen([COFFER, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    check("the first line", child.stdout.readline(), b"ready\n")
    return child


def ended(what, child, wanted):
    try:
        check(what, child.wait(timeout=20), wanted)
    finally:
        child.kill()
        child.wait()


def drawn(numbers, count):
    numbers = sorted(map(int, numbers))
    full = os.environ.get("COFFER_FULL") == "1"
    return numbers if full else sorted(random.Random(SEED).sample(numbers, count))


def signals(box):
    ending = {n for n in range(1, 65) if n not in (32, 33)} - STOPPING - HARMLESS
    for n in drawn(ending, 20):
        # The shell of busybox ignores SIGQUIT; find does not.
        done = coffer("exec", box, "find", "/bin", "-maxdepth", "0", "-exec", "sh", "-c",
                      f"kill -{n} $PPID", ";")
        check(f"exec that sends itself {n}", done.returncode, 128 + n)
        child = ready(["run", "--rm", "--init", "--name", "other", IMAGE, *WAIT])
        check(f"kill -s {n}", coffer("kill", "-s", str(n), "other").stderr, b"")
        ended(f"kill -s {n} with --init", child, 128 + n)
    for n in map(int, PASSED_ON):
        for command in ["exec", box], ["run", "--rm", "--init", IMAGE]:
            child = ready([*command, *WAIT])
            child.send_signal(n)
            ended(f"{command[0]}: {n} through the client", child, 128 + n)
        handler = ["sh", "-c", f"trap 'exit 42' {n}; echo ready; while :; do sleep 0.02; done"]
        for command in ["exec", box], ["run", "--rm", IMAGE], ["run", "--rm", "--init", IMAGE]:
            child = ready([*command, *handler])
            child.send_signal(n)
            ended(f"{command}: {n} with a handler", child, 42)


def first():
    child = ready(["run", "--rm", "--name", "other", IMAGE, *WAIT])
    for n in map(int, PASSED_ON):
        child.send_signal(n)
        check(f"kill -s {n}", coffer("kill", "-s", str(n), "other").stderr, b"")
    # What was sent before has been seen, or dropped, once this has been answered.
    check("main", coffer("exec", "other", "cat", "/proc/1/comm").stdout, b"tail\n")
    check("kill", coffer("kill", "other").returncode, 0)
    ended("kill", child, 137)


{"echoes": echoes, "argv": argv, "bytes": through_exec, "run-bytes": through_run, "statuses": statuses,
 "signals": signals, "first": first}[WHAT](*ARGS)
