/* SPDX-License-Identifier: Apache-2.0 */
#include "image/reference.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "image/name.h"

static const struct {
        const char *name;
        enum reference_form form;
        bool has_tag;
        const char *looks_like;
} forms[] = {
        {"dir",            REFERENCE_DIR,            false, "dir:PATH"                 },
        {"oci",            REFERENCE_OCI_DIR,        true,  "oci:DIR[:TAG]"            },
        {"oci-archive",    REFERENCE_OCI_ARCHIVE,    true,  "oci-archive:FILE[:TAG]"   },
        {"docker-archive", REFERENCE_DOCKER_ARCHIVE, true,  "docker-archive:FILE[:TAG]"},
};

static int refuse(struct coffer_error *err, const char *text, const char *why, const char *form)
{
        int r = error_say(err, -EINVAL, COFFER_ERROR_USAGE, "image '%.200s' %s", text, why);

        if (form)
                error_hint(err, "write it as %s", form);
        return r;
}

static bool is_id(const char *text)
{
        const char *hex = str_after(text, "sha256:");

        hex = hex ? hex : text;
        return strlen(hex) <= IMAGE_DIGEST_HEX && strspn(hex, "0123456789abcdef") == strlen(hex);
}

/* By its name in a registry, or by its id. */
static int take_name(const char *text, struct reference *ret_ref, struct coffer_error *err)
{
        const char *name = str_after(text, "docker://");
        struct image_name parsed;
        int r;

        name = name ? name : text;
        if (name[0] == '/' || name[0] == '.') {
                r = error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                              "image '%.200s' does not say what kind of image it is", text);
                error_hint(err,
                           "write dir:%.60s for a root directory, or oci:, oci-archive:, "
                           "docker-archive:",
                           name);
                return r;
        }
        if (!is_id(name)) {
                r = name_parse(text, &parsed, err);
                if (r < 0)
                        return r;
        }
        memset(ret_ref, 0, sizeof(*ret_ref));
        ret_ref->form = REFERENCE_NAME;
        return str_copy(ret_ref->path, sizeof(ret_ref->path), text);
}

static int split(const char *text, size_t row, const char *rest, struct reference *ret_ref,
                 struct coffer_error *err)
{
        const char *colon = forms[row].has_tag ? strchr(rest, ':') : NULL;
        size_t path_size = colon ? (size_t)(colon - rest) : strlen(rest);

        if (path_size == 0)
                return refuse(err, text, "names no path", forms[row].looks_like);
        if (path_size >= sizeof(ret_ref->path))
                return refuse(err, text, "has a path that is too long", NULL);
        if (colon && colon[1] == '\0')
                return refuse(err, text, "ends in a colon without a tag", forms[row].looks_like);
        if (colon && strlen(colon + 1) >= sizeof(ret_ref->tag))
                return refuse(err, text, "has a tag that is too long", NULL);

        memset(ret_ref, 0, sizeof(*ret_ref));
        ret_ref->form = forms[row].form;
        memcpy(ret_ref->path, rest, path_size);
        if (colon)
                (void)str_copy(ret_ref->tag, sizeof(ret_ref->tag), colon + 1);
        return 0;
}

int reference_parse(const char *text, struct reference *ret_ref, struct coffer_error *err)
{
        if (text[0] == '\0') {
                int r = error_say(err, -EINVAL, COFFER_ERROR_USAGE, "the image has no name");

                error_hint(err, "use host, a name such as debian:12, dir:PATH, oci:DIR or "
                                "oci-archive:FILE");
                return r;
        }
        if (str_eq(text, "host")) {
                memset(ret_ref, 0, sizeof(*ret_ref));
                ret_ref->form = REFERENCE_HOST;
                return 0;
        }
        if (str_after(text, "host:"))
                return refuse(err, text, "names a part of the host, and host is always whole",
                              "host, or dir:PATH for a directory");

        for (size_t i = 0; i < ELEMENTS(forms); i++) {
                const char *rest = str_after(text, forms[i].name);

                if (rest && *rest == ':' && !str_after(rest, "://"))
                        return split(text, i, rest + 1, ret_ref, err);
        }
        return take_name(text, ret_ref, err);
}

bool reference_is_name(const char *text)
{
        struct reference ref;

        return reference_parse(text, &ref, NULL) == 0 && ref.form == REFERENCE_NAME;
}

bool reference_has_layers(const char *text)
{
        struct reference ref;

        return reference_parse(text, &ref, NULL) == 0 && ref.form != REFERENCE_HOST &&
               ref.form != REFERENCE_DIR;
}
