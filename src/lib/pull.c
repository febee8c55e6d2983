/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a name to an image in the store.  coffer-pull fetches, coffer-unpack reads; what is here
 * holds the locks, moves bytes that it does not look at, and puts things into their places in an
 * order in which a death at any point leaves nothing that counts: blobs, layers, the record, and
 * last the reference.
 */

#include "lib/pull.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "image/platform.h"
#include "image/reference.h"
#include "image/stored.h"
#include "lib/images.h"
#include "registry/certs.h"
#include "registry/client.h"
#include "registry/credential.h"

#define INDEXES_MAX 4 /* inside each other */

void pull_tell(const struct pulling *p, const struct coffer_pull_progress *progress)
{
        if (p->options->progress)
                p->options->progress(p->options->data, progress);
}

/* ------------------------------------------------------------------------------------ registry */

static int set_proxies(struct pull_open *open, struct coffer_error *err)
{
        const struct {
                const char *names[3];
                char *to;
        } variables[] = {
  /* Upper case HTTP_PROXY is what a CGI program would have from its client. */
                {{"http_proxy", "all_proxy", "ALL_PROXY"},    open->http_proxy },
                {{"https_proxy", "HTTPS_PROXY", "ALL_PROXY"}, open->https_proxy},
                {{"no_proxy", "NO_PROXY", NULL},              open->no_proxy   },
        };

        for (size_t i = 0; i < ELEMENTS(variables); i++)
                for (size_t k = 0; k < 3 && variables[i].names[k]; k++) {
                        const char *value = getenv(variables[i].names[k]);

                        if (!value || value[0] == '\0')
                                continue;
                        if (str_copy(variables[i].to, PULL_PROXY_MAX, value) < 0)
                                return error_say(err, -ENAMETOOLONG, COFFER_ERROR_USAGE,
                                                 "%s has more than %d characters",
                                                 variables[i].names[k], PULL_PROXY_MAX - 1);
                        break;
                }
        return 0;
}

int pull_connect(const char *program_dir, const struct registry_config *config,
                 struct pull_open *open, int *ret_fd, struct coffer_error *err)
{
        cleanup_close int ca_fd = -EBADF;
        int r;

        open->stall_s = config->stall_s;
        open->attempts = config->attempts;
        if (registry_config_has(&config->insecure, open->host))
                open->flags |= PULL_PLAIN | PULL_PRIVATE;
        if (registry_config_has(&config->private, open->host))
                open->flags |= PULL_PRIVATE;
        r = set_proxies(open, err);
        if (r == 0)
                r = certs_collect(open->host, &ca_fd, err);
        return r < 0 ? r : client_start(program_dir, open, ca_fd < 0 ? -1 : ca_fd, ret_fd, err);
}

static int connect_registry(struct pulling *p)
{
        struct pull_open *open = calloc(1, sizeof(*open));
        struct credential *credential = calloc(1, sizeof(*credential));
        int r = open && credential ? 0 : error_set(p->err, -ENOMEM, "ask a registry");

        if (r == 0)
                r = credential_find(p->name.host, p->name.repository, credential, p->err);
        if (r == 0) {
                (void)str_copy(open->host, sizeof(open->host), p->name.host);
                (void)str_copy(open->repository, sizeof(open->repository), p->name.repository);
                (void)str_copy(open->user, sizeof(open->user), credential->user);
                (void)str_copy(open->secret, sizeof(open->secret), credential->secret);
                open->secret_kind = credential->kind;
                r = pull_connect(p->store.program_dir, &p->config, open, &p->pull_fd, p->err);
        }
        if (open)
                explicit_bzero(open, sizeof(*open));
        if (credential)
                explicit_bzero(credential, sizeof(*credential));
        free(open);
        free(credential);
        return r;
}

/* 1: all that is in the pipe for now; 0: its end. */
static int copy_some(int from_fd, int to_fd, uint64_t *left)
{
        char bytes[16384];

        for (;;) {
                ssize_t n = sys_read(from_fd, bytes, sizeof(bytes));
                int r;

                if (n == -EAGAIN)
                        return 1;
                if (n <= 0)
                        return (int)n;
                if (to_fd < 0 || (uint64_t)n > *left)
                        return -E2BIG;
                *left -= (uint64_t)n;
                r = sys_write_all(to_fd, bytes, (size_t)n);
                if (r < 0)
                        return r;
        }
}

