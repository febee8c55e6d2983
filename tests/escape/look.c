/* SPDX-License-Identifier: Apache-2.0 */
#include "attack.h"

#include <base/cleanup.h>
#include <base/str.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

const char *fact(const char *name)
{
        char full[64];
        const char *value;

        (void)snprintf(full, sizeof(full), "ESCAPE_%s", name);
        value = getenv(full);
        return value != NULL && *value != '\0' ? value : NULL;
}

long fact_number(const char *name)
{
        const char *value = fact(name);
        char *end = NULL;
        long number;

        if (value == NULL)
                return -1;
        number = strtol(value, &end, 10);
        return *end == '\0' ? number : -1;
}

bool in_a_box(const char **ret_why)
{
        const char *host = fact("NS_pid");
        char mine[64] = "";

        if (fact("BOX") == NULL)
                *ret_why = "ESCAPE_BOX is not set: nobody says that this is a box";
        else if (host == NULL)
                *ret_why = "ESCAPE_NS_pid is not set: the host's PID namespace is not known";
        else if (readlink("/proc/self/ns/pid", mine, sizeof(mine) - 1) < 0)
                *ret_why = "/proc/self/ns/pid cannot be read";
        else if (str_eq(mine, host))
                *ret_why = "this is the host's PID namespace";
        else
                return true;
        return false;
}

ssize_t read_text(const char *path, char *text, size_t size)
{
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        size_t done = 0;

        if (fd < 0)
                return -errno;
        while (done < size - 1) {
                ssize_t n = read(fd, text + done, size - 1 - done);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        text[done] = '\0';
        return (ssize_t)done;
}

int status_field(const char *name, char *value, size_t size)
{
        char text[8192];
        char start[64];
        const char *p;
        ssize_t n = read_text("/proc/self/status", text, sizeof(text));

        if (n < 0)
                return (int)n;
        (void)snprintf(start, sizeof(start), "\n%s:", name);
        p = strstr(text, start);
        if (p == NULL)
                return -ENOENT;
        p += strlen(start);
        p += strspn(p, " \t");
        (void)snprintf(value, size, "%.*s", (int)strcspn(p, "\n"), p);
        return 0;
}

int open_and_close(const char *path, int flags)
{
        cleanup_close int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        return fd < 0 ? -errno : 0;
}

static bool walk_counted(const char *top, int depth, size_t *visited,
                         bool (*visit)(const char *path, mode_t mode, void *data), void *data)
{
        const struct dirent *entry;
        bool stop = false;
        DIR *dir = opendir(top);

        if (dir == NULL)
                return false;
        while (!stop && *visited < WALK_MAX && (entry = readdir(dir)) != NULL) {
                char path[4096];
                struct stat st;

                if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
                        continue;
                (void)snprintf(path, sizeof(path), "%s/%s", str_eq(top, "/") ? "" : top,
                               entry->d_name);
                if (lstat(path, &st) < 0)
                        continue;
                (*visited)++;
                stop = visit(path, st.st_mode, data);
                if (!stop && S_ISDIR(st.st_mode) && depth > 1)
                        stop = walk_counted(path, depth - 1, visited, visit, data);
        }
        (void)closedir(dir);
        return stop;
}

bool walk(const char *top, int depth, bool (*visit)(const char *path, mode_t mode, void *data),
          void *data)
{
        size_t visited = 0;

        return walk_counted(top, depth, &visited, visit, data);
}

/* "36 35 98:0 /root /point options optional… - type source super": spaces are escaped as \040. */
static bool parse_mount(const char *line, struct mount *m)
{
        const char *dash = strstr(line, " - ");
        int after = 0;
        size_t length;

        *m = (struct mount){0};
        if (dash == NULL)
                return false;
        if (sscanf(line, "%*d %*d %*s %*s %511s %255s %n", m->point, m->options, &after) != 2 ||
            sscanf(dash, " - %63s", m->type) != 1)
                return false;
        if (dash <= line + after)
                return true;
        length = (size_t)(dash - (line + after));
        if (length >= sizeof(m->optional))
                length = sizeof(m->optional) - 1;
        memcpy(m->optional, line + after, length);
        return true;
}

int mounts_read(struct mount *mounts, size_t max)
{
        FILE *f = fopen("/proc/self/mountinfo", "re");
        char line[8192];
        size_t count = 0;

        if (f == NULL)
                return -errno;
        while (count < max && fgets(line, sizeof(line), f) != NULL)
                if (parse_mount(line, &mounts[count]))
                        count++;
        (void)fclose(f);
        return (int)count;
}

int try_call(struct attempt *a)
{
        const struct call *c = a->attack->arg;
        long r = syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
                         c->args[5]);

        if (r >= 0)
                return DONE;
        for (size_t i = 0; i < ELEMENTS(c->reached) && c->reached[i] != 0; i++)
                if (errno == c->reached[i])
                        return attempt_say(a, DONE, "let in, then %s", ending_name(-errno));
        return -errno;
}

int try_read(struct attempt *a)
{
        return open_and_close(a->attack->arg, O_RDONLY);
}

int try_write(struct attempt *a)
{
        return open_and_close(a->attack->arg, O_WRONLY);
}
