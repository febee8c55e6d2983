/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side when things fail around it: each allocation and each system call in turn, with
 * the real coffer-unpack from the build directory.
 */
#include "t.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/sys.h"
#include "fault.h"
#include "image/copy.h"
#include "image/image.h"
#include "image/purge.h"

#if defined(__x86_64__)
#define ARCH "amd64"
#else
#define ARCH "arm64"
#endif

static void add_header(struct buf *to, const char *name, size_t size)
{
        unsigned char header[512] = {0};
        unsigned sum = 0;

        (void)snprintf((char *)header, 100, "%s", name);
        (void)snprintf((char *)header + 100, 8, "%07o", 0644);
        (void)snprintf((char *)header + 124, 12, "%011zo", size);
        memset(header + 148, ' ', 8);
        memcpy(header + 257, "ustar\00000", 8);
        header[156] = '0';
        for (size_t i = 0; i < sizeof(header); i++)
                sum += header[i];
        (void)snprintf((char *)header + 148, 8, "%06o", sum);
        t_ok(buf_append(to, header, sizeof(header)));
}

static void add_file(struct buf *to, const char *name, const void *data, size_t size)
{
        static const char zeros[512];

        add_header(to, name, size);
        t_ok(buf_append(to, data, size));
        t_ok(buf_append(to, zeros, -size % 512));
}

struct place {
        char path[64];
        char programs[PATH_MAX];
        int fd;
        int home_fd;
        struct image_store store;
};

static void place_make(struct place *p)
{
        ssize_t n;

        (void)snprintf(p->path, sizeof(p->path), "/tmp/coffer-resolve-XXXXXX");
        t_true(mkdtemp(p->path));
        p->fd = t_ok(sys_open(AT_FDCWD, p->path, O_RDONLY | O_DIRECTORY));
        t_ok(mkdirat(p->fd, "home", 0700));
        p->home_fd = t_ok(sys_open(p->fd, "home", O_RDONLY | O_DIRECTORY));

        /* build/tests/unit/test-x, build/bin */
        n = readlink("/proc/self/exe", p->programs, sizeof(p->programs) - 16);
        t_true(n > 0);
        p->programs[n] = '\0';
        for (unsigned i = 0; i < 3; i++)
                *strrchr(p->programs, '/') = '\0';
        memcpy(p->programs + strlen(p->programs), "/bin", 5);
        p->store = (struct image_store){
                .home_fd = p->home_fd,
                .userns_fd = -1,
                .ownership = IMAGE_OWN_CALLER,
                .program_dir = p->programs,
        };
}

static void place_remove(struct place *p)
{
        t_ok(purge_dir(p->fd));
        t_ok(rmdir(p->path));
        (void)close(p->fd);
        (void)close(p->home_fd);
}

