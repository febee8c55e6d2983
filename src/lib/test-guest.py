#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test-guest.py LIBCOFFER.SO PROGRAM-DIR: libcoffer by ctypes in a program that reaps everything.

A thread calls waitpid(-1) in a loop, as supervisors do, while boxes come and go.  It must see the
children that this program made itself, each with its status, and nothing else.
"""
import ctypes
import os
import shutil
import sys
import tempfile
import threading

FOREVER = -1


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("kind", ctypes.c_uint32),
                ("msg", ctypes.c_char * 352), ("hint", ctypes.c_char * 152)]


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("home", ctypes.c_char_p), ("program_dir", ctypes.c_char_p)]


class Exit(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int32), ("oom_killed", ctypes.c_uint32),
                ("timed_out", ctypes.c_uint32), ("reason", ctypes.c_char * 116)]


class Reaper(threading.Thread):
    """waitpid(-1) for ever; a child of our own is always there, so that it never has nothing."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = {}

    def run(self):
        while True:
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            self.seen[pid] = os.waitstatus_to_exitcode(status)


def child(status, until):
    pid = os.fork()
    if pid == 0:
        os.read(until, 1)
        os._exit(status)
    return pid


def check(error, value):
    if value < 0:
        raise RuntimeError(f"{value}: {error.msg.decode()} ({error.hint.decode()})")


def run_box(lib, runtime, error, command, status):
    spec, box, end = ctypes.c_void_p(), ctypes.c_void_p(), Exit()
    argv = (ctypes.c_char_p * 4)(b"/bin/sh", b"-c", command, None)
    e = ctypes.byref(error)
    check(error, lib.coffer_spec_new(ctypes.byref(spec), e))
    check(error, lib.coffer_spec_set_image(spec, b"host", e))
    check(error, lib.coffer_spec_set_command(spec, argv, e))
    check(error, lib.coffer_box_create(runtime, spec, ctypes.byref(box), e))
    check(error, lib.coffer_box_start(box, None, FOREVER, None, e))
    check(error, lib.coffer_box_wait(box, FOREVER, ctypes.byref(end), e))
    check(error, lib.coffer_box_remove(box, 0, FOREVER, e))
    lib.coffer_box_free(box)
    lib.coffer_spec_free(spec)
    if end.status != status:
        raise RuntimeError(f"status {end.status}, not {status}")


def declare(lib):
    p, i = ctypes.c_void_p, ctypes.c_int
    for name, args in {"coffer_spec_set_image": [p, ctypes.c_char_p, p],
                       "coffer_spec_set_command": [p, p, p], "coffer_spec_new": [p, p],
                       "coffer_box_create": [p, p, p, p], "coffer_box_start": [p, p, i, p, p],
                       "coffer_box_wait": [p, i, p, p], "coffer_box_free": [p],
                       "coffer_box_remove": [p, ctypes.c_uint32, i, p], "coffer_spec_free": [p],
                       "coffer_runtime_free": [p]}.items():
        getattr(lib, name).argtypes = args


def main():
    lib = ctypes.CDLL(sys.argv[1])
    programs = sys.argv[2].encode()
    print("1..1")
    if not os.access(os.path.join(sys.argv[2], "coffer-shim"), os.X_OK):
        print("ok 1 - guest # SKIP needs coffer-shim")
        return 0
    declare(lib)
    home = tempfile.mkdtemp(prefix="coffer-guest-")
    runtime, error = ctypes.c_void_p(), Error()
    options = Options(ctypes.sizeof(Options), 0, home.encode(), programs)
    check(error, lib.coffer_runtime_open(ctypes.byref(options), ctypes.byref(runtime),
                                         ctypes.byref(error)))
    until, release = os.pipe()
    os.set_inheritable(release, False)
    ours = {child(40 + n, until): 40 + n for n in range(3)}
    reaper = Reaper()
    reaper.start()
    for n in range(5):
        run_box(lib, runtime, error, b"exit %d" % n, n)
    early = dict(reaper.seen)
    os.write(release, b"xxx")
    reaper.join(30)
    lib.coffer_runtime_free(runtime)
    good = early == {} and reaper.seen == ours and not reaper.is_alive()
    shutil.rmtree(home)
    if not good:
        print(f"# seen before: {early}, in the end: {reaper.seen}, ours: {ours}")
    print(f"{'ok' if good else 'not ok'} 1 - a loop of waitpid(-1) sees its own children only")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
