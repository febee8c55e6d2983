/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "image/helper.h"

#define JOBS_MAX   4 /* layers unpacked at once */
#define NAME_TRIES 16

struct ensure {
        struct layers dirs;
        int source_fd;
        bool archive;
        struct layer_job jobs[JOBS_MAX];
};

int layers_open(const struct image_store *store, struct layers *e, struct coffer_error *err)
{
        static const char *const names[] = {"images", "images/layers", "images/tmp"};
        int home_fd = store->home_fd;

        *e = (struct layers){.store = store, .layers_fd = -EBADF, .tmp_fd = -EBADF};
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (mkdirat(home_fd, names[i], 0700) < 0 && errno != EEXIST)
                        return error_set(err, -errno, "create '%s' in the home", names[i]);
        e->layers_fd = sys_open_beneath(home_fd, "images/layers", O_RDONLY | O_DIRECTORY);
        if (e->layers_fd < 0)
                return error_set(err, e->layers_fd, "open 'images/layers' in the home");
        e->tmp_fd = sys_open_beneath(home_fd, "images/tmp", O_RDONLY | O_DIRECTORY);
        if (e->tmp_fd < 0) {
                int r = error_set(err, e->tmp_fd, "open 'images/tmp' in the home");

                layers_close(e);
                return r;
        }
        return 0;
}

void layers_close(struct layers *e)
{
        close_fd(&e->layers_fd);
        close_fd(&e->tmp_fd);
}

