/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credential.h"

#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "registry/config.h"

static const char file[] =
        "{\"auths\":{"
        "\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnB3MQ==\"},"
        "\"r.example:5000\":{\"auth\":\"bWU6cHcy\"},"
        "\"r.example:5000/team\":{\"auth\":\"dGVhbTpwdzM=\"},"
        "\"http://old.example/v2/\":{\"username\":\"old\",\"password\":\"p:w4\"},"
        "\"id.example\":{\"auth\":\"bWU6\",\"identitytoken\":\"refresh\"},"
        "\"bad.example\":{\"auth\":\"!!!\"},"
        "\"split.example\":{\"auth\":\"bWU6YQpi\"}},"
        "\"credHelpers\":{\"gcr.io\":\"gcloud\",\"evil.example\":\"../sh\"},"
        "\"psFormat\":\"x\"}";

TEST(the_longest_key_wins)
{
        static const struct {
                const char *host, *repository;
                enum pull_secret kind;
                const char *user, *secret, *helper;
        } cases[] = {
                {"docker.io",       "library/debian", PULL_SECRET_PASSWORD, "hub",  "pw1",     ""      },
                {"r.example:5000",  "a",              PULL_SECRET_PASSWORD, "me",   "pw2",     ""      },
                {"r.example:5000",  "team/a",         PULL_SECRET_PASSWORD, "team", "pw3",     ""      },
                {"r.example:5000",  "teams/a",        PULL_SECRET_PASSWORD, "me",   "pw2",     ""      },
                {"r.example:500",   "a",              PULL_SECRET_NONE,     "",     "",        ""      },
                {"r.example",       "a",              PULL_SECRET_NONE,     "",     "",        ""      },
                {"r.example:50001", "a",              PULL_SECRET_NONE,     "",     "",        ""      },
                {"old.example",     "a",              PULL_SECRET_PASSWORD, "old",  "p:w4",    ""      },
                {"id.example",      "a",              PULL_SECRET_IDENTITY, "me",   "refresh", ""      },
                {"gcr.io",          "a",              PULL_SECRET_NONE,     "",     "",        "gcloud"},
        };
        static struct credential c;
        char helper[CREDENTIAL_HELPER_MAX];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};

                t_note("%s/%s", cases[i].host, cases[i].repository);
                t_ok(credential_parse(file, sizeof(file) - 1, cases[i].host, cases[i].repository,
                                      &c, helper, &err));
                t_int(cases[i].kind, c.kind);
                t_str(cases[i].user, c.user);
                t_str(cases[i].secret, c.secret);
                t_str(cases[i].helper, helper);
        }
}

TEST(bad_files_are_refused_and_no_secret_is_said)
{
        static const struct {
                const char *text, *host;
        } cases[] = {
                {"",                                                         "h"            },
                {"[]",                                                       "h"            },
                {"{\"auths\":{\"h\":{\"auth\":\"c2VjcmV0OnNlY3JldA==\"}}",   "h"            },
                {"{\"auths\":{},\"auths\":{\"h\":{\"auth\":\"c2VjcmV0\"}}}", "h"            },
                {file,                                                       "bad.example"  },
                {file,                                                       "split.example"},
                {file,                                                       "evil.example" },
        };
        static struct credential c;
        char helper[CREDENTIAL_HELPER_MAX];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};

                t_note("%zu", i);
                t_errno(EINVAL, credential_parse(cases[i].text, strlen(cases[i].text),
                                                 cases[i].host, "a", &c, helper, &err));
                t_true(err.msg[0] != '\0');
                t_true(!strstr(err.msg, "c2Vj") && !strstr(err.msg, "../sh"));
        }
}

TEST(an_entry_is_added_and_taken_out_and_the_rest_stays)
{
        struct buf with = BUF_INIT(65536), without = BUF_INIT(65536);
        static struct credential c;
        char helper[CREDENTIAL_HELPER_MAX];
        bool had = true;

        t_ok(credential_edit(file, sizeof(file) - 1, "new.example", "bmV3OnB3", &with, &had, NULL));
        t_true(!had);
        t_ok(credential_parse(with.data, with.size, "new.example", "a", &c, helper, NULL));
        t_str("new", c.user);
        t_ok(credential_parse(with.data, with.size, "r.example:5000", "team/a", &c, helper, NULL));
        t_str("team", c.user);
        t_has("\"psFormat\": \"x\"", with.data);
        t_has("gcloud", with.data);
        t_ok(credential_edit(with.data, with.size, "new.example", NULL, &without, &had, NULL));
        t_true(had);
        t_ok(credential_parse(without.data, without.size, "new.example", "a", &c, helper, NULL));
        t_int(PULL_SECRET_NONE, c.kind);
        buf_release(&with);
        t_ok(credential_edit("", 0, "docker.io", "bmV3OnB3", &with, &had, NULL));
        t_has("https://index.docker.io/v1/", with.data);
        buf_release(&with);
        buf_release(&without);
}

TEST(a_helper_that_talks_without_end_is_cut_off)
{
        char dir[] = "/tmp/coffer-helper.XXXXXX", path[128];
        struct buf out = BUF_INIT(4096);
        struct coffer_error err = {0};
        FILE *f;

        t_true(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/docker-credential-loud", dir);
        f = fopen(path, "we");
        t_true(f);
        (void)fputs("#!/bin/sh\nwhile echo y; do :; done\n", f);
        t_ok(fclose(f));
        t_ok(chmod(path, 0700));
        t_ok(setenv("PATH", dir, 1));
        t_errno(E2BIG, helper_run("loud", "get", "h", 1, &out, &err));
        t_errno(ENOENT, helper_run("none", "get", "h", 1, &out, &err));
        t_has("install it", err.hint);
        (void)unlink(path);
        (void)rmdir(dir);
        buf_release(&out);
}

TEST(a_list_names_hosts_with_and_without_a_port)
{
        struct registry_config c = {0};

        t_ok(strv_add(&c.insecure, "a.example"));
        t_ok(strv_add(&c.insecure, "b.example:5000"));
        t_true(registry_config_has(&c.insecure, "a.example"));
        t_true(registry_config_has(&c.insecure, "a.example:80"));
        t_true(registry_config_has(&c.insecure, "b.example:5000"));
        t_true(!registry_config_has(&c.insecure, "b.example"));
        t_true(!registry_config_has(&c.insecure, "b.example:5001"));
        t_true(!registry_config_has(&c.insecure, "xa.example"));
        registry_config_release(&c);
}
