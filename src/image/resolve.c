/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "image/helper.h"
#include "image/image.h"
#include "image/layers.h"
#include "image/message.h"
#include "image/platform.h"
#include "image/reference.h"
#include "image/stored.h"

static enum unpack_job job_of(enum reference_form form)
{
        if (form == REFERENCE_OCI_DIR)
                return UNPACK_OCI_DIR;
        return form == REFERENCE_OCI_ARCHIVE ? UNPACK_OCI_ARCHIVE : UNPACK_DOCKER;
}

static int cannot_open(const struct reference *ref, int code, struct coffer_error *err)
{
        (void)error_set(err, code, "open '%.200s'", ref->path);
        error_kind(err, COFFER_ERROR_USAGE);
        error_hint_path(err, code);
        return code;
}

static int open_source(const struct reference *ref, struct coffer_error *err)
{
        bool want_dir = ref->form == REFERENCE_OCI_DIR;
        /* O_NONBLOCK: a FIFO of that name must not make us wait. */
        cleanup_close int fd = sys_open(AT_FDCWD, ref->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        int r;

        if (fd < 0)
                return cannot_open(ref, fd, err);
        if (fstat(fd, &st) < 0)
                return error_set(err, -errno, "look at '%.200s'", ref->path);
        if (want_dir && !S_ISDIR(st.st_mode)) {
                r = error_say(err, -ENOTDIR, COFFER_ERROR_USAGE, "'%.200s' is not a directory",
                              ref->path);
                error_hint(err, "for a tar file write oci-archive: or docker-archive:");
                return r;
        }
        if (!want_dir && !S_ISREG(st.st_mode)) {
                r = error_say(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL, COFFER_ERROR_USAGE,
                              "'%.200s' is not a regular file", ref->path);
                error_hint(err, S_ISDIR(st.st_mode) ? "for a directory write oci: or dir:"
                                                    : "copy it to a file first");
                return r;
        }
        return take_fd(&fd);
}

static int resolve_dir(const struct reference *ref, struct image *ret, struct coffer_error *err)
{
        cleanup_free char *path = realpath(ref->path, NULL);
        struct stat st;
        int r;

        if (!path)
                return cannot_open(ref, -errno, err);
        if (stat(path, &st) < 0)
                return cannot_open(ref, -errno, err);
        if (!S_ISDIR(st.st_mode)) {
                r = error_say(err, -ENOTDIR, COFFER_ERROR_USAGE, "'%.200s' is not a directory",
                              ref->path);
                error_hint(err, "for a tar file write oci-archive: or docker-archive:");
                return r;
        }
        if (access(path, R_OK | X_OK) < 0)
                return cannot_open(ref, -errno, err);
        ret->kind = IMAGE_DIR;
        ret->dir = take_ptr(path);
        return 0;
}

static int inspect(const struct image_store *store, const struct reference *ref, int source_fd,
                   struct image_manifest *ret_m, struct coffer_error *err)
{
        struct buf answer = BUF_INIT(UNPACK_ANSWER_MAX);
        struct unpack_request req = {
                .job = job_of(ref->form),
                .ownership = store->ownership,
        };
        cleanup_close int fd = -EBADF;
        int r = str_copy(req.text, sizeof(req.text), ref->tag);

        if (r < 0)
                return error_set(err, r, "ask for tag '%.100s'", ref->tag);
        r = helper_start(store->program_dir, &req, source_fd, -1, store->userns_fd, &fd, err);
        if (r == 0)
                r = helper_answer(fd, &answer, err);
        if (r == 0) {
                r = message_decode(answer.data, answer.size, ret_m);
                if (r < 0)
                        (void)error_say(err, r, COFFER_ERROR_OTHER,
                                        "coffer-unpack gave an answer that makes no sense");
        }
        buf_release(&answer);
        return r;
}

static int resolve_layers(const struct image_store *store, const struct reference *ref,
                          struct image *ret, struct coffer_error *err)
{
        cleanup_close int source_fd = open_source(ref, err);
        struct image_manifest m = {0};
        int r;

        if (source_fd < 0)
                return source_fd;
        r = inspect(store, ref, source_fd, &m, err);
        if (r == 0)
                r = layers_ensure(store, &m, source_fd, ref->form != REFERENCE_OCI_DIR, err);
        if (r == 0)
                r = layers_list(store, &m, &ret->layers, err);
        if (r == 0) {
                ret->kind = IMAGE_LAYERS;
                ret->config = m.config;
                m.config = (struct image_config){0};
                ret->id = strdup(m.id);
                r = ret->id ? 0 : error_set(err, -ENOMEM, "keep the image's id");
        }
        image_manifest_release(&m);
        return r;
}

/* What was pulled: nothing foreign is read, unless the record of it was lost. */
static int resolve_name(const struct image_store *store, const struct reference *ref,
                        struct image *ret, struct coffer_error *err)
{
        cleanup_with(image_record_release) struct image_record record = {.size = 0};
        cleanup_close int images_fd = -EBADF;
        const struct platform here = platform_host();
        struct image_config *config = &record.manifest.config;
        struct image_ref found;
        int r = stored_find(store, ref->path, &found, err);

        if (r == 0)
                r = stored_record(store, found.manifest, &record, err);
        if (r < 0)
                return r;
        if (!platform_fits(&here, config->os, config->architecture, ""))
                return error_say(err, -ENOEXEC, COFFER_ERROR_IMAGE,
                                 "it is for %.40s/%.40s, this machine is %s/%s", config->os,
                                 config->architecture, here.os, here.architecture);
        images_fd = sys_open_beneath(store->home_fd, "images", O_RDONLY | O_DIRECTORY);
        r = images_fd < 0 ? error_set(err, images_fd, "open 'images' in the home")
                          : layers_ensure(store, &record.manifest, images_fd, false, err);
        if (r == 0)
                r = layers_list(store, &record.manifest, &ret->layers, err);
        if (r == 0) {
                ret->kind = IMAGE_LAYERS;
                ret->config = *config;
                *config = (struct image_config){0};
                ret->id = strdup(record.manifest.id);
                r = ret->id ? 0 : error_set(err, -ENOMEM, "keep the image's id");
        }
        return r;
}

int image_resolve(const struct image_store *store, const char *reference, struct image *ret_image,
                  struct coffer_error *err)
{
        struct image image = {0};
        struct reference ref;
        int r;

        *ret_image = (struct image){0};
        r = reference_parse(reference, &ref, err);
        if (r < 0)
                return r;

        image.reference = strdup(reference);
        if (!image.reference)
                r = error_set(err, -ENOMEM, "keep the image's name");
        else if (ref.form == REFERENCE_HOST)
                image.kind = IMAGE_HOST;
        else if (ref.form == REFERENCE_DIR)
                r = resolve_dir(&ref, &image, err);
        else if (ref.form == REFERENCE_NAME)
                r = resolve_name(store, &ref, &image, err);
        else
                r = resolve_layers(store, &ref, &image, err);
        if (r < 0) {
                image_release(&image);
                return error_wrap(err, r, "image '%.120s'", reference);
        }
        *ret_image = image;
        return 0;
}

int image_remove_tree(const struct image_store *store, int dir_fd, struct coffer_error *err)
{
        struct unpack_request req = {.job = UNPACK_REMOVE, .ownership = store->ownership};
        cleanup_close int fd = -EBADF;
        int r = helper_start(store->program_dir, &req, -1, dir_fd, store->userns_fd, &fd, err);

        return r < 0 ? r : helper_done(fd, NULL, err);
}