bool layers_has(const struct layers *e, const char *diff_id)
{
        return faccessat(e->layers_fd, diff_id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Removes a directory of images/tmp whose lock we hold. */
static int remove_tmp(const struct layers *e, const char *name, int dir_fd,
                      struct coffer_error *err)
{
        int r;

        if (unlinkat(e->tmp_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        r = image_remove_tree(e->store, dir_fd, err);
        if (r == 0 && unlinkat(e->tmp_fd, name, AT_REMOVEDIR) < 0)
                r = error_set(err, -errno, "remove 'images/tmp/%s'", name);
        return r;
}

/* What is there unlocked was left by a process that was killed.  Whatever fails here waits. */
void layers_sweep(const struct layers *e)
{
        int fd = sys_open(e->tmp_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!dir) {
                close_fd(&fd);
                return;
        }
        while ((entry = readdir(dir))) {
                cleanup_close int tmp_fd = -EBADF;

                if (entry->d_name[0] == '.')
                        continue;
                tmp_fd = sys_open(e->tmp_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
                if (tmp_fd >= 0 && flock(tmp_fd, LOCK_EX | LOCK_NB) == 0)
                        (void)remove_tmp(e, entry->d_name, tmp_fd, NULL);
        }
        (void)closedir(dir);
}

static int random_name(char *to)
{
        unsigned char bytes[LAYER_NAME_BYTES];

        if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
                return -EIO;
        for (size_t i = 0; i < sizeof(bytes); i++)
                (void)snprintf(to + 2 * i, 3, "%02x", bytes[i]);
        return 0;
}

/* Another process may sweep the directory away before it is locked: then it is made anew. */
static int make_tmp(const struct layers *e, struct layer_job *job, struct coffer_error *err)
{
        for (unsigned i = 0; i < NAME_TRIES; i++) {
                cleanup_close int fd = -EBADF;
                struct stat st;
                int r = random_name(job->name);

                if (r < 0)
                        return error_set(err, r, "make up a name");
                if (mkdirat(e->tmp_fd, job->name, 0700) < 0)
                        return error_set(err, -errno, "create a directory in 'images/tmp'");
                fd = sys_open(e->tmp_fd, job->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
                if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 ||
                    st.st_nlink == 0)
                        continue;
                if ((st.st_uid != e->store->root_uid || st.st_gid != e->store->root_gid) &&
                    e->store->ownership != IMAGE_OWN_CALLER &&
                    fchown(fd, e->store->root_uid, e->store->root_gid) < 0) {
                        r = error_set(err, -errno, "give a directory to the store's root");
                        (void)unlinkat(e->tmp_fd, job->name, AT_REMOVEDIR);
                        return r;
                }
                if (fchmod(fd, 0755) < 0) /* whatever the umask took */
                        return error_set(err, -errno, "set a directory's mode");
                job->dir_fd = take_fd(&fd);
                return 0;
        }
        return error_say(err, -EBUSY, COFFER_ERROR_OTHER,
                         "directories in 'images/tmp' vanish while they are made");
}

static int open_source(const struct ensure *e, const struct image_layer *layer,
                       struct coffer_error *err)
{
        char name[sizeof("blobs/sha256/") + IMAGE_DIGEST_HEX];
        int fd;

        if (e->archive)
                fd = fcntl(e->source_fd, F_DUPFD_CLOEXEC, 0);
        else {
                (void)snprintf(name, sizeof(name), "blobs/sha256/%s", layer->blob);
                fd = sys_open_beneath(e->source_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        }
        fd = fd == -1 ? -errno : fd;
        return fd < 0 ? error_set(err, fd, "open the blob of layer %s", layer->diff_id) : fd;
}

int layer_job_start(const struct layers *e, struct layer_job *job, const struct image_layer *layer,
                    int source_fd, struct coffer_error *err)
{
        struct unpack_request req = {
                .job = UNPACK_LAYER,
                .ownership = e->store->ownership,
                .offset = layer->offset,
                .size = layer->size,
        };
        int r;

        memcpy(req.blob, layer->blob, sizeof(req.blob));
        memcpy(req.diff_id, layer->diff_id, sizeof(req.diff_id));

        r = make_tmp(e, job, err);
        if (r < 0)
                return r;
        job->layer = layer;
        return helper_start(e->store->program_dir, &req, source_fd, job->dir_fd,
                            e->store->userns_fd, &job->answer_fd, err);
}

static int commit(const struct layers *e, const struct layer_job *job, struct coffer_error *err)
{
        const char *diff_id = job->layer->diff_id;

        if (syscall(SYS_renameat2, e->tmp_fd, job->name, e->layers_fd, diff_id, RENAME_NOREPLACE) <
            0) {
                if (errno != EEXIST)
                        return error_set(err, -errno, "put layer %s into its place", diff_id);
                return remove_tmp(e, job->name, job->dir_fd, err); /* another was faster */
        }
        return fsync(e->layers_fd) < 0 ? error_set(err, -errno, "sync 'images/layers'") : 0;
}

/* Waits for a job and puts its layer into place, or what there is of it away. */
int layer_job_finish(const struct layers *e, struct layer_job *job, struct coffer_error *err)
{
        int r = -ECANCELED;

        if (!job->layer)
                return 0;
        if (job->answer_fd >= 0)
                r = helper_done(job->answer_fd, NULL, err);
        if (r == 0)
                r = commit(e, job, err);
        else {
                (void)error_wrap(err, r, "unpack layer %.12s", job->layer->diff_id);
                (void)remove_tmp(e, job->name, job->dir_fd, NULL);
        }
        close_fd(&job->answer_fd);
        close_fd(&job->dir_fd);
        job->layer = NULL;
        return r;
}

/* The job that has an answer, or whose program died; NULL when none runs. */
static struct layer_job *wait_for_one(struct ensure *e)
{
        struct pollfd fds[JOBS_MAX];
        struct layer_job *running[JOBS_MAX];
        nfds_t count = 0;

        for (size_t i = 0; i < JOBS_MAX; i++)
                if (e->jobs[i].layer) {
                        running[count] = &e->jobs[i];
                        fds[count++] = (struct pollfd){
                                .fd = e->jobs[i].answer_fd,
                                .events = POLLIN,
                        };
                }
        while (count > 0 && poll(fds, count, -1) < 0 && errno == EINTR)
                ;
        for (nfds_t i = 0; i < count; i++)
                if (fds[i].revents)
                        return running[i];
        return count > 0 ? running[0] : NULL;
}

static struct layer_job *free_place(struct ensure *e)
{
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        size_t places = cpus < 1 ? 1 : cpus > JOBS_MAX ? JOBS_MAX : (size_t)cpus;

        for (size_t i = 0; i < places; i++)
                if (!e->jobs[i].layer)
                        return &e->jobs[i];
        return NULL;
}

static int start(struct ensure *e, struct layer_job *job, const struct image_layer *layer,
                 struct coffer_error *err)
{
        cleanup_close int source_fd = open_source(e, layer, err);

        return source_fd < 0 ? source_fd : layer_job_start(&e->dirs, job, layer, source_fd, err);
}

static bool seen_before(const struct image_manifest *m, size_t index)
{
        for (size_t i = 0; i < index; i++)
                if (str_eq(m->layers[i].diff_id, m->layers[index].diff_id))
                        return true;
        return false;
}

static int run_jobs(struct ensure *e, const struct image_manifest *m, struct coffer_error *err)
{
        struct coffer_error ignored = {0};
        struct layer_job *job;
        size_t next = 0;
        int r = 0;

        while (r == 0) {
                while (next < m->layer_count &&
                       (seen_before(m, next) || layers_has(&e->dirs, m->layers[next].diff_id)))
                        next++;
                job = next < m->layer_count ? free_place(e) : NULL;
                if (job) {
                        r = start(e, job, &m->layers[next++], err);
                        continue;
                }
                job = wait_for_one(e);
                if (!job)
                        return 0;
                r = layer_job_finish(&e->dirs, job, err);
        }
        /* The half-closed socket tells the others to stop; they clean up and end. */
        for (size_t i = 0; i < JOBS_MAX; i++)
                if (e->jobs[i].answer_fd >= 0)
                        (void)shutdown(e->jobs[i].answer_fd, SHUT_WR);
        for (size_t i = 0; i < JOBS_MAX; i++)
                (void)layer_job_finish(&e->dirs, &e->jobs[i], &ignored);
        return r;
}

int layers_ensure(const struct image_store *store, const struct image_manifest *m, int source_fd,
                  bool archive, struct coffer_error *err)
{
        struct ensure e = {.source_fd = source_fd, .archive = archive};
        bool missing = false;
        int r;

        for (size_t i = 0; i < JOBS_MAX; i++)
                e.jobs[i].answer_fd = e.jobs[i].dir_fd = -EBADF;
        r = layers_open(store, &e.dirs, err);
        for (size_t i = 0; r == 0 && i < m->layer_count; i++)
                missing = missing || !layers_has(&e.dirs, m->layers[i].diff_id);
        if (r == 0 && missing) {
                layers_sweep(&e.dirs);
                r = run_jobs(&e, m, err);
        }
        layers_close(&e.dirs);
        return r;
}

static int has_opaque_root(const struct image_store *store, const char *diff_id, bool *ret_opaque)
{
        char path[sizeof("images/layers/") + IMAGE_DIGEST_HEX];
        cleanup_close int fd = -EBADF;
        char value;

        (void)snprintf(path, sizeof(path), "images/layers/%s", diff_id);
        fd = sys_open_beneath(store->home_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd < 0)
                return fd;
        *ret_opaque = fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
        return 0;
}

int layers_list(const struct image_store *store, const struct image_manifest *m,
                struct strv *ret_layers, struct coffer_error *err)
{
        size_t lowest = 0;
        int r;

        /* Overlayfs does not look at the mark on the root of a layer itself. */
        for (size_t i = m->layer_count; i-- > 0 && lowest == 0;) {
                bool opaque = false;

                r = has_opaque_root(store, m->layers[i].diff_id, &opaque);
                if (r < 0)
                        return error_set(err, r, "look at layer %s", m->layers[i].diff_id);
                if (opaque)
                        lowest = i;
        }
        for (size_t i = lowest; i < m->layer_count; i++) {
                bool again = false;

                for (size_t j = i + 1; j < m->layer_count && !again; j++)
                        again = str_eq(m->layers[i].diff_id, m->layers[j].diff_id);
                r = again ? 0 : strv_add(ret_layers, m->layers[i].diff_id);
                if (r < 0)
                        return error_set(err, r, "list the layers");
        }
        return 0;
}
