#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hold.py PID: holds a process as a debugger does, until our standard input ends.

When it is killed it stays a zombie, which nobody but us could reap, and which keeps the first
process of its PID namespace from ending.
"""
import ctypes
import sys

PTRACE_SEIZE = 0x4206

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
if libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), 0, 0) < 0:
    sys.exit(f"ptrace: errno {ctypes.get_errno()}")
print("held", flush=True)
sys.stdin.read()