int pull_small(int fd, struct pull_get *get, int to_fd, const struct pulling *told,
               struct coffer_error *err)
{
        cleanup_close int pipe_fd = -EBADF;
        uint64_t left = get->max_bytes;
        struct pull_event event;
        bool ended = false;
        int r = client_get(fd, get, &pipe_fd, err);

        while (r == 0) {
                struct pollfd fds[] = {
                        {.fd = fd,                   .events = POLLIN},
                        {.fd = ended ? -1 : pipe_fd, .events = POLLIN},
                };

                if (poll(fds, 2, -1) < 0)
                        continue; /* EINTR */
                if (fds[1].revents) {
                        r = copy_some(pipe_fd, to_fd, &left);
                        ended = r == 0;
                        r = r > 0 ? 0 : r;
                        if (r < 0)
                                return error_set(err, r, "take in what the registry sends");
                        continue; /* the word about it is looked at once the pipe is empty */
                }
                r = client_event(fd, &event, err);
                if (r == 0 && event.id != get->id)
                        r = error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                                      "coffer-pull answers what it was not asked");
                if (r < 0)
                        return r;
                if (event.what == PULL_DONE)
                        return 0;
                if (event.what == PULL_FAILED) {
                        if (err)
                                *err = event.err;
                        return event.err.code;
                }
                if (told)
                        pull_tell(told, &(const struct coffer_pull_progress){
                                                .step = COFFER_PULL_RETRY,
                                                .wait_s = event.wait_s,
                                                .name = get->name,
                                                .words = event.err.msg,
                                        });
        }
        return r;
}

/* ----------------------------------------------------------------------------------- documents */

static int copy_blob(struct pulling *p, int fd, const char *digest)
{
        struct buf text = BUF_INIT((size_t)PULL_MANIFEST_BYTES_MAX);
        int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : buf_read_fd(&text, fd);

        if (r == 0)
                r = blobstore_put(&p->blobs, digest, text.data ? text.data : "", text.size);
        buf_release(&text);
        return r < 0 ? error_set(p->err, r, "keep blob %.12s", digest) : 0;
}

static int fetch_small(struct pulling *p, struct pull_get *get, const char *digest, uint64_t size,
                       int to_fd)
{
        if (p->archive)
                return contents_copy(p->archive, p->archive_fd, digest, size, get->max_bytes, to_fd,
                                     p->err);
        return pull_small(p->pull_fd, get, to_fd, p, p->err);
}

/* A manifest by tag or digest, into p->listing and the store. */
static int fetch_manifest(struct pulling *p, const char *tag, const char *digest)
{
        const char *platform = p->options->platform ? p->options->platform : "";
        struct pull_get get = {
                .id = p->next_id++,
                .kind = PULL_MANIFEST,
                .max_bytes = PULL_MANIFEST_BYTES_MAX,
        };
        cleanup_close int fd = -EBADF;
        bool here = digest[0] != '\0' && blobstore_has(&p->blobs, digest, UINT64_MAX);
        int r = 0;

        if (here)
                fd = blobstore_read(&p->blobs, digest);
        else {
                fd = memfd_create("coffer-manifest", MFD_CLOEXEC);
                fd = fd < 0 ? -errno : fd;
        }
        if (fd < 0)
                return error_set(p->err, fd, "keep a manifest");
        if (!here) {
                (void)snprintf(get.name, sizeof(get.name), "%s%s", digest[0] ? "sha256:" : "",
                               digest[0] ? digest : tag);
                r = fetch_small(p, &get, digest, UINT64_MAX, fd);
        }
        if (r == 0)
                r = stored_listing(&p->store, fd, digest, platform, &p->listing, p->err);
        if (r == 0 && !here)
                r = copy_blob(p, fd, p->listing.digest);
        if (r == -EBADMSG && here)
                (void)unlinkat(p->blobs.blobs_fd, digest, 0); /* the next pull fetches it anew */
        return r;
}

static int find_manifest(struct pulling *p, const char *tag, const char *wanted)
{
        char digest[IMAGE_DIGEST_HEX + 1];
        int r = fetch_manifest(p, tag, wanted);

        if (r == 0)
                (void)str_copy(p->top, sizeof(p->top), p->listing.digest);
        for (unsigned i = 0; r == 0 && p->listing.index; i++) {
                if (i == INDEXES_MAX)
                        return error_say(p->err, -ELOOP, COFFER_ERROR_IMAGE,
                                         "more than %d indexes lie inside each other", INDEXES_MAX);
                (void)str_copy(digest, sizeof(digest), p->listing.first.digest);
                r = fetch_manifest(p, "", digest);
        }
        return r;
}

