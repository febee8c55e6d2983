/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side as a program, for tests in other languages (test-image.py):
 *
 *     image-tool resolve PROGRAM_DIR HOME REFERENCE [USERNS_FILE OWNERSHIP UID GID]
 *     image-tool copy PROGRAM_DIR DEST OVERWRITE [RENAME]      reads a tar from descriptor 0
 *     image-tool remove PROGRAM_DIR DIR [USERNS_FILE OWNERSHIP UID GID]
 *
 * Prints "key value" lines, or "error CODE KIND MSG" and "hint HINT"; exit status 0 or 1.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "image/copy.h"
#include "image/image.h"

static int report(int code, const struct coffer_error *err)
{
        if (code < 0)
                (void)printf("error %s %u %s\nhint %s\n", strerrorname_np(-code), err->kind,
                             err->msg, err->hint);
        return code < 0 ? 1 : 0;
}

static void print_list(const char *key, const struct strv *list)
{
        for (size_t i = 0; i < list->count; i++)
                (void)printf("%s %s\n", key, list->items[i]);
}

static int resolve(const struct image_store *store, const char *reference)
{
        static const char *const kinds[] = {"host", "dir", "layers"};
        struct coffer_error err = {0};
        struct image image;
        int r = image_resolve(store, reference, &image, &err);

        if (r < 0)
                return report(r, &err);
        (void)printf("kind %s\nreference %s\n", kinds[image.kind], image.reference);
        if (image.dir)
                (void)printf("dir %s\n", image.dir);
        print_list("layer", &image.layers);
        if (image.kind == IMAGE_LAYERS) {
                const struct image_config *c = &image.config;

                (void)printf("id %s\n", image.id);
                print_list("entrypoint", &c->entrypoint);
                print_list("cmd", &c->cmd);
                print_list("env", &c->env);
                print_list("volume", &c->volumes);
                print_list("label", &c->labels);
                print_list("port", &c->exposed_ports);
                print_list("health", &c->health_test);
                print_list("shell", &c->shell);
                (void)printf("times");
                for (size_t i = 0; i < SPEC_HEALTH_TIMES; i++)
                        (void)printf(" %llu", (unsigned long long)c->health_ns[i]);
                (void)printf(" %llu\n", (unsigned long long)c->health_retries);
                (void)printf("user %s\nworkdir %s\nstopsignal %s\narch %s\n", c->user,
                             c->working_dir, c->stop_signal, c->architecture);
        }
        image_release(&image);
        return 0;
}

static int copy(char **argv)
{
        cleanup_close int dest_fd = sys_open(AT_FDCWD, argv[3], O_RDONLY | O_DIRECTORY);
        struct image_copy_result result;
        struct coffer_error err = {0};
        unsigned flags = str_eq(argv[4], "1") ? IMAGE_COPY_OVERWRITE : 0;
        int r = image_extract_stream(argv[2], 0, dest_fd, argv[5], flags, &result, &err);

        if (r == 0)
                (void)printf("entries %llu\nbytes %llu\nskipped %llu\n",
                             (unsigned long long)result.entries, (unsigned long long)result.bytes,
                             (unsigned long long)result.skipped);
        return report(r, &err);
}

static int store_from(char **argv, int argc, const char *program_dir, struct image_store *ret)
{
        uint64_t numbers[3] = {0};

        *ret = (struct image_store){.home_fd = -1, .userns_fd = -1, .program_dir = program_dir};
        if (argc == 0)
                return 0;
        for (int i = 1; i < 4; i++)
                if (argc < 4 || str_to_u64(argv[i], UINT32_MAX, &numbers[i - 1]) < 0)
                        return -EINVAL;
        ret->userns_fd = sys_open(AT_FDCWD, argv[0], O_RDONLY);
        ret->ownership = (enum image_ownership)numbers[0];
        ret->root_uid = (uid_t)numbers[1];
        ret->root_gid = (gid_t)numbers[2];
        return ret->userns_fd < 0 ? ret->userns_fd : 0;
}

int main(int argc, char **argv)
{
        struct coffer_error err = {0};
        struct image_store store;

        if (argc >= 5 && str_eq(argv[1], "copy"))
                return copy(argv);
        if (argc >= 5 && str_eq(argv[1], "resolve") &&
            store_from(argv + 5, argc - 5, argv[2], &store) == 0) {
                store.home_fd = sys_open(AT_FDCWD, argv[3], O_RDONLY | O_DIRECTORY);
                return resolve(&store, argv[4]);
        }
        if (argc >= 4 && str_eq(argv[1], "remove") &&
            store_from(argv + 4, argc - 4, argv[2], &store) == 0)
                return report(image_remove_tree(&store,
                                                sys_open(AT_FDCWD, argv[3], O_RDONLY | O_DIRECTORY),
                                                &err),
                              &err);
        (void)fprintf(stderr, "usage: see the head of test-tool.c\n");
        return 2;
}