/* A docker-archive with one layer whose diff id is right, or not. */
static void write_archive(const struct place *p, const char *name, const char *diff_id)
{
        struct buf layer = BUF_INIT(4096), config = BUF_INIT(4096), archive = BUF_INIT(65536);
        static const char manifest[] = "[{\"Config\":\"c\",\"Layers\":[\"l\"]}]";
        cleanup_close int fd = sys_open_mode(p->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        add_header(&layer, "f", 0);
        t_ok(buf_printf(&config,
                        "{\"architecture\":\"" ARCH "\",\"os\":\"linux\",\"rootfs\":{\"type\":"
                        "\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
                        diff_id));
        add_file(&archive, "c", config.data, config.size);
        add_file(&archive, "l", layer.data, layer.size);
        add_file(&archive, "manifest.json", manifest, sizeof(manifest) - 1);
        t_ok(sys_write_all(fd, archive.data, archive.size));
        buf_release(&layer);
        buf_release(&config);
        buf_release(&archive);
}

static unsigned entries_of(int dir_fd, const char *path)
{
        int fd = sys_open(dir_fd, path, O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        unsigned count = 0;

        if (!dir)
                return 0;
        while ((entry = readdir(dir)))
                count += entry->d_name[0] != '.';
        (void)closedir(dir);
        return count;
}

/* The digest is learnt from the error that a wrong one gives. */
static void learn_diff_id(const struct place *p, const char *reference, char *ret_hex)
{
        struct coffer_error err = {0};
        struct image image;
        const char *at;

        t_errno(EBADMSG, image_resolve(&p->store, reference, &image, &err));
        at = strstr(err.msg, "diff id is sha256:");
        t_true(at);
        memcpy(ret_hex, at + strlen("diff id is sha256:"), IMAGE_DIGEST_HEX);
        ret_hex[IMAGE_DIGEST_HEX] = '\0';
        t_int(0, entries_of(p->home_fd, "images/layers"));
        t_int(0, entries_of(p->home_fd, "images/tmp"));
}

static void break_each(const struct place *p, const char *reference, bool sys)
{
        for (unsigned n = 1;; n++) {
                struct coffer_error err = {0};
                struct image image;
                int fds = t_open_fds();
                bool struck;
                int r;

                if (sys)
                        fault_arm_sys(n, EMFILE);
                else
                        fault_arm(n);
                r = image_resolve(&p->store, reference, &image, &err);
                struck = fault_disarm();
                t_int(fds, t_open_fds());
                t_true((r < 0) == (err.msg[0] != '\0'));
                if (r == 0) {
                        t_int(1, (int64_t)image.layers.count);
                        image_release(&image);
                }
                if (!struck) {
                        t_ok(r);
                        break;
                }
                if (r == 0 || entries_of(p->home_fd, "images/layers") == 1)
                        t_ok(purge_at(p->home_fd, "images/layers"));
        }
        t_int(0, entries_of(p->home_fd, "images/tmp"));
        t_int(1, entries_of(p->home_fd, "images/layers"));
}

TEST(every_failure_is_told_and_nothing_is_left)
{
        static const char zero[] =
                "0000000000000000000000000000000000000000000000000000000000000000";
        char reference[128], diff_id[IMAGE_DIGEST_HEX + 1];
        struct place p;

        place_make(&p);
        (void)snprintf(reference, sizeof(reference), "docker-archive:%s/a.tar", p.path);
        write_archive(&p, "a.tar", zero);
        learn_diff_id(&p, reference, diff_id);
        write_archive(&p, "a.tar", diff_id);

        break_each(&p, reference, false);
        t_ok(purge_at(p.home_fd, "images/layers"));
        break_each(&p, reference, true);
        place_remove(&p);
}

TEST(a_missing_program_is_named)
{
        struct coffer_error err = {0};
        struct image image;
        char reference[128];
        struct place p;

        place_make(&p);
        write_archive(&p, "a.tar", "");
        (void)snprintf(reference, sizeof(reference), "docker-archive:%s/a.tar", p.path);
        p.store.program_dir = "/nonexistent";
        t_errno(ENOENT, image_resolve(&p.store, reference, &image, &err));
        t_has("start '/nonexistent/coffer-unpack'", err.msg);
        p.store.program_dir = p.programs;
        p.store.ownership = IMAGE_OWN_RANGE; /* and no user namespace to enter */
        t_errno(EINVAL, image_resolve(&p.store, reference, &image, &err));
        t_has("enter the store's user namespace", err.msg);
        t_int(COFFER_ERROR_CONTROL, err.kind);
        place_remove(&p);
}

TEST(a_copy_is_renamed_and_can_be_given_up)
{
        struct image_copy_result result;
        struct coffer_error err = {0};
        struct buf tar = BUF_INIT(65536);
        static const char zeros[1024];
        struct place p;
        struct stat st;
        int pipe_fds[2], fd;

        place_make(&p);
        add_file(&tar, "old/f", "abc", 3);
        t_ok(buf_append(&tar, zeros, sizeof(zeros)));
        t_ok(pipe2(pipe_fds, O_CLOEXEC));
        t_ok(sys_write_all(pipe_fds[1], tar.data, tar.size));
        t_errno(EINVAL,
                image_extract_start(p.programs, pipe_fds[0], p.home_fd, "a/b", 0, &fd, &err));
        t_errno(EINVAL,
                image_extract_start(p.programs, pipe_fds[0], p.home_fd, "..", 0, &fd, &err));
        t_ok(image_extract_start(p.programs, pipe_fds[0], p.home_fd, "new", 0, &fd, &err));
        (void)close(pipe_fds[1]);
        t_ok(image_extract_finish(fd, &result, &err));
        (void)close(fd);
        (void)close(pipe_fds[0]);
        t_true(result.entries == 1 && result.bytes == 3 && result.skipped == 0);
        t_ok(fstatat(p.home_fd, "new/f", &st, 0));
        t_int(3, st.st_size);

        /* Nothing comes through the pipe any more: whoever gives up does not wait for it. */
        t_ok(pipe2(pipe_fds, O_CLOEXEC));
        t_ok(image_extract_start(p.programs, pipe_fds[0], p.home_fd, NULL, 0, &fd, &err));
        (void)close(pipe_fds[0]);
        t_true(sys_write(pipe_fds[1], tar.data, 512) == 512);
        (void)close(fd);
        /* The reader's end is only closed by coffer-unpack's exit. */
        (void)signal(SIGPIPE, SIG_IGN);
        while (sys_write(pipe_fds[1], zeros, sizeof(zeros)) > 0)
                ;
        (void)close(pipe_fds[1]);
        buf_release(&tar);
        place_remove(&p);
}