static int fetch_config(struct pulling *p)
{
        const struct image_blob *config = &p->listing.first;
        struct pull_get get = {
                .id = p->next_id++,
                .kind = PULL_BLOB,
                .max_bytes = config->size,
        };
        cleanup_close int fd = -EBADF;
        int r;

        if (config->size > PULL_MANIFEST_BYTES_MAX)
                return error_say(p->err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "the image's config has more than 4 MiB");
        r = blobstore_begin(&p->blobs, config->digest, config->size, true, &fd);
        if (r <= 0)
                return r < 0 ? error_set(p->err, r, "make room for the config") : 0;
        (void)snprintf(get.name, sizeof(get.name), "sha256:%s", config->digest);
        r = ftruncate(fd, 0) < 0 ? error_set(p->err, -errno, "keep the config")
                                 : fetch_small(p, &get, config->digest, config->size, fd);
        if (r == 0)
                r = stored_verify(&p->store, fd, config->digest, p->err);
        if (r == 0) {
                r = fsync(fd) < 0 ? -errno : blobstore_commit(&p->blobs, config->digest);
                if (r < 0)
                        (void)error_set(p->err, r, "keep the config");
        }
        if (r < 0)
                blobstore_drop(&p->blobs, config->digest);
        return r;
}

/* ---------------------------------------------------------------------------------------- keep */

