/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/error.h"

#define CPUS_MAX       65536
#define HOSTS_NAME_MAX 253 /* of a name in /etc/hosts: RFC 1035 */
#define USER_NAME_MAX  255

int value_bool(const char *s, bool *ret_bool)
{
        static const struct {
                const char *word;
                bool value;
        } words[] = {
                {"",      true },
                {"1",     true },
                {"t",     true },
                {"T",     true },
                {"TRUE",  true },
                {"true",  true },
                {"True",  true },
                {"0",     false},
                {"f",     false},
                {"F",     false},
                {"FALSE", false},
                {"false", false},
                {"False", false},
        };

        for (size_t i = 0; i < ELEMENTS(words); i++) {
                if (!str_eq(words[i].word, s ? s : ""))
                        continue;
                *ret_bool = words[i].value;
                return 0;
        }
        return -EINVAL;
}

/*
 * Reads "12", "12.5", "12." or ".5", moves @s behind it, and multiplies: the value is rounded
 * down, and @ret_exact says whether anything was lost.  Exact arithmetic, so that "0.1" of 1000
 * is 100.
 */
static int read_decimal(const char **s, uint64_t unit, uint64_t *ret_value, bool *ret_exact)
{
        unsigned __int128 value = 0, scale = 1;
        bool point = false, digits = false, fits = true;

        for (; isdigit((unsigned char)**s) || (**s == '.' && !point); (*s)++) {
                if (**s == '.') {
                        point = true;
                        continue;
                }
                digits = true;
                if (fits) {
                        value = value * 10 + (unsigned)(**s - '0');
                        scale *= point ? 10 : 1;
                }
                fits = fits && value <= UINT64_MAX && scale <= 1000000000000;
        }
        if (!digits)
                return -EINVAL;
        value *= unit; /* 64 bits by 64 */
        if (!fits || value / scale > INT64_MAX)
                return -ERANGE;

        *ret_value = (uint64_t)(value / scale);
        *ret_exact = value % scale == 0;
        return 0;
}

int value_size(const char *s, uint64_t *ret_bytes)
{
        static const char units[] = "kmgtp";
        const char *end = s;
        const char *unit;
        uint64_t bytes;
        bool exact;
        int r;

        r = read_decimal(&end, 1, &bytes, &exact);
        if (r == -EINVAL)
                return r;
        unit = *end != '\0' ? strchr(units, tolower((unsigned char)*end)) : NULL;
        if (unit)
                end++;
        if (*end == 'i' && unit)
                end++;
        if (*end == 'b' || *end == 'B')
                end++;
        if (*end != '\0')
                return -EINVAL;

        r = read_decimal(&s, unit ? UINT64_C(1) << (10 * (unit - units + 1)) : 1, &bytes, &exact);
        if (r < 0)
                return r;
        if (!exact && (!unit || bytes == 0))
                return -ERANGE; /* half a byte */
        *ret_bytes = bytes;
        return 0;
}

int value_cpus(const char *s, uint64_t *ret_millis)
{
        uint64_t millis;
        bool exact;
        int r;

        r = read_decimal(&s, 1000, &millis, &exact);
        if (r < 0)
                return r;
        if (*s != '\0')
                return -EINVAL;
        if (!exact || millis > CPUS_MAX * 1000)
                return -ERANGE;
        *ret_millis = millis;
        return 0;
}

/* The longest first, where one begins with another. */
static const struct {
        const char *name;
        uint64_t usec;
} time_units[] = {
        {"ms", 1000      },
        {"us", 1         },
        {"s",  1000000   },
        {"m",  60000000  },
        {"h",  3600000000},
};

int value_duration(const char *s, uint32_t *ret_ms)
{
        uint64_t total = 0;
        uint64_t ms;

        if (str_eq(s, "-1")) {
                *ret_ms = SPEC_DURATION_MAX_MS;
                return 0;
        }
        if (*s == '\0')
                return -EINVAL;

        if (str_to_u64(s, UINT64_MAX, &ms) != -EINVAL) { /* digits only: seconds */
                if (str_to_u64(s, SPEC_DURATION_MAX_MS / 1000, &ms) < 0)
                        return -ERANGE;
                *ret_ms = (uint32_t)(ms * 1000);
                return 0;
        }

        while (*s != '\0') {
                const char *unit = s + strspn(s, "0123456789.");
                const char *after = NULL;
                uint64_t usec;
                bool exact;
                size_t i;
                int r;

                for (i = 0; i < ELEMENTS(time_units) && !after; i++)
                        after = str_after(unit, time_units[i].name);
                if (!after)
                        return -EINVAL;
                r = read_decimal(&s, time_units[i - 1].usec, &usec, &exact);
                if (r < 0)
                        return r;
                if (s != unit)
                        return -EINVAL; /* two points */
                if (!exact || __builtin_add_overflow(total, usec, &total))
                        return -ERANGE;
                s = after;
        }
        if (total % 1000 != 0 || total / 1000 > SPEC_DURATION_MAX_MS)
                return -ERANGE;
        *ret_ms = (uint32_t)(total / 1000);
        return 0;
}

