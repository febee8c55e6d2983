/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdlib.h>
#include <time.h>

#include "cli/human.h"

#define SEC  HUMAN_NS_PER_SEC
#define MIN  60
#define HOUR 3600
#define DAY  86400

TEST(durations_have_dockers_words)
{
        static const struct {
                int64_t seconds;
                const char *text;
        } cases[] = {
                {0,         "Less than a second"},
                {1,         "1 second"          },
                {2,         "2 seconds"         },
                {59,        "59 seconds"        },
                {60,        "About a minute"    },
                {119,       "About a minute"    },
                {120,       "2 minutes"         },
                {59 * MIN,  "59 minutes"        },
                {HOUR,      "About an hour"     },
                {89 * MIN,  "About an hour"     },
                {90 * MIN,  "2 hours"           },
                {47 * HOUR, "47 hours"          },
                {48 * HOUR, "2 days"            },
                {13 * DAY,  "13 days"           },
                {14 * DAY,  "2 weeks"           },
                {60 * DAY,  "2 months"          },
                {729 * DAY, "24 months"         },
                {730 * DAY, "2 years"           },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct buf b = BUF_INIT(64);

                t_ok(human_duration(cases[i].seconds, &b));
                t_str(cases[i].text, b.data);
                buf_release(&b);
        }
}

TEST(sizes_have_four_figures)
{
        static const struct {
                uint64_t bytes;
                const char *text;
        } cases[] = {
                {0,          "0B"     },
                {999,        "999B"   },
                {1000,       "1kB"    },
                {1234567,    "1.235MB"},
                {UINT64_MAX, "18.45EB"}
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct buf b = BUF_INIT(64);

                t_ok(human_size(cases[i].bytes, &b));
                t_str(cases[i].text, b.data);
                buf_release(&b);
        }
}

TEST(lengths_of_time_are_read)
{
        static const struct {
                const char *text;
                int64_t ns;
        } good[] = {
                {"10",    10 * SEC     },
                {"10s",   10 * SEC     },
                {"1h30m", 5400 * SEC   },
                {"1.5h",  5400 * SEC   },
                {"250ms", SEC / 4      },
                {"0",     0            },
                {"2d",    2 * DAY * SEC},
                {"0.5",   SEC / 2      },
                {"1us",   1000         },
        };
        static const char *const bad[] = {
                "",   "s", "10x", "1h30", "-1", "1..2", ".5", "1h 30m", "99999999999999999999",
                "10 "};
        int64_t ns;

        for (size_t i = 0; i < ELEMENTS(good); i++) {
                t_note("%s", good[i].text);
                t_ok(human_read_duration(good[i].text, &ns));
                t_int(good[i].ns, ns);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                t_note("%s", bad[i]);
                t_true(human_read_duration(bad[i], &ns) < 0);
        }
}

TEST(points_in_time_are_read)
{
        static const struct {
                const char *text;
                int64_t ns;
        } good[] = {
                {"0",                           0                         },
                {"1136073600.000000001",        1136073600 * SEC + 1      },
                {"2006-01-01T00:00:00Z",        1136073600 * SEC          },
                {"2006-01-01T02:00:00.5+02:00", 1136073600 * SEC + SEC / 2},
                {"2005-12-31T19:00:00-05:00",   1136073600 * SEC          },
                {"2006-01-01T00:00:00",         1136073600 * SEC          },
                {"2006-01-01T00:00",            1136073600 * SEC          },
                {"2006-01-01",                  1136073600 * SEC          },
                {"10m",                         1000000 * SEC - 600 * SEC },
        };
        static const char *const bad[] = {"",
                                          "yesterday",
                                          "2006-02-31",
                                          "2006-01-01T25:00:00Z",
                                          "2006-01-01T00:00:00X",
                                          "2006-01-01T00:00:00+2:00",
                                          "2006-13-01",
                                          "2006-01-01T",
                                          "2006-01-01T00:00:00."};
        int64_t ns;

        (void)setenv("TZ", "UTC", 1);
        tzset();
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                t_note("%s", good[i].text);
                t_ok(human_read_time(good[i].text, 1000000 * SEC, &ns));
                t_int(good[i].ns, ns);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                t_note("%s", bad[i]);
                t_true(human_read_time(bad[i], 0, &ns) < 0);
        }
}

TEST(times_are_written_with_nine_digits)
{
        struct buf b = BUF_INIT(64);

        t_ok(human_time(1136073600 * SEC + 42, &b));
        t_str("2006-01-01T00:00:00.000000042Z", b.data);
        buf_release(&b);
}
