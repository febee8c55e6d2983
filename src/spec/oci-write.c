/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI configuration of a box.  Written from top to bottom into a bounded buffer, whose first
 * failure is kept, so that it is asked for once, at the end.
 */
#include "spec/spec.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "spec/base64.h"
#include "spec/caps.h"
#include "spec/oci.h"
#include "spec/value.h"

#define DEPTH_MAX   6
#define POINTER_MAX 128

/**
 * struct writer - where in the document we are
 * @out:    the document
 * @raw:    members of "raw" so far, see spec_to_json()
 * @levels: the objects and arrays that are open: their key in the one around them, or NULL and
 *          their index there, and how many members they have
 * @depth:  how many of them
 */
struct writer {
        struct buf *out;
        struct buf raw;
        struct {
                const char *key;
                size_t index;
                size_t count;
                char end;
        } levels[DEPTH_MAX];
        size_t depth;
};

/* What comes before each value: a comma, its key. */
static void begin(struct writer *w, const char *key)
{
        if (w->depth > 0 && w->levels[w->depth - 1].count++ > 0)
                (void)buf_append_str(w->out, ",");
        if (key)
                (void)buf_printf(w->out, "\"%s\":", key);
}

static void open_level(struct writer *w, const char *key, const char *brackets)
{
        size_t index = w->depth > 0 ? w->levels[w->depth - 1].count : 0;

        assert(w->depth < DEPTH_MAX);

        begin(w, key);
        (void)buf_append(w->out, brackets, 1);
        w->levels[w->depth].key = key;
        w->levels[w->depth].index = index;
        w->levels[w->depth].count = 0;
        w->levels[w->depth].end = brackets[1];
        w->depth++;
}

static void open_object(struct writer *w, const char *key)
{
        open_level(w, key, "{}");
}

static void open_array(struct writer *w, const char *key)
{
        open_level(w, key, "[]");
}

static void close_level(struct writer *w)
{
        (void)buf_append(w->out, &w->levels[--w->depth].end, 1);
}

static void put_u64(struct writer *w, const char *key, uint64_t value)
{
        begin(w, key);
        (void)buf_printf(w->out, "%" PRIu64, value);
}

static void put_bool(struct writer *w, const char *key, bool value)
{
        begin(w, key);
        (void)buf_append_str(w->out, value ? "true" : "false");
}

/* RFC 6901; no key of ours holds a '/' or '~'. */
static void write_step(char *to, size_t size, const char *key, size_t index)
{
        size_t used = strlen(to);

        if (key)
                (void)snprintf(to + used, size - used, "/%s", key);
        else
                (void)snprintf(to + used, size - used, "/%zu", index);
}

/* The bytes of the string just written, which is not UTF-8. */
static void put_raw(struct writer *w, const char *key, const char *value)
{
        char pointer[POINTER_MAX] = "";

        for (size_t i = 1; i < w->depth; i++)
                write_step(pointer, sizeof(pointer), w->levels[i].key, w->levels[i].index);
        write_step(pointer, sizeof(pointer), key, w->levels[w->depth - 1].count - 1);
        (void)buf_printf(&w->raw, "%s\"%s\":\"", w->raw.size > 0 ? "," : "", pointer);
        (void)base64_encode(value, &w->raw);
        (void)buf_append_str(&w->raw, "\"");
}

/* How often U+FFFD stands there. */
static size_t count_replaced(const char *s)
{
        size_t count = 0;

        for (; *s != '\0'; s++)
                count += s[0] == '\xef' && s[1] == '\xbf' && s[2] == '\xbd';
        return count;
}

static void put_text(struct writer *w, const char *key, const char *value)
{
        size_t start;

        begin(w, key);
        start = w->out->size;
        if (buf_append_json(w->out, value) == 0 &&
            count_replaced(w->out->data + start) != count_replaced(value))
                put_raw(w, key, value);
}

