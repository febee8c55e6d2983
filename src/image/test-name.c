/* SPDX-License-Identifier: Apache-2.0 */
#include "image/name.h"

#include "t.h"

#include "image/platform.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

TEST(takes_names_apart)
{
        static const struct {
                const char *text, *host, *repository, *tag, *digest, *shown;
        } cases[] = {
                {"debian",                          "docker.io",      "library/debian", "latest",   "",  "debian:latest"      },
                {"debian:12",                       "docker.io",      "library/debian", "12",       "",  "debian:12"          },
                {"me/app",                          "docker.io",      "me/app",         "latest",   "",  "me/app:latest"      },
                {"docker.io/me/app:1",              "docker.io",      "me/app",         "1",        "",  "me/app:1"           },
                {"docker.io/debian",                "docker.io",      "library/debian", "latest",   "",  "debian:latest"      },
                {"index.docker.io/a/b",             "docker.io",      "a/b",            "latest",   "",  "a/b:latest"         },
                {"docker://ghcr.io/a/b/c:V1.2_x-y", "ghcr.io",        "a/b/c",          "V1.2_x-y", "",
                 "ghcr.io/a/b/c:V1.2_x-y"                                                                                     },
                {"localhost/a",                     "localhost",      "a",              "latest",   "",  "localhost/a:latest" },
                {"localhost:5000/a",                "localhost:5000", "a",              "latest",   "",
                 "localhost:5000/a:latest"                                                                                    },
                {"[::1]:5000/a",                    "[::1]:5000",     "a",              "latest",   "",  "[::1]:5000/a:latest"},
                {"Host/a",                          "Host",           "a",              "latest",   "",  "Host/a:latest"      },
                {"a@sha256:" HEX,                   "docker.io",      "library/a",      "",         HEX, "a@sha256:" HEX      },
                {"a:1@sha256:" HEX,                 "docker.io",      "library/a",      "1",        HEX, "a:1"                },
                {"a/b__c-d.e--f",                   "docker.io",      "a/b__c-d.e--f",  "latest",   "",
                 "a/b__c-d.e--f:latest"                                                                                       },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};
                struct image_name n;
                char shown[NAME_TEXT_MAX];

                t_note("%s", cases[i].text);
                t_ok(name_parse(cases[i].text, &n, &err));
                t_str(cases[i].host, n.host);
                t_str(cases[i].repository, n.repository);
                t_str(cases[i].tag, n.tag);
                t_str(cases[i].digest, n.digest);
                name_format(&n, shown);
                t_str(cases[i].shown, shown);
        }
}

TEST(refuses_what_is_no_name)
{
        static const char *const cases[] = {
                "",
                "/",
                "a/",
                "/a",
                "a//b",
                "A",
                "a/B",
                "a:",
                "a:b:c",
                "a:-x",
                "a:.x",
                "a b",
                "a:x/y z",
                "a@",
                "a@sha256:",
                ("a@sha256:" HEX "0"),
                ("library/" HEX),
                "a@sha512:" HEX,
                "a@sha256:XYZ",
                "-a",
                "a-",
                "a_",
                "_a",
                "a..b",
                "a.-b",
                "a___b",
                "a/../b",
                "../a",
                ".a",
                "a/.",
                "host:/a",
                "host:0/a",
                "host:65536/a",
                "host:05/a",
                "host:x/a",
                "-h.x/a",
                "h-.x/a",
                "h..x/a",
                ".x/a",
                "x./a",
                "[::1/a",
                "[]/a",
                "[g]/a",
                "u@h.x/a",
                "h.x:1:2/a",
                HEX,
                "a\n",
                "a\x01",
                "\xc3\xa4",
                "http://a.b/c",
                "https://a.b/c",
                "file:///etc/passwd",
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};
                struct image_name n;

                t_note("%s", cases[i]);
                t_errno(EINVAL, name_parse(cases[i], &n, &err));
                t_int(COFFER_ERROR_USAGE, err.kind);
        }
}

TEST(bounds_every_part)
{
        char text[1200], tag[200];
        struct image_name n;

        memset(text, 'a', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        t_errno(EINVAL, name_parse(text, &n, NULL));
        text[300] = '\0';
        t_errno(EINVAL, name_parse(text, &n, NULL));
        text[237] = '\0';
        t_ok(name_parse(text, &n, NULL)); /* docker.io/library/ and this are 255 */
        text[237] = 'a';
        text[238] = '\0';
        t_errno(EINVAL, name_parse(text, &n, NULL));
        memset(tag, 't', sizeof(tag));
        memcpy(tag, "a:", 2);
        tag[2 + 129] = '\0';
        t_errno(EINVAL, name_parse(tag, &n, NULL));
        tag[2 + 128] = '\0';
        t_ok(name_parse(tag, &n, NULL));
}

TEST(platforms_are_read_and_compared)
{
        static const char *const bad[] = {"/",           "linux/", "/amd64",   "a/b/c/d",
                                          "LINUX/amd64", "a b",    "linux//v7"};
        struct platform p;

        t_ok(platform_parse("linux/arm/v7", &p, NULL));
        t_true(platform_fits(&p, "linux", "arm", "v7"));
        t_true(platform_fits(&p, "linux", "arm", ""));
        t_true(!platform_fits(&p, "linux", "arm", "v6"));
        t_true(!platform_fits(&p, "linux", "arm64", "v7"));
        t_true(!platform_fits(&p, "windows", "arm", "v7"));
        t_ok(platform_parse("linux/arm64/v8", &p, NULL));
        t_true(platform_fits(&p, "linux", "arm64", "v8"));
        t_true(platform_fits(&p, "linux", "arm64", ""));
        t_ok(platform_parse("aarch64", &p, NULL));
        t_str("arm64", p.architecture);
        t_str("linux", p.os);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                t_note("%s", bad[i]);
                t_errno(EINVAL, platform_parse(bad[i], &p, NULL));
        }
}
