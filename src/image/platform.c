/* SPDX-License-Identifier: Apache-2.0 */
#include "image/platform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

#define PART_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"

/* Other names of the same. */
static const struct {
        const char *said;
        const char *meant;
} aliases[] = {
        {"x86_64",  "amd64"},
        {"x86-64",  "amd64"},
        {"aarch64", "arm64"},
};

struct platform platform_host(void)
{
#if defined(__x86_64__)
        return (struct platform){.os = "linux", .architecture = "amd64"};
#elif defined(__aarch64__)
        return (struct platform){.os = "linux", .architecture = "arm64"};
#else
#error "no name for this architecture yet"
#endif
}

static int take_part(const char **at, char *to, size_t size)
{
        size_t n = strcspn(*at, "/");

        if (n == 0 || n >= size || strspn(*at, PART_CHARS "-") < n)
                return -EINVAL;
        memcpy(to, *at, n);
        to[n] = '\0';
        *at += n;
        if (**at == '/' && *++*at == '\0')
                return -EINVAL;
        return 0;
}

int platform_parse(const char *text, struct platform *ret_platform, struct coffer_error *err)
{
        struct platform p = {.os = "linux"};
        const char *at = text;
        int r = 0;

        if (*at == '\0') {
                *ret_platform = platform_host();
                return 0;
        }
        if (strchr(at, '/'))
                r = take_part(&at, p.os, sizeof(p.os));
        if (r == 0)
                r = take_part(&at, p.architecture, sizeof(p.architecture));
        if (r == 0 && *at)
                r = take_part(&at, p.variant, sizeof(p.variant));
        if (r < 0 || *at) {
                r = error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%.60s' is no platform", text);
                error_hint(err, "write OS/ARCHITECTURE, such as linux/amd64 or linux/arm/v7");
                return r;
        }
        for (size_t i = 0; i < ELEMENTS(aliases); i++)
                if (str_eq(p.architecture, aliases[i].said))
                        (void)str_copy(p.architecture, sizeof(p.architecture), aliases[i].meant);
        if (str_eq(p.architecture, "arm64") && str_eq(p.variant, "v8"))
                p.variant[0] = '\0'; /* there is no other */
        *ret_platform = p;
        return 0;
}

bool platform_fits(const struct platform *want, const char *os, const char *architecture,
                   const char *variant)
{
        return (os[0] == '\0' || str_eq(os, want->os)) &&
               (architecture[0] == '\0' || str_eq(architecture, want->architecture)) &&
               (want->variant[0] == '\0' || variant[0] == '\0' || str_eq(variant, want->variant));
}

void platform_format(const struct platform *p, char *to)
{
        (void)snprintf(to, PLATFORM_MAX, "%.20s/%.20s%s%.15s", p->os, p->architecture,
                       p->variant[0] ? "/" : "", p->variant);
}