static void put_words(struct writer *w, const char *key, const char *const *words)
{
        open_array(w, key);
        for (; *words; words++)
                put_text(w, NULL, *words);
        close_level(w);
}

static void put_items(struct writer *w, const struct strv *list)
{
        for (size_t i = 0; i < list->count; i++)
                put_text(w, NULL, list->items[i]);
}

static void put_list(struct writer *w, const char *key, const struct strv *list)
{
        open_array(w, key);
        put_items(w, list);
        close_level(w);
}

static void put_caps(struct writer *w, const char *key, uint64_t caps)
{
        open_array(w, key);
        for (unsigned i = 0; i < CAPS_COUNT; i++)
                if (caps >> i & 1)
                        put_text(w, NULL, caps_name(i));
        close_level(w);
}

/* A name is resolved in the box; until then other tools see root. */
static uint64_t number_or_zero(const char *account, size_t size)
{
        char text[16];
        uint64_t number = 0;

        if (size >= sizeof(text))
                return 0;
        memcpy(text, account, size);
        text[size] = '\0';
        return str_to_u64(text, UINT32_MAX, &number) < 0 ? 0 : number;
}

static void put_user(struct writer *w, const struct spec *s)
{
        const char *user = s->user ? s->user : "0";
        const char *colon = strchrnul(user, ':');
        const char *group = *colon ? colon + 1 : "0";

        open_object(w, "user");
        put_u64(w, "uid", number_or_zero(user, (size_t)(colon - user)));
        put_u64(w, "gid", number_or_zero(group, strlen(group)));
        close_level(w);
}

static bool is_root(const char *user)
{
        size_t size;

        if (!user)
                return true;
        size = strcspn(user, ":");
        return (size == 1 && user[0] == '0') || (size == 4 && strncmp(user, "root", 4) == 0);
}

static void put_capabilities(struct writer *w, const struct spec *s)
{
        uint64_t caps = is_root(s->user) ? spec_caps_root(s) : spec_caps_user(s);

        open_object(w, "capabilities");
        put_caps(w, "bounding", spec_caps_root(s));
        put_caps(w, "effective", caps);
        put_caps(w, "permitted", caps);
        put_caps(w, "inheritable", 0);
        put_caps(w, "ambient", is_root(s->user) ? 0 : caps);
        close_level(w);
}

static uint64_t limit_to_json(uint64_t limit)
{
        return limit == SPEC_UNLIMITED ? OCI_NO_LIMIT : limit;
}

static void put_rlimits(struct writer *w, const struct spec_ulimits *limits)
{
        open_array(w, "rlimits");
        for (size_t i = 0; i < limits->count; i++) {
                const char *name = value_ulimit_name(limits->items[i].resource);
                char type[32] = "RLIMIT_";
                size_t used = strlen(type);

                assert(name && used + strlen(name) < sizeof(type));
                for (; *name != '\0'; name++)
                        type[used++] = (char)toupper((unsigned char)*name);
                open_object(w, NULL);
                put_text(w, "type", type);
                put_u64(w, "soft", limit_to_json(limits->items[i].soft));
                put_u64(w, "hard", limit_to_json(limits->items[i].hard));
                close_level(w);
        }
        close_level(w);
}

static void put_process(struct writer *w, const struct spec *s)
{
        open_object(w, "process");
        put_bool(w, "terminal", s->tty);
        put_user(w, s);
        open_array(w, "args");
        put_items(w, &s->entrypoint.argv);
        put_items(w, &s->args);
        close_level(w);
        put_list(w, "env", &s->env);
        put_text(w, "cwd", s->workdir);
        put_capabilities(w, s);
        put_rlimits(w, &s->ulimits);
        put_bool(w, "noNewPrivileges", true);
        close_level(w);
}

