/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdlib.h>

#include "image/reference.h"

TEST(takes_good_references_apart)
{
        static const struct {
                const char *text;
                enum reference_form form;
                const char *path;
                const char *tag;
        } cases[] = {
                {"host",                       REFERENCE_HOST,           "",          ""     },
                {"dir:/",                      REFERENCE_DIR,            "/",         ""     },
                {"dir:a:b",                    REFERENCE_DIR,            "a:b",       ""     },
                {"dir:host",                   REFERENCE_DIR,            "host",      ""     },
                {"oci:a/b",                    REFERENCE_OCI_DIR,        "a/b",       ""     },
                {"oci:a:b",                    REFERENCE_OCI_DIR,        "a",         "b"    },
                {"oci-archive:x.tar:v1",       REFERENCE_OCI_ARCHIVE,    "x.tar",     "v1"   },
                {"docker-archive:x.tar:r/n:v", REFERENCE_DOCKER_ARCHIVE, "x.tar",     "r/n:v"},
                {"docker-archive:x.tar:@1",    REFERENCE_DOCKER_ARCHIVE, "x.tar",     "@1"   },
                {"docker-archive:/a b/\xff",   REFERENCE_DOCKER_ARCHIVE, "/a b/\xff", ""     },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};
                struct reference ref;

                t_note("%s", cases[i].text);
                t_ok(reference_parse(cases[i].text, &ref, &err));
                t_int(cases[i].form, ref.form);
                t_str(cases[i].path, ref.path);
                t_str(cases[i].tag, ref.tag);
        }
}

TEST(refuses_the_rest_with_a_hint)
{
        static const struct {
                const char *text;
                const char *says;
                const char *hint;
        } cases[] = {
                {"",                  "no name",               "oci-archive:FILE"         },
                {"Host",              "name that can be none", "small letters"            },
                {"oci://a",           "cannot be one",         "HOST[:PORT]"              },
                {"a b",               "name that can be none", "small letters"            },
                {"/srv/root",         "what kind of image",    "dir:/srv/root"            },
                {"../root",           "what kind of image",    "dir:../root"              },
                {"host:",             "part of the host",      "write it as host"         },
                {"host:/usr",         "part of the host",      "write it as host"         },
                {"dir:",              "names no path",         "dir:PATH"                 },
                {"oci:",              "names no path",         "oci:DIR[:TAG]"            },
                {"oci-archive::v",    "names no path",         "oci-archive:FILE[:TAG]"   },
                {"docker-archive:x:", "colon without a tag",   "docker-archive:FILE[:TAG]"},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};
                struct reference ref = {.path = "untouched"};

                t_note("%s", cases[i].text);
                t_errno(EINVAL, reference_parse(cases[i].text, &ref, &err));
                t_int(COFFER_ERROR_USAGE, err.kind);
                t_has(cases[i].says, err.msg);
                t_has(cases[i].hint, err.hint);
                t_str("untouched", ref.path);
        }
}

TEST(all_else_is_a_name_or_an_id)
{
        static const char *const names[] = {
                "alpine",
                "docker://alpine:3",
                "library/alpine",
                "oci",
                "ocix:a",
                "oci-archives:x",
                "0123abcd",
                "sha256:0123",
                ("localhost:5000/a/b@sha256:"
                 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        };

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                struct coffer_error err = {0};
                struct reference ref;

                t_note("%s", names[i]);
                t_ok(reference_parse(names[i], &ref, &err));
                t_int(REFERENCE_NAME, ref.form);
                t_str(names[i], ref.path);
                t_true(reference_is_name(names[i]));
                t_true(reference_has_layers(names[i]));
        }
        t_true(!reference_has_layers("host"));
        t_true(!reference_has_layers("dir:/x"));
        t_true(reference_has_layers("oci:/x"));
        t_true(!reference_is_name("oci:/x"));
}

TEST(bounds_path_and_tag)
{
        struct coffer_error err = {0};
        struct reference ref;
        char text[8192];

        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        memcpy(text, "dir:", 4);
        t_errno(EINVAL, reference_parse(text, &ref, &err));
        t_has("too long", err.msg);
        memcpy(text, "oci:a:", 6);
        text[6 + REFERENCE_TAG_MAX] = '\0';
        t_errno(EINVAL, reference_parse(text, &ref, &err));
        text[6 + REFERENCE_TAG_MAX - 1] = '\0';
        t_ok(reference_parse(text, &ref, &err));
        t_int(REFERENCE_TAG_MAX - 1, (int64_t)strlen(ref.tag));
}
