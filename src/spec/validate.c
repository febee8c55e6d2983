/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no single option can know: options that contradict each other, and sums.  Rows, so that a
 * new rule is a new row.
 */
#include "spec/spec.h"

#include <errno.h>

#include "base/error.h"
#include "spec/control.h"
#include "spec/mounts.h"
#include "spec/value.h"

/* One missing wall at a time: without the bounding set these three must stand. */
static bool two_walls_missing(const struct spec *s)
{
        return strv_has(&s->allow_degraded, "bounding-set") &&
               (strv_has(&s->allow_degraded, "seccomp") ||
                strv_has(&s->allow_degraded, "no-new-privs") ||
                strv_has(&s->allow_degraded, "landlock"));
}

static bool cap_added_and_dropped(const struct spec *s)
{
        for (size_t i = 0; i < s->cap_add.count; i++)
                if (strv_has(&s->cap_drop, s->cap_add.items[i]))
                        return true;
        return false;
}

static bool shm_twice(const struct spec *s)
{
        return s->shm_bytes != SPEC_SHM_DEFAULT_BYTES && mounts_find(&s->mounts, "/dev/shm");
}

/* Without a known directory yet there is nothing to look at: spec_validate() comes again. */
static bool here_dir_is_target(const struct spec *s)
{
        return s->here != SPEC_HERE_OFF && s->here_dir && mounts_find(&s->mounts, s->here_dir);
}

static bool here_dir_cannot_be_shown(const struct spec *s)
{
        return s->here != SPEC_HERE_OFF && s->here_dir &&
               (!value_is_path(s->here_dir) || !mount_may_cover(s->here_dir));
}

static bool here_dir_without_here(const struct spec *s)
{
        return s->here == SPEC_HERE_OFF && s->here_dir;
}

static bool memory_too_small(const struct spec *s)
{
        return s->memory_bytes > 0 && s->memory_bytes < SPEC_MEMORY_MIN_BYTES;
}

static bool shm_above_memory(const struct spec *s)
{
        return s->memory_bytes > 0 && s->shm_bytes > s->memory_bytes &&
               s->shm_bytes != SPEC_SHM_DEFAULT_BYTES;
}

static bool health_on_and_off(const struct spec *s)
{
        return s->health.off && spec_health_has_settings(&s->health);
}

/* Only a document can say such a thing; what options and images say is checked where it is read. */
static bool health_test_without_form(const struct spec *s)
{
        const struct strv *test = &s->health.test;

        return test->count > 0 && (test->count < 2 || (!str_eq(test->items[0], "CMD") &&
                                                       !str_eq(test->items[0], "CMD-SHELL")));
}

static bool restart_of_removed(const struct spec *s)
{
        return s->remove && s->restart;
}

#define RULE(fn, line, advice)                                    \
        {                                                         \
                .applies = (fn), .text = (line), .hint = (advice) \
        }

static const struct {
        bool (*applies)(const struct spec *s);
        const char *text;
        const char *hint;
} rules[] = {
        RULE(two_walls_missing,
             "--allow-degraded bounding-set goes with neither seccomp, no-new-privs nor landlock",
             "one missing wall at a time: allow one of them"),
        RULE(cap_added_and_dropped, "a capability is both added and dropped", "name it once"),
        RULE(shm_twice, "--shm-size and a mount at /dev/shm", "give the mount a size instead"),
        RULE(shm_above_memory, "--shm-size is above --memory",
             "what lies in /dev/shm counts as memory"),
        RULE(here_dir_is_target, "--here and another mount are at the same target",
             "leave one of them out"),
        RULE(here_dir_cannot_be_shown, "--here cannot show this directory at its own path",
             "go to another directory, or mount this one elsewhere: -v .:/mnt/here"),
        RULE(here_dir_without_here, "a directory for --here is set, but --here is not",
             "set here to rw or ro"),
        RULE(health_on_and_off, "--no-healthcheck and a --health option contradict each other",
             "leave one of them out"),
        RULE(health_test_without_form,
             "the health check is neither CMD nor CMD-SHELL and a command",
             "give it with --health-cmd"),
        RULE(memory_too_small, "--memory is less than a program needs to start",
             "give at least 6m"),
        RULE(restart_of_removed, "--rm and --restart exclude each other",
             "a box that is to be started again must not be removed: leave --rm out"),
};

