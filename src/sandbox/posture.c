/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/posture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"
#include "sandbox/caps.h"
#include "sandbox/cgroup.h"

#define SUPERVISOR_CAPS                                                           \
        (CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_SETPCAP) | CAPS_BIT(CAP_SETUID) | \
         CAPS_BIT(CAP_SETGID) | CAPS_BIT(CAP_KILL))
#define PAGE_BYTES_MAX 65536 /* limits are kept in pages */

static void release_buf(struct buf *b)
{
        buf_release(b);
}

/* ------------------------------------------------------------------------------------ gathering */

static const char *field(const char *text, const char *name)
{
        const char *line = strstr(text, name);

        return line ? line + strlen(name) : "";
}

void posture_parse_status(const char *text, struct posture_process *ret)
{
        const char *numbers = field(text, "\nNSpid:");
        struct posture_process p = {.known = strstr(text, "\nCapBnd:") != NULL};
        int n = 0, pid;

        p.parent = (pid_t)strtol(field(text, "\nPPid:"), NULL, 10);
        while (*numbers != '\n' && sscanf(numbers, "%d%n", &pid, &n) == 1) {
                p.pid_namespaces++;
                p.innermost = pid;
                numbers += n;
        }
        p.inheritable = strtoull(field(text, "\nCapInh:"), NULL, 16);
        p.effective = strtoull(field(text, "\nCapEff:"), NULL, 16);
        p.bounding = strtoull(field(text, "\nCapBnd:"), NULL, 16);
        p.ambient = strtoull(field(text, "\nCapAmb:"), NULL, 16);
        p.no_new_privs = strtol(field(text, "\nNoNewPrivs:"), NULL, 10) == 1;
        p.seccomp = (unsigned)strtoul(field(text, "\nSeccomp:"), NULL, 10);
        *ret = p;
}

/* A file of /proc/PID; NULL when it cannot be read. */
static const char *read_proc(pid_t pid, const char *name, struct buf *text)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        return buf_read_file(text, AT_FDCWD, path) < 0 ? NULL : text->data;
}

static void read_status(pid_t pid, struct posture_process *ret)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(16 * 1024);
        const char *status = pid > 0 ? read_proc(pid, "status", &text) : NULL;

        if (status)
                posture_parse_status(status, ret);
}

static enum posture_answer has_own(pid_t pid, const char *name)
{
        char path[64], ours[64] = "", theirs[64] = "";

        (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
        if (readlink(path, ours, sizeof(ours) - 1) < 0)
                return POSTURE_UNKNOWN;
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
        if (readlink(path, theirs, sizeof(theirs) - 1) < 0)
                return POSTURE_UNKNOWN;
        return str_eq(ours, theirs) ? POSTURE_NO : POSTURE_YES;
}

/* Whose user namespace is not the host's first one cannot see who is root there. */
static enum posture_answer maps_host_root(pid_t pid)
{
        cleanup_with(release_buf) struct buf own = BUF_INIT(4096), theirs = BUF_INIT(4096);
        const char *ours = read_proc(getpid(), "uid_map", &own);
        const char *map = read_proc(pid, "uid_map", &theirs);
        unsigned long inside, outside, count;
        int n = 0;

        if (!ours || !map || sscanf(ours, "%lu %lu %lu", &inside, &outside, &count) != 3 ||
            inside != 0 || outside != 0 || count != UINT32_MAX)
                return POSTURE_UNKNOWN;
        for (; sscanf(map, "%lu %lu %lu%n", &inside, &outside, &count, &n) == 3; map += n)
                if (outside == 0)
                        return POSTURE_YES;
        return POSTURE_NO;
}

static enum posture_answer has_other_links(pid_t pid)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(64 * 1024);
        const char *line = read_proc(pid, "net/dev", &text);

        if (!line)
                return POSTURE_UNKNOWN;
        for (; line; line = strchr(line, '\n')) { /* two lines of headings have no colon */
                line += strspn(line, "\n ");
                if (strcspn(line, ":") < strcspn(line, "\n") && !str_after(line, "lo:"))
                        return POSTURE_YES;
        }
        return POSTURE_NO;
}

static uint64_t read_memory_max(const char *box_id)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(64);
        struct cgroup cg;
        uint64_t bytes = 0;
        int r = cgroup_open(box_id, &cg, NULL);

        if (r < 0)
                return 0;
        if (cg.mode != CGROUP_NONE && cg.v1_fd[CGROUP_MEMORY] >= 0)
                r = buf_read_file(&text, cg.v1_fd[CGROUP_MEMORY], "memory.limit_in_bytes");
        else if (cg.mode != CGROUP_NONE && cg.leaf_fd[CGROUP_LOAD] >= 0)
                r = buf_read_file(&text, cg.leaf_fd[CGROUP_LOAD], "memory.max");
        if (r == 0 && text.data)
                bytes = strtoull(text.data, NULL, 10); /* "max": 0 */
        cgroup_release(&cg);
        return bytes;
}

void posture_gather(pid_t main_pid, const char *box_id, struct posture_facts *facts)
{
        static const char *const names[POSTURE_NAMESPACES] = {"user", "pid", "net", "mnt"};

        read_status(main_pid, &facts->main);
        read_status(facts->main.parent, &facts->supervisor);
        for (size_t i = 0; i < POSTURE_NAMESPACES; i++)
                facts->own[i] = has_own(main_pid, names[i]);
        facts->host_root = maps_host_root(main_pid);
        facts->other_links = has_other_links(main_pid);
        if (facts->memory_asked > 0)
                facts->memory_max = read_memory_max(box_id);
}

