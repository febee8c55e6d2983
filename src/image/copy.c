/* SPDX-License-Identifier: Apache-2.0 */
#include "image/copy.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "image/helper.h"

int image_extract_start(const char *program_dir, int tar_fd, int dest_dir_fd,
                        const char *rename_first, unsigned flags, int *ret_fd,
                        struct coffer_error *err)
{
        struct unpack_request req = {
                .job = UNPACK_COPY,
                .ownership = IMAGE_OWN_CALLER,
                .flags = flags,
        };

        if (rename_first &&
            (rename_first[0] == '\0' || strchr(rename_first, '/') || str_eq(rename_first, ".") ||
             str_eq(rename_first, "..") || strlen(rename_first) > NAME_MAX))
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                 "'%.120s' cannot be the name of a file", rename_first);
        if (rename_first)
                (void)str_copy(req.text, sizeof(req.text), rename_first);
        return helper_start(program_dir, &req, tar_fd, dest_dir_fd, -1, ret_fd, err);
}

int image_extract_finish(int fd, struct image_copy_result *ret_result, struct coffer_error *err)
{
        struct unpack_done done;
        int r = helper_done(fd, &done, err);

        if (r == 0 && ret_result)
                *ret_result = (struct image_copy_result){
                        .entries = done.entries,
                        .bytes = done.bytes,
                        .skipped = done.skipped,
                };
        return r;
}

int image_extract_stream(const char *program_dir, int tar_fd, int dest_dir_fd,
                         const char *rename_first, unsigned flags,
                         struct image_copy_result *ret_result, struct coffer_error *err)
{
        cleanup_close int fd = -EBADF;
        int r = image_extract_start(program_dir, tar_fd, dest_dir_fd, rename_first, flags, &fd,
                                    err);

        return r < 0 ? r : image_extract_finish(fd, ret_result, err);
}
