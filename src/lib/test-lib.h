/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Boxes for tests of the library: a home of their own, the `host` root, the programs of this
 * build.  Only what the public headers have is used to drive them.
 */

#include <coffer/coffer.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t.h"

#define LONG_MS 30000

struct lab {
        char home[64];
        char programs[PATH_MAX];
        struct coffer_runtime *rt;
        struct coffer_error err;
};

/* The value is 0 or more, else the words are shown. */
#define lab_ok(lab, expr) lab_check((lab), (expr), T_AT(#expr))

static inline int lab_check(struct lab *lab, int value, const struct t_at *at)
{
        if (value < 0)
                t_note("%s: %s (%s)", at->text, lab->err.msg, lab->err.hint);
        return t_check_ok(value, at);
}

static inline struct lab lab_begin(void)
{
        struct lab lab = {.home = "/tmp/coffer-lib-XXXXXX"};
        struct coffer_runtime_options options = {.size = sizeof(options), .home = lab.home};
        char shim[PATH_MAX + 16];
        ssize_t n = readlink("/proc/self/exe", lab.programs, sizeof(lab.programs) - 32);

        t_true(n > 0);
        lab.programs[n] = '\0';
        for (int i = 0; i < 3; i++)
                *strrchr(lab.programs, '/') = '\0';
        n = (ssize_t)strlen(lab.programs);
        (void)snprintf(lab.programs + n, 8, "/bin");
        (void)snprintf(shim, sizeof(shim), "%s/coffer-shim", lab.programs);
        if (access(shim, X_OK) < 0)
                t_skip("needs coffer-shim");
        t_true(mkdtemp(lab.home) != NULL);
        options.program_dir = lab.programs;
        lab_ok(&lab, coffer_runtime_open(&options, &lab.rt, &lab.err));
        return lab;
}

/* A box that runs a line of shell; @keys: "key", "value", …, NULL. */
static inline struct coffer_box *lab_box(struct lab *lab, const char *line, const char *const *keys)
{
        const char *argv[] = {"/bin/sh", "-c", line, NULL};
        struct coffer_spec *spec;
        struct coffer_box *box;

        lab_ok(lab, coffer_spec_new(&spec, &lab->err));
        lab_ok(lab, coffer_spec_set_image(spec, "host", &lab->err));
        lab_ok(lab, coffer_spec_set_command(spec, argv, &lab->err));
        for (; keys && *keys; keys += 2)
                lab_ok(lab, coffer_spec_set(spec, keys[0], keys[1], &lab->err));
        lab_ok(lab, coffer_box_create(lab->rt, spec, &box, &lab->err));
        (void)coffer_spec_free(spec);
        return box;
}

static inline struct coffer_box *lab_running(struct lab *lab, const char *line)
{
        struct coffer_box *box = lab_box(lab, line, NULL);

        lab_ok(lab, coffer_box_start(box, NULL, LONG_MS, NULL, &lab->err));
        return box;
}

static inline void lab_remove(struct lab *lab, struct coffer_box *box)
{
        lab_ok(lab, coffer_box_remove(box, COFFER_REMOVE_FORCE, LONG_MS, &lab->err));
        (void)coffer_box_free(box);
}

static inline size_t lab_count(struct lab *lab)
{
        struct coffer_box_info **infos;
        size_t count;

        lab_ok(lab, coffer_box_list(lab->rt, &infos, &count, &lab->err));
        coffer_free(infos);
        return count;
}

static inline bool lab_has(const struct lab *lab, const char *path)
{
        char whole[256];
        struct stat st;

        (void)snprintf(whole, sizeof(whole), "%s/%s", lab->home, path);
        return lstat(whole, &st) == 0;
}

/* No box is left: nor is anything else that belonged to one. */
static inline void lab_end(struct lab *lab)
{
        static const struct coffer_prune_options logs = {.size = sizeof(logs),
                                                         .flags = COFFER_PRUNE_AUDIT};
        static const char *const empty[] = {"boxes", "ids"};
        static const char *const rest[] = {"boxes",        "ids",     "names",      "events",
                                           "volumes",      "listing", "images/tmp", "images/layers",
                                           "images/blobs", "images",  "audit",      ""};
        char path[256];

        t_int(0, (int)lab_count(lab));
        lab_ok(lab, coffer_prune(lab->rt, &logs, NULL, NULL, &lab->err));
        lab->rt = coffer_runtime_free(lab->rt);
        for (size_t i = 0; i < ELEMENTS(empty); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", lab->home, empty[i]);
                t_ok(rmdir(path));
                t_ok(mkdir(path, 0700));
        }
        for (size_t i = 0; i < ELEMENTS(rest); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", lab->home, rest[i]);
                (void)remove(path);
        }
        t_false(lab_has(lab, ""));
}

/* All that comes from a descriptor, up to its end. */
static inline const char *lab_read(int fd, char *text, size_t size)
{
        size_t have = 0;
        ssize_t n;

        while (have + 1 < size && (n = read(fd, text + have, size - 1 - have)) > 0)
                have += (size_t)n;
        text[have] = '\0';
        return text;
}
