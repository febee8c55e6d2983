/* SPDX-License-Identifier: Apache-2.0 */
#include "base/faultpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"

#define VARIABLE     "COFFER_FAULT"
#define TRACE        "COFFER_FAULT_TRACE"
#define TRACE_FD     900 /* out of everybody's way, and kept over close_range() and exec */
#define POINT_MAX    96
#define RULES_MAX    8
#define KILLED       (128 + SIGKILL)
#define POINT_END    ":#,"
#define DEFAULT_CODE EIO

static const struct {
        const char *name;
        int code;
} codes[] = {
        {"EACCES",    EACCES   },
        {"EAGAIN",    EAGAIN   },
        {"EBUSY",     EBUSY    },
        {"EINVAL",    EINVAL   },
        {"EIO",       EIO      },
        {"EMFILE",    EMFILE   },
        {"ENOENT",    ENOENT   },
        {"ENOMEM",    ENOMEM   },
        {"ENOSPC",    ENOSPC   },
        {"EPERM",     EPERM    },
        {"EPIPE",     EPIPE    },
        {"ETIMEDOUT", ETIMEDOUT},
};

/* The linker's: where the section begins and ends. */
extern const struct fault_points *const __start_fault_points[] __attribute__((weak));
extern const struct fault_points *const __stop_fault_points[] __attribute__((weak));

/* What each program of ours becomes: a module that several link has the points of all. */
static const char *const families[][4] = {
        {"lib",  NULL,      NULL,       NULL  },
        {"shim", "newborn", "launcher", NULL  },
        {"init", "stem",    "main",     "exec"},
};

static const char *process = "lib"; /* programs of ours say who they are */
static bool foreign_next;
static unsigned reached[RULES_MAX];

/* ------------------------------------------------------------------------------- the trace */

static int trace_fd(void)
{
        static bool opened;
        const char *path;

        if (fcntl(TRACE_FD, F_GETFD) >= 0)
                return TRACE_FD; /* inherited, if we did not make it */
        path = opened ? NULL : getenv(TRACE);
        opened = true;
        if (path) {
                int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

                if (fd < 0 || dup2(fd, TRACE_FD) < 0)
                        abort();
                (void)close(fd);
                return TRACE_FD;
        }
        return -1;
}

static void trace(const char *point, const char *action)
{
        char line[POINT_MAX + 40];
        int fd = trace_fd();
        int n = snprintf(line, sizeof(line), "%s%s\n", point, action);

        /* A test that reads too little fails by itself. */
        if (fd >= 0 && write(fd, line, (size_t)n) < 0)
                (void)close(fd);
}

/* Does the trace have this line?  Then a process struck there, this one or another. */
static bool has_struck(const char *point, const char *action)
{
        char line[POINT_MAX + 40];
        int fd = trace_fd();
        bool found = false;
        struct stat st;
        void *text;

        if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
                return false;
        (void)snprintf(line, sizeof(line), "%s%s\n", point, action);
        text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (text != MAP_FAILED) {
                found = memmem(text, (size_t)st.st_size, line, strlen(line)) != NULL;
                (void)munmap(text, (size_t)st.st_size);
        }
        return found;
}

/* ------------------------------------------------------------------------------ the actions */

/* SIGKILL of a PID 1 by itself does nothing: it ends with the status that it would have had. */
static _Noreturn void die(void)
{
        (void)kill(getpid(), SIGKILL);
        _exit(KILLED);
}

static int code_of(const char *word, size_t size)
{
        for (size_t i = 0; i < ELEMENTS(codes); i++)
                if (strlen(codes[i].name) == size && strncmp(codes[i].name, word, size) == 0)
                        return -codes[i].code;
        abort(); /* a test that asks for what is not there must not pass */
}

static int act(const char *point, const char *action)
{
        size_t size = strcspn(action, ",");
        char words[40];

        (void)snprintf(words, sizeof(words), " %.*s", (int)size, action);
        if (has_struck(point, words))
                return 0;
        trace(point, words);
        if (strcmp(words, " kill") == 0)
                die();
        if (strncmp(words, " delay=", 7) == 0) {
                (void)poll(NULL, 0, (int)strtoul(words + 7, NULL, 10));
                return 0;
        }
        if (strcmp(words, " errno") == 0)
                return -DEFAULT_CODE;
        if (strncmp(words, " errno=", 7) == 0)
                return code_of(action + 6, size - 6);
        abort();
}

/* One rule of the variable: is it about this point, and is it its turn? */
static const char *match(const char *rule, const char *point, unsigned *count)
{
        size_t size = strcspn(rule, POINT_END);
        const char *rest = rule + size;
        unsigned long turn = 0;

        if (strlen(point) != size || strncmp(rule, point, size) != 0)
                return NULL;
        (*count)++;
        if (*rest == '#')
                turn = strtoul(rest + 1, (char **)(uintptr_t)&rest, 10);
        if (*rest != ':')
                abort();
        return turn == 0 || turn == *count ? rest + 1 : NULL;
}

int fault_here(const char *who, const char *list, const char *name)
{
        const char *rule = getenv(VARIABLE);
        char point[POINT_MAX];
        int r = 0;

        (void)snprintf(point, sizeof(point), "%s.%s%s%s", who ? who : process, list ? list : "",
                       list ? "." : "", name);
        for (char *p = point; *p; p++)
                if (*p == ' ')
                        *p = '-';
        if (foreign_next && trace_fd() >= 0)
                (void)fcntl(TRACE_FD, F_SETFD, FD_CLOEXEC);
        trace(point, "");
        for (size_t i = 0; rule && i < RULES_MAX; i++) {
                const char *action = match(rule, point, &reached[i]);

                if (action && r == 0)
                        r = act(point, action);
                rule = strchr(rule, ',');
                rule = rule ? rule + 1 : NULL;
        }
        return r;
}

int fault_step(struct coffer_error *err, const char *list, const char *name)
{
        int r = fault_here(NULL, list, name);

        return r < 0 ? error_set(err, r, "do the step '%s' (fault point)", name) : 0;
}

void fault_process(const char *name, bool is_foreign)
{
        process = name;
        foreign_next = is_foreign;
}

int fault_keep(void)
{
        return trace_fd();
}

char *fault_environment(void)
{
        static char text[1024];
        const char *value = getenv(VARIABLE);

        if (!value)
                return NULL;
        (void)snprintf(text, sizeof(text), VARIABLE "=%s", value);
        return text;
}

/* ---------------------------------------------------------------------------------- the list */

static void print_points(const struct fault_points *p)
{
        for (size_t i = 0; i < p->count; i++) {
                const char *name = *(const char *const *)(const void *)((const char *)p->names +
                                                                        i * p->stride);
                char point[POINT_MAX];

                (void)snprintf(point, sizeof(point), "%s.%s%s%s", p->process ? p->process : process,
                               p->list ? p->list : "", p->list ? "." : "", name);
                for (char *at = point; *at; at++)
                        if (*at == ' ')
                                *at = '-';
                (void)puts(point);
        }
}

static bool is_ours(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(families); i++)
                for (size_t j = 0; j < 4 && str_eq(families[i][0], process); j++)
                        if (families[i][j] && str_eq(families[i][j], name))
                                return true;
        return false;
}

bool fault_list(int argc, char **argv)
{
        if (argc != 2 || strcmp(argv[1], "--fault-points") != 0)
                return false;
        for (const struct fault_points *const *p = __start_fault_points; p < __stop_fault_points;
             p++)
                if (!(*p)->process || is_ours((*p)->process))
                        print_points(*p);
        return true;
}
