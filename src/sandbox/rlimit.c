/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/rlimit.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"

static const struct {
        const char *name;
        uint32_t resource;
} limits[] = {
        {"as",         RLIMIT_AS        },
        {"core",       RLIMIT_CORE      },
        {"cpu",        RLIMIT_CPU       },
        {"data",       RLIMIT_DATA      },
        {"fsize",      RLIMIT_FSIZE     },
        {"locks",      RLIMIT_LOCKS     },
        {"memlock",    RLIMIT_MEMLOCK   },
        {"msgqueue",   RLIMIT_MSGQUEUE  },
        {"nice",       RLIMIT_NICE      },
        {"nofile",     RLIMIT_NOFILE    },
        {"nproc",      RLIMIT_NPROC     },
        {"rss",        RLIMIT_RSS       },
        {"rtprio",     RLIMIT_RTPRIO    },
        {"rttime",     RLIMIT_RTTIME    },
        {"sigpending", RLIMIT_SIGPENDING},
        {"stack",      RLIMIT_STACK     },
};

const char *rlimit_name(uint32_t resource)
{
        for (size_t i = 0; i < ELEMENTS(limits); i++)
                if (limits[i].resource == resource)
                        return limits[i].name;
        return NULL;
}

int rlimit_by_name(const char *name, uint32_t *ret_resource)
{
        static const char prefix[] = "RLIMIT_";

        if (strncasecmp(name, prefix, strlen(prefix)) == 0)
                name += strlen(prefix);

        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                if (strcasecmp(limits[i].name, name) != 0)
                        continue;
                *ret_resource = limits[i].resource;
                return 0;
        }
        return -EINVAL;
}

static int parse_value(const char *text, uint64_t *ret_value)
{
        if (str_eq(text, "-1") || str_eq(text, "unlimited")) {
                *ret_value = RLIMIT_UNLIMITED;
                return 0;
        }
        return str_to_u64(text, RLIMIT_UNLIMITED - 1, ret_value);
}

static int refuse(const char *text, struct coffer_error *err)
{
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "limit '%s' cannot be read", text);
        error_hint(err, "write NAME=SOFT[:HARD], for instance nofile=1024:4096");
        return -EINVAL;
}

int rlimit_parse(const char *text, struct rlimit_setting *ret_setting, struct coffer_error *err)
{
        struct rlimit_setting setting;
        char copy[64];
        char *equals, *colon;

        assert(text && ret_setting);

        if (str_copy(copy, sizeof(copy), text) < 0)
                return refuse(text, err);
        equals = strchr(copy, '=');
        if (!equals)
                return refuse(text, err);
        *equals = '\0';

        if (rlimit_by_name(copy, &setting.resource) < 0) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "no limit is called '%s'", copy);
                error_hint(err, "names are as, core, cpu, data, fsize, locks, memlock, msgqueue, "
                                "nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack");
                return -EINVAL;
        }

        colon = strchr(equals + 1, ':');
        if (colon)
                *colon = '\0';
        if (parse_value(equals + 1, &setting.soft) < 0)
                return refuse(text, err);
        setting.hard = setting.soft;
        if (colon && parse_value(colon + 1, &setting.hard) < 0)
                return refuse(text, err);
        if (setting.soft > setting.hard) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "limit '%s': the soft limit is above the hard one", text);
                error_hint(err, "write NAME=SOFT:HARD with SOFT not above HARD");
                return -EINVAL;
        }

        *ret_setting = setting;
        return 0;
}

/* The kernel's struct rlimit64; glibc and musl name theirs differently. */
struct pair {
        uint64_t soft;
        uint64_t hard;
};

static int apply(const struct rlimit_setting *setting, uint32_t *capped)
{
        struct pair have, want = {.soft = setting->soft, .hard = setting->hard};

        if (syscall(SYS_prlimit64, 0, setting->resource, NULL, &have) < 0)
                return -errno;
        if (want.hard > have.hard || want.soft > have.hard)
                *capped |= 1U << setting->resource;
        if (want.hard > have.hard)
                want.hard = have.hard;
        if (want.soft > want.hard)
                want.soft = want.hard;
        if (syscall(SYS_prlimit64, 0, setting->resource, &want, NULL) < 0)
                return -errno;
        return 0;
}

int rlimit_apply(const struct rlimit_setting *list, size_t count, uint32_t *ret_capped,
                 struct coffer_error *err)
{
        static const struct rlimit_setting no_core = {.resource = RLIMIT_CORE};
        uint32_t capped = 0, seen = 0;
        int r;

        assert(list || count == 0);

        /* From the end: a limit once lowered cannot be raised by an earlier row. */
        for (size_t i = count; i-- > 0;) {
                if (!rlimit_name(list[i].resource))
                        return error_set(err, -EINVAL, "set limit number %" PRIu32,
                                         list[i].resource);
                if (seen & (1U << list[i].resource))
                        continue;
                seen |= 1U << list[i].resource;
                r = apply(&list[i], &capped);
                if (r < 0)
                        return error_set(err, r, "set limit %s", rlimit_name(list[i].resource));
        }
        if (!(seen & (1U << RLIMIT_CORE))) {
                r = apply(&no_core, &capped);
                if (r < 0)
                        return error_set(err, r, "set limit core to 0");
        }

        if (ret_capped)
                *ret_capped = capped;
        return 0;
}