/* ------------------------------------------------------------------------------------ verifying */

struct seen {
        char *to;
        size_t size;
};

__attribute__((format(printf, 3, 4))) static enum posture_answer
tell(const struct seen *s, bool good, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(s->to, s->size, format, ap);
        va_end(ap);
        return good ? POSTURE_YES : POSTURE_NO;
}

static enum posture_answer verify_namespace(const struct posture_facts *f, const struct seen *s,
                                            enum posture_namespace which)
{
        enum posture_answer own = f->own[which];

        if (own == POSTURE_UNKNOWN)
                return own;
        return tell(s, own == POSTURE_YES,
                    own == POSTURE_YES ? "main is not in ours" : "main is in ours");
}

static enum posture_answer verify_userns(const struct posture_facts *f, const struct seen *s)
{
        return verify_namespace(f, s, POSTURE_USER);
}

static enum posture_answer verify_netns(const struct posture_facts *f, const struct seen *s)
{
        return verify_namespace(f, s, POSTURE_NET);
}

static enum posture_answer verify_mounts(const struct posture_facts *f, const struct seen *s)
{
        return verify_namespace(f, s, POSTURE_MOUNT);
}

static enum posture_answer verify_pidns(const struct posture_facts *f, const struct seen *s)
{
        if (!f->main.known || f->main.pid_namespaces == 0)
                return POSTURE_UNKNOWN;
        return tell(s, f->main.pid_namespaces > 1 && f->main.innermost == 1,
                    "main is %d in the last of %u namespaces", (int)f->main.innermost,
                    f->main.pid_namespaces);
}

static enum posture_answer verify_idmap(const struct posture_facts *f, const struct seen *s)
{
        if (f->host_root == POSTURE_UNKNOWN)
                return f->host_root;
        return tell(s, f->host_root == POSTURE_NO, "root of the host is %s the box's ids",
                    f->host_root == POSTURE_NO ? "not among" : "among");
}

static enum posture_answer verify_egress(const struct posture_facts *f, const struct seen *s)
{
        if (f->other_links == POSTURE_UNKNOWN)
                return f->other_links;
        return tell(s, f->other_links == POSTURE_NO, "%s",
                    f->other_links == POSTURE_NO ? "no interface but lo"
                                                 : "there are interfaces besides lo");
}

static enum posture_answer verify_bounding(const struct posture_facts *f, const struct seen *s)
{
        if (!f->main.known)
                return POSTURE_UNKNOWN;
        return tell(s, (f->main.bounding & ~f->caps_max) == 0, "CapBnd %016" PRIx64,
                    f->main.bounding);
}

static enum posture_answer verify_capabilities(const struct posture_facts *f, const struct seen *s)
{
        const struct posture_process *p = &f->main;

        if (!p->known)
                return POSTURE_UNKNOWN;
        return tell(s, p->inheritable == 0 && p->ambient == 0 && (p->effective & ~f->caps_max) == 0,
                    "CapEff %016" PRIx64 ", CapInh %" PRIx64 ", CapAmb %" PRIx64, p->effective,
                    p->inheritable, p->ambient);
}

static enum posture_answer verify_nnp(const struct posture_facts *f, const struct seen *s)
{
        if (!f->main.known)
                return POSTURE_UNKNOWN;
        return tell(s, f->main.no_new_privs, "NoNewPrivs %d", f->main.no_new_privs);
}

static enum posture_answer verify_seccomp(const struct posture_facts *f, const struct seen *s)
{
        if (!f->main.known)
                return POSTURE_UNKNOWN;
        return tell(s, f->main.seccomp == 2, "Seccomp %u", f->main.seccomp);
}

static enum posture_answer verify_supervisor(const struct posture_facts *f, const struct seen *s)
{
        const struct posture_process *p = &f->supervisor;

        if (!p->known)
                return POSTURE_UNKNOWN;
        return tell(s, (p->effective & ~SUPERVISOR_CAPS) == 0 && p->inheritable == 0,
                    "CapEff %016" PRIx64, p->effective);
}

static enum posture_answer verify_memory(const struct posture_facts *f, const struct seen *s)
{
        uint64_t asked = f->memory_asked, max = f->memory_max;

        if (asked == 0)
                return POSTURE_UNKNOWN;
        return tell(s, max > 0 && max <= asked && asked - max < PAGE_BYTES_MAX,
                    "the cgroup says %" PRIu64, max);
}

static const struct {
        const char *control;
        enum posture_answer (*run)(const struct posture_facts *facts, const struct seen *s);
} table[] = {
        {"userns",        verify_userns      },
        {"idmap",         verify_idmap       },
        {"pidns",         verify_pidns       },
        {"netns",         verify_netns       },
        {"mount-root",    verify_mounts      },
        {"cgroup.memory", verify_memory      },
        {"bounding-set",  verify_bounding    },
        {"capabilities",  verify_capabilities},
        {"no-new-privs",  verify_nnp         },
        {"seccomp",       verify_seccomp     },
        {"egress",        verify_egress      },
        {"supervisor",    verify_supervisor  },
};

enum posture_answer posture_verify(const char *control, const struct posture_facts *facts, char *to,
                                   size_t size)
{
        const struct seen s = {.to = to, .size = size};

        to[0] = '\0';
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (str_eq(table[i].control, control))
                        return table[i].run(facts, &s);
        return POSTURE_UNKNOWN;
}
