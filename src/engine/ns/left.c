/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who is left of a box that does not end: its supervisor, PID 1 of the outer namespace, and all
 * below it.  The kernel lets that one go only when all others are gone, so while it is there its
 * descendants are the box.  Zombies that a debugger has not let go of count: they have no
 * namespaces any more, but a parent.
 */

#include "engine/ns/left.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/sys.h"
#include "engine/engine.h"
#include "store/file.h"

#define DEPTH_MAX 64 /* of a family; what is deeper is not named */

struct family {
        pid_t parent;
        char name[32];
        char state;
};

/* /proc/PID/stat: "PID (NAME) STATE PARENT …"; the name may hold anything, parentheses too. */
static bool look(pid_t pid, struct family *ret)
{
        char path[32], text[1024];
        const char *open, *close;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        if (file_read(AT_FDCWD, path, text, sizeof(text)) < 0)
                return false;
        open = strchr(text, '(');
        close = strrchr(text, ')');
        if (!open || !close || close[1] != ' ' || close[2] == '\0')
                return false;
        (void)snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(close - open - 1), open + 1);
        ret->state = close[2];
        ret->parent = (pid_t)strtol(close + 3, NULL, 10);
        return true;
}

static bool is_below(pid_t pid, pid_t top)
{
        struct family f;

        for (int i = 0; i < DEPTH_MAX && pid > 1; i++) {
                if (pid == top)
                        return true;
                if (!look(pid, &f))
                        return false;
                pid = f.parent;
        }
        return false;
}

void ns_left(const struct engine_box *box, char *to, size_t size)
{
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        size_t used = 0;
        pid_t top;

        (void)snprintf(to, size, "a process of the box");
        if (!proc || sys_pidfd_pid(box->pidfd, &top) < 0) {
                if (proc)
                        (void)closedir(proc);
                return;
        }
        while ((entry = readdir(proc)) && used < size) {
                pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
                struct family f;

                /* The supervisor itself only waits for the others. */
                if (pid <= 0 || pid == top || !is_below(pid, top) || !look(pid, &f))
                        continue;
                used += (size_t)snprintf(to + used, size - used, "%sprocess %d (%s%s)",
                                         used > 0 ? ", " : "", (int)pid, f.name,
                                         f.state == 'Z'   ? ", dead but held by a debugger"
                                         : f.state == 'D' ? ", waiting for a device"
                                                          : "");
        }
        (void)closedir(proc);
}