/* The numbers of x86-64 and aarch64, which agree. */
static const char *const signals[] = {
        NULL,   "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
        "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
        "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
};

#define SIGNAL_RTMIN 34 /* glibc keeps 32 and 33 for itself */
#define SIGNAL_RTMAX 64

static int realtime_signal(const char *s, uint32_t *ret_signal)
{
        bool max = strncasecmp(s, "RTMAX", 5) == 0;
        uint64_t offset = 0;

        if (!max && strncasecmp(s, "RTMIN", 5) != 0)
                return -EINVAL;
        s += 5;
        if (*s != '\0' && (*s != (max ? '-' : '+') ||
                           str_to_u64(s + 1, SIGNAL_RTMAX - SIGNAL_RTMIN, &offset) < 0))
                return -EINVAL;
        *ret_signal = max ? SIGNAL_RTMAX - (uint32_t)offset : SIGNAL_RTMIN + (uint32_t)offset;
        return 0;
}

int value_signal(const char *s, uint32_t *ret_signal)
{
        uint64_t number;
        int r;

        r = str_to_u64(s, SIGNAL_RTMAX, &number);
        if (r == 0 && number > 0) {
                *ret_signal = (uint32_t)number;
                return 0;
        }
        if (r != -EINVAL)
                return -ERANGE;

        if (strncasecmp(s, "SIG", 3) == 0)
                s += 3;
        for (uint32_t i = 1; i < ELEMENTS(signals); i++) {
                if (strcasecmp(signals[i], s) != 0)
                        continue;
                *ret_signal = i;
                return 0;
        }
        return realtime_signal(s, ret_signal);
}

