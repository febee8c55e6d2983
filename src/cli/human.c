/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/human.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

int human_duration(int64_t seconds, struct buf *to)
{
        static const struct {
                int64_t below; /* seconds */
                int64_t unit;  /* 0: the text is all there is to say */
                const char *text;
        } steps[] = {
                {1,                 0,         "Less than a second"},
                {2,                 0,         "1 second"          },
                {MINUTE,            1,         "seconds"           },
                {2 * MINUTE,        0,         "About a minute"    },
                {HOUR - MINUTE / 2, MINUTE,    "minutes"           },
                {HOUR + HOUR / 2,   0,         "About an hour"     },
                {48 * HOUR,         HOUR,      "hours"             },
                {14 * DAY,          DAY,       "days"              },
                {60 * DAY,          7 * DAY,   "weeks"             },
                {730 * DAY,         30 * DAY,  "months"            },
                {INT64_MAX,         365 * DAY, "years"             },
        };
        size_t i = 0;

        while (seconds >= steps[i].below && i + 1 < ELEMENTS(steps))
                i++;
        if (steps[i].unit == 0)
                return buf_append_str(to, steps[i].text);
        /* Hours are rounded, the rest is cut off: so does go-units. */
        if (steps[i].unit == HOUR)
                seconds += HOUR / 2;
        return buf_printf(to, "%lld %s", (long long)(seconds / steps[i].unit), steps[i].text);
}

int human_size(uint64_t bytes, struct buf *to)
{
        static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
        double size = (double)bytes;
        size_t i = 0;

        while (size >= 1000.0 && i + 1 < ELEMENTS(units)) {
                size /= 1000.0;
                i++;
        }
        return buf_printf(to, "%.4g%s", size, units[i]);
}

/* Digits with at most nine behind a point, as value * 10^9; NULL: no number, or too large. */
static const char *read_decimal(const char *s, int64_t *ret_nano)
{
        const char *first = s;
        int64_t value = 0, unit = HUMAN_NS_PER_SEC / 10, fraction = 0;

        for (; isdigit((unsigned char)*s); s++)
                if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
                    __builtin_add_overflow(value, (int64_t)(*s - '0'), &value))
                        return NULL;
        if (s == first)
                return NULL;
        if (*s == '.') {
                first = ++s;
                for (; isdigit((unsigned char)*s); s++, unit /= 10)
                        fraction += unit * (*s - '0');
                if (s == first)
                        return NULL;
        }
        if (__builtin_mul_overflow(value, HUMAN_NS_PER_SEC, &value) ||
            __builtin_add_overflow(value, fraction, &value))
                return NULL;
        *ret_nano = value;
        return s;
}

int human_read_duration(const char *s, int64_t *ret_ns)
{
        static const struct {
                const char *name;
                int64_t times; /* of what was read, which counts 10^-9 */
                int64_t parts; /* the same, for units below a second */
        } units[] = {
                {"ns", 1,      HUMAN_NS_PER_SEC},
                {"us", 1,      1000000         },
                {"ms", 1,      1000            },
                {"s",  1,      1               },
                {"m",  MINUTE, 1               },
                {"h",  HOUR,   1               },
                {"d",  DAY,    1               },
        };
        int64_t total = 0, n = 0;

        s = read_decimal(s, &n);
        if (!s)
                return -EINVAL;
        if (*s == '\0') {
                *ret_ns = n;
                return 0;
        }
        for (;;) {
                size_t size = 0, i = 0;

                while (isalpha((unsigned char)s[size]))
                        size++;
                while (i < ELEMENTS(units) &&
                       (strlen(units[i].name) != size || strncmp(units[i].name, s, size) != 0))
                        i++;
                if (i == ELEMENTS(units))
                        return -EINVAL;
                if (__builtin_mul_overflow(n, units[i].times, &n) ||
                    __builtin_add_overflow(total, n / units[i].parts, &total))
                        return -ERANGE;
                s += size;
                if (*s == '\0')
                        break;
                s = read_decimal(s, &n);
                if (!s)
                        return -EINVAL;
        }
        *ret_ns = total;
        return 0;
}

/* "Z", "+02:00" or nothing; -EINVAL when it is something else. */
static int read_zone(const char *s, bool *ret_local, int64_t *ret_seconds)
{
        int hours, minutes, used = 0;
        char sign;

        *ret_local = *s == '\0';
        *ret_seconds = 0;
        if (*s == '\0' || str_eq(s, "Z") || str_eq(s, "z"))
                return 0;
        if (sscanf(s, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 || s[used] != '\0' ||
            used != 6 || (sign != '+' && sign != '-') || hours > 23 || minutes > 59 || hours < 0 ||
            minutes < 0)
                return -EINVAL;
        *ret_seconds = (hours * HOUR + minutes * MINUTE) * (sign == '-' ? -1 : 1);
        return 0;
}

static int read_calendar(const char *s, int64_t *ret_ns)
{
        static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
        int64_t fraction = 0, zone = 0;
        const char *rest = NULL;
        struct tm tm = {0}, wanted;
        bool local;
        time_t t;

        for (size_t i = 0; i < ELEMENTS(forms) && !rest; i++) {
                tm = (struct tm){.tm_isdst = -1};
                rest = strptime(s, forms[i], &tm);
                /* A shorter form must not leave the time of day unread. */
                if (rest && i > 0 && (*rest == 'T' || *rest == ':'))
                        return -EINVAL;
        }
        if (!rest)
                return -EINVAL;
        if (*rest == '.') {
                char digits[32] = "0";
                size_t n = 1 + strspn(rest + 1, "0123456789");

                if (n < 2 || n + 2 > sizeof(digits))
                        return -EINVAL;
                memcpy(digits + 1, rest, n);
                if (!read_decimal(digits, &fraction))
                        return -EINVAL;
                rest += n;
        }
        if (read_zone(rest, &local, &zone) < 0)
                return -EINVAL;
        wanted = tm;
        t = local ? mktime(&tm) : timegm(&tm);
        if (wanted.tm_mday != tm.tm_mday) /* 31 February and the like */
                return -EINVAL;
        if (__builtin_mul_overflow((int64_t)t - zone, HUMAN_NS_PER_SEC, ret_ns))
                return -ERANGE;
        *ret_ns += fraction;
        return 0;
}

int human_read_time(const char *s, int64_t now_ns, int64_t *ret_ns)
{
        int64_t ns = 0;
        const char *rest = read_decimal(s, &ns);

        if (rest && *rest == '\0') {
                *ret_ns = ns;
                return 0;
        }
        if (rest && *rest == '-')
                return read_calendar(s, ret_ns);
        if (human_read_duration(s, &ns) < 0)
                return -EINVAL;
        *ret_ns = now_ns - ns;
        return 0;
}

int human_time(int64_t ns, struct buf *to)
{
        time_t t = (time_t)(ns / HUMAN_NS_PER_SEC);
        char text[32];
        struct tm tm;

        if (!gmtime_r(&t, &tm))
                return -ERANGE;
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        return buf_printf(to, "%s.%09lldZ", text, (long long)(ns % HUMAN_NS_PER_SEC));
}

int human_local_time(int64_t ns, struct buf *to)
{
        time_t t = (time_t)(ns / HUMAN_NS_PER_SEC);
        char text[64];
        struct tm tm;

        if (!localtime_r(&t, &tm))
                return -ERANGE;
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
        return buf_append_str(to, text);
}

int64_t human_now(void)
{
        struct timespec ts;

        (void)clock_gettime(CLOCK_REALTIME, &ts);
        return ts.tv_sec * HUMAN_NS_PER_SEC + ts.tv_nsec;
}
