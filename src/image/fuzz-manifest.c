/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What describes an image: the bytes are an index, a manifest.json and a config in turn, inside an
 * archive that is made here, so that no checksum stands in the fuzzer's way.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/sys.h"
#include "image/contents.h"
#include "image/inspect.h"

static void add_file(struct buf *to, const char *name, const void *data, size_t size)
{
        static const char zeros[512];
        unsigned char header[512] = {0};
        unsigned sum = 0;

        (void)snprintf((char *)header, 100, "%s", name);
        (void)snprintf((char *)header + 124, 12, "%011zo", size);
        memset(header + 148, ' ', 8);
        memcpy(header + 257, "ustar\00000", 8);
        header[156] = '0';
        for (size_t i = 0; i < sizeof(header); i++)
                sum += header[i];
        (void)snprintf((char *)header + 148, 8, "%06o", sum);
        (void)buf_append(to, header, sizeof(header));
        (void)buf_append(to, data, size);
        (void)buf_append(to, zeros, -size % 512);
}

static void check_manifest(const struct image_manifest *m)
{
        fuzz_assert(image_is_digest(m->id) && m->layer_count <= IMAGE_LAYERS_MAX);
        for (size_t i = 0; i < m->layer_count; i++)
                fuzz_assert(image_is_digest(m->layers[i].diff_id));
        for (size_t i = 0; i < m->config.env.count; i++)
                fuzz_assert(strchr(m->config.env.items[i], '=') > m->config.env.items[i]);
        fuzz_assert(m->config.user && m->config.working_dir && m->config.stop_signal);
}

static int make_archive(const uint8_t *data, size_t size, bool oci)
{
        static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
        struct buf archive = BUF_INIT((size_t)64 * 1024 * 1024);
        const uint8_t *cut = size > 0 ? memchr(data, '\0', size) : NULL;
        size_t first = cut ? (size_t)(cut - data) : size;
        int fd;

        if (oci) {
                add_file(&archive, "oci-layout", layout, sizeof(layout) - 1);
                add_file(&archive, "index.json", data, first);
        }
        add_file(&archive, "manifest.json", data, first);
        add_file(&archive, "c", cut ? cut + 1 : data, cut ? size - first - 1 : 0);
        add_file(&archive, "l", "", 0);
        fd = sys_memfd_sealed("archive", archive.data, archive.size);
        fuzz_assert(fd >= 0 && archive.failed == 0);
        buf_release(&archive);
        return fd;
}

static void describe(int fd, bool docker, const char *tag)
{
        struct image_manifest m = {0};
        struct coffer_error err = {0};
        struct blobs blobs;
        int r;

        fuzz_assert(blobs_open(fd, true, &blobs, &err) == 0);
        r = docker ? inspect_docker(&blobs, tag, &m, &err) : inspect_oci(&blobs, tag, &m, &err);
        fuzz_assert((r < 0) == (err.msg[0] != '\0'));
        if (r == 0)
                check_manifest(&m);
        image_manifest_release(&m);
        blobs_close(&blobs);
}

/* What is answered must be what a client believes. */
static void list_contents(int fd)
{
        struct contents c = {.answer = BUF_INIT(UNPACK_ANSWER_MAX)};
        struct coffer_error err = {0};
        struct blobs blobs;
        int r;

        fuzz_assert(blobs_open(fd, true, &blobs, &err) == 0);
        r = inspect_contents(&blobs, &c.answer, &err);
        fuzz_assert((r < 0) == (err.msg[0] != '\0'));
        fuzz_assert(r < 0 || contents_check(&c) == 0);
        contents_release(&c);
        blobs_close(&blobs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct image_config config = {0};
        struct strv diff_ids = {0};
        const uint8_t *cut = size > 0 ? memchr(data, '\0', size) : NULL;
        size_t first = cut ? (size_t)(cut - data) : size;
        cleanup_close int fd = -EBADF, docker_fd = -EBADF;

        if (size > (size_t)8 * 1024 * 1024)
                return 0;
        fd = make_archive(data, size, true);
        docker_fd = make_archive(data, size, false);
        list_contents(fd);
        list_contents(docker_fd);
        describe(fd, false, "");
        describe(fd, false, "t");
        describe(fd, true, "");
        describe(fd, true, "a:b");

        if (inspect_config(data, first, &config, &diff_ids, NULL) == 0)
                for (size_t i = 0; i < diff_ids.count; i++)
                        fuzz_assert(image_is_digest(diff_ids.items[i]));
        image_config_release(&config);
        strv_release(&diff_ids);
        return 0;
}
