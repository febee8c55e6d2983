/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "sandbox/userns.h"
#include "spec/id.h"
#include "store/claim.h"

#ifndef COFFER_PROGRAM_DIR
#define COFFER_PROGRAM_DIR "/usr/local/libexec/coffer"
#endif

static int default_home(char path[PATH_MAX], struct coffer_error *err)
{
        const char *named = getenv("COFFER_HOME");
        const char *data = getenv("XDG_DATA_HOME");
        const char *home = getenv("HOME");
        int n;

        if (named && named[0] != '\0')
                n = snprintf(path, PATH_MAX, "%s", named);
        else if (geteuid() == 0)
                n = snprintf(path, PATH_MAX, "/var/lib/coffer");
        else if (data && data[0] == '/')
                n = snprintf(path, PATH_MAX, "%s/coffer", data);
        else if (home && home[0] == '/')
                n = snprintf(path, PATH_MAX, "%s/.local/share/coffer", home);
        else {
                (void)error_say(err, -ENOENT, COFFER_ERROR_USAGE,
                                "there is no home for boxes: HOME is not set");
                error_hint(err, "set COFFER_HOME to a directory");
                return -ENOENT;
        }
        return n >= PATH_MAX ? error_set(err, -ENAMETOOLONG, "open the home") : 0;
}

static bool has_programs(const char *dir)
{
        char path[PATH_MAX];
        int n = snprintf(path, sizeof(path), "%s/coffer-shim", dir);

        return n < PATH_MAX && access(path, X_OK) == 0;
}

static int find_programs(const struct coffer_runtime_options *options, char **ret_dir,
                         struct coffer_error *err)
{
        char self[PATH_MAX];
        const char *dir = COFFER_PROGRAM_DIR;
        ssize_t n;

        if (options && options->program_dir) {
                dir = options->program_dir;
                if (dir[0] != '/')
                        return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                         "the program directory '%s' is not absolute", dir);
        } else {
                n = readlink("/proc/self/exe", self, sizeof(self) - 1);
                if (n > 0) {
                        self[n] = '\0';
                        *strrchr(self, '/') = '\0';
                        if (has_programs(self))
                                dir = self;
                }
        }
        *ret_dir = strdup(dir);
        return *ret_dir ? 0 : error_set(err, -ENOMEM, "open the home");
}

/* Paths below the home are given to programs that refuse symlinks in them. */
static int make_canonical(struct home *home, struct coffer_error *err)
{
        char link[32], path[PATH_MAX];
        ssize_t n;
        char *copy;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", home->fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return error_set(err, -errno, "find the path of the home");
        path[n] = '\0';
        if (str_eq(path, home->path))
                return 0;
        copy = strdup(path);
        if (!copy)
                return error_set(err, -ENOMEM, "open the home");
        free(home->path);
        home->path = copy;
        return 0;
}

static struct coffer_runtime *runtime_drop(struct coffer_runtime *runtime)
{
        return coffer_runtime_free(runtime);
}
DEFINE_FREEP(struct coffer_runtime, runtime_drop)

/* Root of a container has the id of root and may yet have no ids to give to boxes. */
static bool has_ranges(void)
{
        return geteuid() == 0 && idmap_is_mapped(IDS_BASE, IDS_STORE + 65536U - IDS_BASE);
}

int coffer_runtime_open(const struct coffer_runtime_options *options,
                        struct coffer_runtime **ret_runtime, struct coffer_error *err)
{
        cleanup_with(runtime_dropp) struct coffer_runtime *rt = NULL;
        const char *home = options ? options->home : NULL;
        char path[PATH_MAX];
        int r = 0;

        REQUIRE(ret_runtime, err);
        REQUIRE(!options || options->size >= sizeof(*options), err);
        REQUIRE(!options || options->flags == 0, err);

        if (!home) {
                r = default_home(path, err);
                home = path;
        }
        if (r < 0)
                return r;
        rt = malloc(sizeof(*rt));
        if (!rt)
                return error_set(err, -ENOMEM, "open the home");
        *rt = (struct coffer_runtime){.userns_fd = -EBADF, .as_root = has_ranges()};

        r = find_programs(options, &rt->program_dir, err);
        if (r == 0)
                r = home_open(home, &rt->home, err);
        if (r == 0)
                r = make_canonical(rt->home, err);
        if (r == 0 && rt->home->unclaimed) {
                r = claims_restore_all(rt->home);
                if (r < 0)
                        (void)error_set(err, r, "restore the names of the boxes in '%s'", home);
        }
        if (r < 0)
                return r;
        *ret_runtime = take_ptr(rt);
        return 0;
}

struct coffer_runtime *coffer_runtime_free(struct coffer_runtime *runtime)
{
        if (!runtime)
                return NULL;
        runtime->home = home_free(runtime->home);
        close_fd(&runtime->userns_fd);
        free(runtime->program_dir);
        free(runtime);
        return NULL;
}

const char *coffer_runtime_home(const struct coffer_runtime *runtime)
{
        return runtime ? runtime->home->path : NULL;
}

const char *coffer_runtime_program_dir(const struct coffer_runtime *runtime)
{
        return runtime ? runtime->program_dir : NULL;
}

int runtime_remove_as(void *runtime, int (*fn)(void *data), void *data)
{
        struct coffer_runtime *rt = runtime;

        if (rt->as_root)
                return -EPERM;
        if (rt->userns_fd < 0) {
                struct msg_idmap map;
                int r = idmap_for_caller(&map, NULL);

                if (r == 0)
                        r = userns_open(&map, &rt->userns_fd, NULL);
                if (r < 0)
                        return r;
        }
        return userns_run(rt->userns_fd, fn, data);
}

int name_check(const char *what, const char *name, struct coffer_error *err)
{
        if (spec_is_name(name))
                return 0;
        if (spec_is_id(name)) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "'%s' has the form of an id, so it cannot be the name of a %s",
                                name, what);
                error_hint(err, "make it longer or shorter than %d characters", SPEC_ID_LENGTH);
                return -EINVAL;
        }
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%.160s' cannot be the name of a %s",
                        name, what);
        error_hint(err,
                   "use letters, digits, '_', '.' and '-', at most %d, the first one a letter or "
                   "digit",
                   BOX_NAME_MAX);
        return -EINVAL;
}

const char *coffer_version(void)
{
        return COFFER_VERSION;
}

void coffer_free(void *p)
{
        int saved_errno = errno;

        free(p);
        errno = saved_errno;
}