static const struct {
        size_t offset;
        size_t max_bytes;
        const char *what;
} sums[] = {
        {offsetof(struct spec, args),            SPEC_ARGS_MAX_BYTES,   "the arguments"    },
        {offsetof(struct spec, entrypoint.argv), SPEC_ARGS_MAX_BYTES,   "the entrypoint"   },
        {offsetof(struct spec, env),             SPEC_ENV_MAX_BYTES,    "the environment"  },
        {offsetof(struct spec, labels),          SPEC_LABELS_MAX_BYTES, "the labels"       },
        {offsetof(struct spec, health.test),     SPEC_ARGS_MAX_BYTES,   "the health check" },
        {offsetof(struct spec, health.shell),    SPEC_ARGS_MAX_BYTES,   "the image's shell"},
};

static int check_sum(size_t row, const struct strv *list, struct coffer_error *err)
{
        size_t sum = 0, longest = 0;

        for (size_t i = 0; i < list->count; i++) {
                size_t size = strlen(list->items[i]);

                sum += size + 1;
                longest = size > longest ? size : longest;
        }
        if (sum <= sums[row].max_bytes && longest <= SPEC_ARG_MAX_BYTES)
                return 0;
        if (longest > SPEC_ARG_MAX_BYTES)
                (void)error_say(err, -E2BIG, COFFER_ERROR_USAGE,
                                "%s: one has %zu bytes, more than %d", sums[row].what, longest,
                                SPEC_ARG_MAX_BYTES);
        else
                (void)error_say(err, -E2BIG, COFFER_ERROR_USAGE, "%s: %zu bytes, more than %zu",
                                sums[row].what, sum, sums[row].max_bytes);
        error_hint(err, "pass what is large in a file: -v FILE:/mnt/file:ro");
        return -E2BIG;
}

/* What may be lacking cannot be required, and a limit that is not set cannot be enforced. */
static int check_controls(const struct spec *s, struct coffer_error *err)
{
        const struct {
                const char *control;
                bool set;
        } limits[] = {
                {"cgroup.memory", s->memory_bytes > 0          },
                {"cgroup.cpu",    s->cpu_millis > 0            },
                {"cgroup.pids",   s->pids_max != SPEC_UNLIMITED},
        };
        const struct control *all;
        size_t count;

        all = controls(&count);
        for (size_t i = 0; i < count; i++) {
                if (!control_listed(&s->require, all[i].name) ||
                    !control_listed(&s->allow_degraded, all[i].name))
                        continue;
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "--require and --allow-degraded both mean %s", all[i].name);
                error_hint(err, "what may be lacking cannot be required: name it once");
                return -EINVAL;
        }
        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                const struct control *c = control_find(limits[i].control);

                if (limits[i].set || !control_listed(&s->require, c->name))
                        continue;
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "--require %s, and there is no limit to enforce", c->name);
                error_hint(err, "set it with %s", c->note);
                return -EINVAL;
        }
        return 0;
}

int spec_validate(const struct spec *s, struct coffer_error *err)
{
        int code = check_controls(s, err);

        if (code < 0)
                return code;
        for (size_t i = 0; i < ELEMENTS(rules); i++) {
                if (!rules[i].applies(s))
                        continue;
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "%s", rules[i].text);
                error_hint(err, "%s", rules[i].hint);
                return -EINVAL;
        }
        for (size_t i = 0; i < ELEMENTS(sums); i++) {
                const void *list = (const char *)s + sums[i].offset;
                int r = check_sum(i, list, err);

                if (r < 0)
                        return r;
        }
        return 0;
}