/* What every box has; the first OCI_OWN_MOUNTS. */
static const struct {
        const char *destination;
        const char *type;
        const char *options; /* one per word */
} own_mounts[OCI_OWN_MOUNTS] = {
        {"/proc",       "proc",   "nosuid noexec nodev"                              },
        {"/dev",        "tmpfs",  "nosuid noexec mode=755"                           },
        {"/dev/pts",    "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620"},
        {"/dev/shm",    "tmpfs",  "nosuid noexec nodev mode=1777"                    },
        {"/dev/mqueue", "mqueue", "nosuid noexec nodev"                              },
        {"/sys",        "sysfs",  "nosuid noexec nodev ro"                           },
};

__attribute__((format(printf, 2, 3))) static void put_option(struct writer *w, const char *format,
                                                             ...)
{
        char option[64];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(option, sizeof(option), format, ap);
        va_end(ap);
        put_text(w, NULL, option);
}

static void put_own_mounts(struct writer *w, const struct spec *s)
{
        for (size_t i = 0; i < ELEMENTS(own_mounts); i++) {
                open_object(w, NULL);
                put_text(w, "destination", own_mounts[i].destination);
                put_text(w, "type", own_mounts[i].type);
                put_text(w, "source", own_mounts[i].type);
                open_array(w, "options");
                for (const char *p = own_mounts[i].options; *p != '\0'; p += strspn(p, " ")) {
                        size_t size = strcspn(p, " ");

                        put_option(w, "%.*s", (int)size, p);
                        p += size;
                }
                if (str_eq(own_mounts[i].destination, "/dev/shm"))
                        put_option(w, "size=%" PRIu64, s->shm_bytes);
                close_level(w);
                close_level(w);
        }
}

static void put_mount_options(struct writer *w, const struct spec_mount *m)
{
        open_array(w, "options");
        if (m->kind == SPEC_BIND)
                put_text(w, NULL, "rbind");
        if (m->kind != SPEC_TMPFS)
                put_text(w, NULL, "rprivate");
        put_text(w, NULL, "nosuid");
        put_text(w, NULL, "nodev");
        put_text(w, NULL, m->no_exec ? "noexec" : "exec");
        put_text(w, NULL, m->read_only ? "ro" : "rw");
        if (m->no_copy)
                put_text(w, NULL, "nocopy");
        if (m->from_image)
                put_text(w, NULL, OCI_FROM_IMAGE);
        if (m->kind == SPEC_TMPFS) {
                put_option(w, "mode=%o", m->mode);
                put_option(w, "uid=%u", m->uid);
                put_option(w, "gid=%u", m->gid);
        }
        if (m->size_bytes > 0)
                put_option(w, "size=%" PRIu64, m->size_bytes);
        if (m->inodes > 0)
                put_option(w, "nr_inodes=%" PRIu64, m->inodes);
        close_level(w);
}

static void put_mounts(struct writer *w, const struct spec *s)
{
        static const char *const types[] = {"bind", "volume", "tmpfs"};

        open_array(w, "mounts");
        put_own_mounts(w, s);
        for (size_t i = 0; i < s->mounts.count; i++) {
                const struct spec_mount *m = &s->mounts.items[i];

                open_object(w, NULL);
                put_text(w, "destination", m->target);
                put_text(w, "type", types[m->kind]);
                put_text(w, "source", m->source ? m->source : m->kind == SPEC_TMPFS ? "tmpfs" : "");
                put_mount_options(w, m);
                close_level(w);
        }
        close_level(w);
}

static void put_resources(struct writer *w, const struct spec *s)
{
        open_object(w, "resources");
        if (s->memory_bytes > 0) {
                open_object(w, "memory");
                put_u64(w, "limit", s->memory_bytes);
                close_level(w);
        }
        if (s->cpu_millis > 0) {
                open_object(w, "cpu");
                put_u64(w, "quota", s->cpu_millis * (OCI_CPU_PERIOD_US / 1000));
                put_u64(w, "period", OCI_CPU_PERIOD_US);
                close_level(w);
        }
        if (s->pids_max > 0) {
                open_object(w, "pids");
                begin(w, "limit");
                (void)buf_printf(w->out, "%" PRIi64,
                                 s->pids_max == SPEC_UNLIMITED ? -1 : (int64_t)s->pids_max);
                close_level(w);
        }
        close_level(w);
}