static uint64_t time_now_ns(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

int pull_record(struct pulling *p, const char *digest, const struct image_manifest *manifest)
{
        struct image_record record = {
                .stored_ns = time_now_ns(), .manifest = *manifest, /* borrowed */
        };
        int r;

        for (size_t i = 0; i < manifest->layer_count; i++)
                record.size += manifest->layers[i].size;
        (void)str_copy(record.digest, sizeof(record.digest), digest);
        r = record_write(p->store.home_fd, &record);
        return r < 0 ? error_set(p->err, r, "note what the image is") : 0;
}

static int keep(struct pulling *p, struct image_ref *ref)
{
        int r = pull_record(p, p->listing.digest, &p->manifest);

        if (r < 0)
                return r;
        ref->name = p->name;
        if (p->name.digest[0] != '\0')
                ref->name.tag[0] = '\0';
        (void)str_copy(ref->top, sizeof(ref->top), p->top);
        (void)str_copy(ref->manifest, sizeof(ref->manifest), p->listing.digest);
        r = refs_set(p->store.home_fd, ref);
        return r < 0 ? error_set(p->err, r, "note the image's name") : 0;
}

int pull_image(struct pulling *p, const char *tag, const char *digest)
{
        int r = find_manifest(p, tag, digest);

        if (r == 0)
                r = fetch_config(p);
        if (r == 0)
                r = stored_describe(&p->store, p->blobs.images_fd, p->listing.digest, &p->manifest,
                                    p->err);
        if (r == 0 && p->layers.layers_fd < 0)
                r = layers_open(&p->store, &p->layers, p->err);
        return r < 0 ? r : pull_layers(p);
}

void pull_close(struct pulling *p)
{
        close_fd(&p->pull_fd);
        close_fd(&p->lock_fd);
        layers_close(&p->layers);
        blobstore_close(&p->blobs);
        image_manifest_release(&p->manifest);
        registry_config_release(&p->config);
        images_close(&p->store);
}

int pull_open(struct coffer_runtime *rt, struct pulling *p)
{
        int r = images_open(rt, &p->store, p->err);

        if (r == 0)
                r = blobstore_open(p->store.home_fd, &p->blobs, p->err);
        if (r == 0) {
                r = blobstore_lock(&p->blobs, false, &p->lock_fd);
                if (r < 0)
                        (void)error_set(p->err, r, "lock the images of the home");
        }
        return r;
}

/* -------------------------------------------------------------------------------------- public */

static void name_in_full(const struct image_name *name, char *to, size_t size)
{
        (void)snprintf(to, size, "%s/%s%s%s", name->host, name->repository,
                       name->digest[0] ? "@sha256:" : ":",
                       name->digest[0] ? name->digest : name->tag);
}

static int fill_result(struct pulling *p, const struct image_ref *ref, bool changed,
                       struct coffer_pull_result *ret)
{
        cleanup_with(image_record_release) struct image_record record = {.size = 0};
        int r = stored_record(&p->store, ref->manifest, &record, p->err);

        if (r < 0)
                return r;
        *ret = (struct coffer_pull_result){.changed = changed};
        name_in_full(&ref->name, ret->name, sizeof(ret->name));
        (void)snprintf(ret->digest, sizeof(ret->digest), "sha256:%s", ref->top);
        (void)snprintf(ret->id, sizeof(ret->id), "sha256:%s", record.manifest.id);
        return 0;
}

/* Whether what is here is for the machine that it is wanted for. */
static bool fits(struct pulling *p, const struct image_ref *ref)
{
        cleanup_with(image_record_release) struct image_record record = {.size = 0};
        struct platform want;

        if (!p->options->platform)
                return true;
        return platform_parse(p->options->platform, &want, NULL) == 0 &&
               stored_record(&p->store, ref->manifest, &record, NULL) == 0 &&
               platform_fits(&want, record.manifest.config.os, record.manifest.config.architecture,
                             record.manifest.config.variant);
}

static int pull(struct pulling *p, const char *reference, struct coffer_pull_result *result)
{
        enum coffer_pull_policy policy = (enum coffer_pull_policy)p->options->policy;
        char shown[NAME_TEXT_MAX];
        struct image_ref here, ref;
        int found = stored_find(&p->store, reference, &here, p->err);
        int r;

        if (found < 0 && found != -ENOENT)
                return found;
        if (found == 0 && !fits(p, &here))
                found = -ENOENT;
        if (policy == COFFER_PULL_NEVER && found < 0)
                return found;
        /* By its id it can only be here. */
        if (found == 0 && (policy == COFFER_PULL_MISSING || policy == COFFER_PULL_NEVER ||
                           here.name.host[0] == '\0'))
                return fill_result(p, &here, false, result);

        r = name_parse(reference, &p->name, p->err);
        if (r < 0)
                return r;
        name_format(&p->name, shown);
        pull_tell(p,
                  &(const struct coffer_pull_progress){.step = COFFER_PULL_BEGINS, .name = shown});
        r = connect_registry(p);
        if (r == 0)
                r = pull_image(p, p->name.tag, p->name.digest);
        if (r == 0)
                r = keep(p, &ref);
        if (r == 0)
                return fill_result(p, &ref,
                                   found < 0 || !str_eq(here.top, ref.top) ||
                                           !str_eq(here.manifest, ref.manifest),
                                   result);
        if (found == 0 && policy == COFFER_PULL_NEWER && p->err->kind != COFFER_ERROR_IMAGE)
                return fill_result(p, &here, false, result);
        return error_wrap(p->err, r, "pull '%.120s'", shown);
}

int coffer_image_pull(struct coffer_runtime *runtime, const char *reference,
                      const struct coffer_pull_options *options,
                      struct coffer_pull_result *ret_result, struct coffer_error *err)
{
        static const struct coffer_pull_options defaults = {.size = sizeof(defaults)};
        struct coffer_error own = {0};
        struct coffer_pull_result result = {.changed = 0};
        struct reference ref;
        struct platform platform;
        struct pulling *p;
        int r;

        REQUIRE(runtime && reference, err);
        REQUIRE(!options ||
                        (options->size >= sizeof(*options) && options->policy <= COFFER_PULL_NEVER),
                err);
        r = reference_parse(reference, &ref, err);
        if (r == 0 && options && options->platform)
                r = platform_parse(options->platform, &platform, err);
        if (r < 0 || ref.form != REFERENCE_NAME) {
                if (r == 0 && ret_result)
                        *ret_result = result;
                return r;
        }
        p = calloc(1, sizeof(*p));
        if (!p)
                return error_set(err, -ENOMEM, "pull an image");
        *p = PULLING_INIT;
        p->options = options ? options : &defaults;
        p->err = &own;
        r = registry_config_read(&p->config, p->err);
        if (r == 0)
                r = pull_open(runtime, p);
        if (r == 0)
                r = pull(p, ref.path, &result);
        pull_close(p);
        free(p);
        if (r < 0 && err)
                *err = own;
        if (r == 0 && ret_result)
                *ret_result = result;
        return r;
}