static const struct {
        const char *name;
        uint32_t resource;
} ulimits[] = {
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

const char *value_ulimit_name(uint32_t resource)
{
        for (size_t i = 0; i < ELEMENTS(ulimits); i++)
                if (ulimits[i].resource == resource)
                        return ulimits[i].name;
        return NULL;
}

static int read_limit(const char *s, size_t size, uint64_t *ret_limit)
{
        char number[24];

        if (size >= sizeof(number))
                return -ERANGE;
        memcpy(number, s, size);
        number[size] = '\0';
        if (str_eq(number, "-1") || str_eq(number, "unlimited")) {
                *ret_limit = SPEC_UNLIMITED;
                return 0;
        }
        return str_to_u64(number, INT64_MAX - 1, ret_limit);
}

int value_ulimit(const char *s, struct spec_ulimit *ret_limit)
{
        struct spec_ulimit limit = {0};
        const char *value = strchr(s, '=');
        const char *colon;
        size_t i;
        int r;

        if (!value)
                return -EINVAL;
        for (i = 0; i < ELEMENTS(ulimits); i++)
                if (strlen(ulimits[i].name) == (size_t)(value - s) &&
                    strncmp(ulimits[i].name, s, (size_t)(value - s)) == 0)
                        break;
        if (i == ELEMENTS(ulimits))
                return -ENOENT;
        limit.resource = ulimits[i].resource;

        value++;
        colon = strchrnul(value, ':');
        r = read_limit(value, (size_t)(colon - value), &limit.soft);
        if (r < 0)
                return r;
        limit.hard = limit.soft;
        if (*colon == ':')
                r = read_limit(colon + 1, strlen(colon + 1), &limit.hard);
        if (r < 0)
                return r;
        if (limit.soft > limit.hard)
                return -EDOM;
        *ret_limit = limit;
        return 0;
}

/* Labels of letters, digits and '-' with points between them; '_' too where @more says so. */
static bool is_dotted(const char *s, size_t size, const char *more)
{
        size_t length = 0; /* of the label so far */

        for (size_t i = 0; i < size; i++) {
                bool last = i + 1 == size || s[i + 1] == '.';

                if (s[i] == '.') {
                        if (length == 0)
                                return false;
                        length = 0;
                        continue;
                }
                if (s[i] == '-' && (length == 0 || last))
                        return false;
                if (!isalnum((unsigned char)s[i]) && s[i] != '-' && !strchr(more, s[i]))
                        return false;
                if (++length > 63)
                        return false;
        }
        return length > 0; /* not empty, no point at the end */
}

bool value_is_hostname(const char *s)
{
        size_t size = strlen(s);

        return size <= SPEC_HOSTNAME_MAX && is_dotted(s, size, "");
}

int value_host(const char *s, char **ret_host)
{
        char address[INET6_ADDRSTRLEN];
        unsigned char binary[sizeof(struct in6_addr)];
        size_t name_size = strcspn(s, ":=");
        const char *from = s + name_size;
        size_t size;
        char *host = NULL;

        if (*from == '\0' || name_size > HOSTS_NAME_MAX || !is_dotted(s, name_size, "_"))
                return -EINVAL;
        from++;
        size = strlen(from);
        if (size > 2 && from[0] == '[' && from[size - 1] == ']') {
                from++;
                size -= 2;
        }
        if (size >= sizeof(address))
                return -EINVAL;
        memcpy(address, from, size);
        address[size] = '\0';
        if (inet_pton(AF_INET, address, binary) != 1 && inet_pton(AF_INET6, address, binary) != 1)
                return -EINVAL;

        if (asprintf(&host, "%.*s:%s", (int)name_size, s, address) < 0)
                return -ENOMEM;
        *ret_host = host;
        return 0;
}

int value_path(const char *s, char **ret_path)
{
        cleanup_free char *path = NULL;
        size_t used = 0;

        if (s[0] != '/')
                return -EINVAL;
        if (strlen(s) > SPEC_PATH_MAX)
                return -ENAMETOOLONG;
        path = malloc(strlen(s) + 1);
        if (!path)
                return -ENOMEM;

        while (*s != '\0') {
                size_t n;

                s += strspn(s, "/");
                n = strcspn(s, "/");
                if (n == 2 && s[0] == '.' && s[1] == '.')
                        return -ENOTDIR;
                if (n > 0 && !(n == 1 && s[0] == '.')) {
                        path[used++] = '/';
                        memcpy(path + used, s, n);
                        used += n;
                }
                s += n;
        }
        if (used == 0)
                path[used++] = '/';
        path[used] = '\0';
        *ret_path = take_ptr(path);
        return 0;
}

bool value_is_path(const char *s)
{
        if (s[0] != '/' || strlen(s) > SPEC_PATH_MAX)
                return false;
        if (s[1] == '\0')
                return true;
        while (*s == '/') {
                size_t n = strcspn(s + 1, "/");

                if (n == 0 || (n == 1 && s[1] == '.') || (n == 2 && s[1] == '.' && s[2] == '.'))
                        return false;
                s += n + 1;
        }
        return true;
}

/* A number below 2^32-1 (which means "no change" to the kernel), or a name passwd could hold. */
static bool is_account(const char *s, size_t size)
{
        uint64_t number = 0;
        bool digits = size > 0;

        if (size == 0 || size > USER_NAME_MAX || s[0] == '-')
                return false;
        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char)s[i];

                if (c <= ' ' || c == 0x7f || strchr(":,/\\", c))
                        return false;
                digits = digits && isdigit(c);
                if (digits && number <= UINT32_MAX)
                        number = number * 10 + (c - '0');
        }
        return !digits || number < UINT32_MAX;
}

bool value_is_user(const char *s)
{
        const char *colon = strchrnul(s, ':');

        return is_account(s, (size_t)(colon - s)) &&
               (*colon == '\0' || is_account(colon + 1, strlen(colon + 1)));
}

bool value_is_group(const char *s)
{
        return is_account(s, strlen(s));
}

bool value_is_digest(const char *s)
{
        const char *hex = str_after(s, "sha256:");

        return hex && strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

int value_refuse(struct coffer_error *err, int code, const char *hint, const char *text,
                 const char *what)
{
        if (what)
                (void)error_say(err, code, COFFER_ERROR_USAGE, "%s '%.120s'", text, what);
        else
                (void)error_say(err, code, COFFER_ERROR_USAGE, "%s", text);
        error_hint(err, "%s", hint);
        return code;
}