static void put_linux(struct writer *w, const struct spec *s)
{
        static const char *const namespaces[] = {
                "user", "mount", "pid", "network", "ipc", "uts", "cgroup",
        };

        open_object(w, "linux");
        open_array(w, "namespaces");
        for (size_t i = 0; i < ELEMENTS(namespaces); i++) {
                open_object(w, NULL);
                put_text(w, "type", namespaces[i]);
                close_level(w);
        }
        close_level(w);
        put_resources(w, s);
        put_words(w, "maskedPaths", spec_masked_paths);
        put_words(w, "readonlyPaths", spec_read_only_paths);
        close_level(w);
}

static void put_row(struct writer *w, const struct spec *s, const struct oci_row *row)
{
        const void *at = (const char *)s + row->offset;

        switch (row->kind) {
        case OCI_TEXT:
                if (*(char *const *)at)
                        put_text(w, row->member, *(char *const *)at);
                break;
        case OCI_LIST:
                put_list(w, row->member, at);
                break;
        case OCI_BOOL:
                put_bool(w, row->member, *(const bool *)at);
                break;
        case OCI_U32:
                put_u64(w, row->member, *(const uint32_t *)at);
                break;
        case OCI_U64:
                put_u64(w, row->member, *(const uint64_t *)at);
                break;
        case OCI_WORD:
                put_text(w, row->member, row->words[*(const unsigned *)at]);
                break;
        }
}

static void put_health(struct writer *w, const struct spec *s)
{
        if (!oci_has_health(s))
                return;
        open_object(w, "health");
        for (size_t i = 0; i < oci_health_row_count; i++)
                put_row(w, s, &oci_health_rows[i]);
        close_level(w);
}

/* The last section, since "raw" is complete only when every string has been written. */
static void put_coffer(struct writer *w, const struct spec *s)
{
        open_object(w, "coffer");
        put_u64(w, "format", OCI_FORMAT);
        put_bool(w, "entrypointSet", s->entrypoint.set);
        put_u64(w, "entrypointCount", s->entrypoint.argv.count);
        for (size_t i = 0; i < oci_row_count; i++)
                put_row(w, s, &oci_rows[i]);
        put_health(w, s);
        if (w->raw.size > 0) {
                begin(w, "raw");
                (void)buf_append_str(w->out, "{");
                (void)buf_append(w->out, w->raw.data, w->raw.size);
                (void)buf_append_str(w->out, "}");
        }
        close_level(w);
}

static bool is_complete(const struct spec *s)
{
        if (s->here != SPEC_HERE_OFF && !s->here_dir)
                return false;
        for (size_t i = 0; i < s->mounts.count; i++)
                if (s->mounts.items[i].kind == SPEC_BIND && s->mounts.items[i].source[0] != '/')
                        return false;
        return s->workdir && s->hostname && s->stop_signal > 0 &&
               s->entrypoint.argv.count + s->args.count > 0;
}

int spec_to_json(const struct spec *s, struct buf *out)
{
        struct writer w = {.out = out, .raw = BUF_INIT(SPEC_JSON_MAX_BYTES)};
        int r;

        if (!is_complete(s))
                return -EINVAL;

        open_object(&w, NULL);
        put_text(&w, "ociVersion", OCI_VERSION);
        put_process(&w, s);
        open_object(&w, "root");
        put_text(&w, "path", "merged");
        put_bool(&w, "readonly", s->read_only);
        close_level(&w);
        put_text(&w, "hostname", s->hostname);
        put_mounts(&w, s);
        put_linux(&w, s);
        put_coffer(&w, s);
        close_level(&w);
        (void)buf_append_str(out, "\n");

        r = w.raw.failed < 0 ? w.raw.failed : out->failed;
        buf_release(&w.raw);
        return r;
}
