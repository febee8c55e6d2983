/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Attempts that come with the box's description rather than from inside it.  tests/escape/run makes
 * them and looks at the host afterwards; the rows are here so that one list says all.
 */

#include "attack.h"

#define HOST(name, technique, what, control) \
        ATTACK(name, technique, what, control, NULL, NULL, BY_THE_HOST, NULL, HELD)

const struct attack host_attacks[] = {
        HOST("symlink-proc", "CVE-2019-19921", "an image whose /proc is a link out",
             "targets resolved without links"),
        HOST("symlink-sys", "CVE-2023-28642", "an image whose /sys is a link out",
             "targets resolved without links"),
        HOST("symlink-dev", "CVE-2026-41579", "an image whose /dev is a link out",
             "targets resolved without links"),
        HOST("symlink-etc", "CVE-2025-24965's class",
             "an image whose /etc and its files are links out", "files made beneath the root"),
        HOST("symlink-volume", "CVE-2021-30465", "an image where a volume's target is a link out",
             "targets resolved beneath the root"),
        HOST("symlink-tmp", "CVE-2021-30465", "an image where a tmpfs's target is a link out",
             "targets resolved beneath the root"),
        HOST("swapped-volume", "CVE-2021-30465",
             "a volume whose inside changes from directory to link while another is mounted in it",
             "resolved once beneath the root, mounted by descriptor"),
        HOST("odd-passwd", "CVE-2024-9676",
             "a pipe, a link out, a directory or 1 GiB as /etc/passwd",
             "opened without waiting, read with a limit"),
        HOST("dotdot-volume", "paths", "a volume's target with ..",
             "targets resolved beneath the root"),
        HOST("workdir-by-fd", "CVE-2024-21626", "a working directory of /proc/self/fd/N",
             "close_range before chdir, getcwd checked"),
        HOST("entry-by-exe", "CVE-2019-5736", "/proc/self/exe as the program",
             "refused before exec"),
        HOST("entry-by-fd", "CVE-2019-5736", "/proc/self/fd/N as the program",
             "refused before exec"),
        HOST("exec-exe", "CVE-2019-5736", "a box that writes to /proc/*/exe during execs",
             "supervisor outside the pid namespace, sealed memfd"),
        HOST("caller-fds", "inherited descriptors", "open directories of who runs coffer",
             "close_range in every program"),
        HOST("caller-groups", "CVE-2022-2989", "groups of who runs coffer", "setgroups"),
        HOST("signal-all", "kill(-1)", "signals everybody, heard by a process of the host",
             "pid namespace"),
        {NULL},
};
