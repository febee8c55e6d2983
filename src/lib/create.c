/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making a box, in an order that a death at any point leaves nothing that counts: the directory,
 * then the claims, then the configuration, and last meta.json, without which a directory is no
 * box yet.  Until then we hold its lock, so that nobody sweeps it away.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "image/image.h"
#include "image/reference.h"
#include "lib/defaults.h"
#include "lib/fill.h"
#include "lib/handle.h"
#include "lib/images.h"
#include "lib/spec.h"
#include "lib/start.h"
#include "spec/id.h"
#include "store/claim.h"
#include "store/events.h"
#include "store/file.h"
#include "store/lock.h"
#include "store/meta.h"
#include "store/remove.h"
#include "store/state.h"
#include "store/volume.h"

#define ID_TRIES   10
#define NAME_TRIES 50
#define FILES_MIN \
        64 /* open ones, of the client and of the shim; more where there are many layers */

struct creation {
        struct coffer_runtime *rt;
        struct spec spec;
        struct box_meta meta;
        struct claims claims;
        struct strv to_fill; /* where volumes are mounted that were made just now */
        char id[BOX_ID_CHARS + 1];
        int dir_fd;
        int lock_fd;
        int shim_fd;
        int images_fd; /* while it is not written down yet that the box has these layers */
        bool made;
        struct coffer_error *err;
};

static void release_buf(struct buf *b)
{
        buf_release(b);
}

/* ------------------------------------------------------------------------------------- image */

/* Nothing of the store is looked at for what mounts no layers. */
static int open_store(struct creation *c, struct image_store *store)
{
        int r;

        if (reference_has_layers(c->spec.image)) {
                r = images_open(c->rt, store, c->err);
                return r < 0 ? r : images_hold(store, &c->images_fd, c->err);
        }
        *store = (struct image_store){
                .home_fd = c->rt->home->fd,
                .userns_fd = -1,
                .ownership = IMAGE_OWN_CALLER,
                .root_uid = getuid(),
                .root_gid = getgid(),
                .program_dir = c->rt->program_dir,
        };
        return 0;
}

static int take_string(char **to, char **from)
{
        if (*from && (*from)[0] != '\0')
                *to = take_ptr(*from);
        return 0;
}

static struct strv take_strv(struct strv *from)
{
        struct strv v = *from;

        *from = (struct strv){0};
        return v;
}

static int apply_image(struct creation *c, struct image *image)
{
        struct spec_image_defaults d = {
                .entrypoint = take_strv(&image->config.entrypoint),
                .cmd = take_strv(&image->config.cmd),
                .env = take_strv(&image->config.env),
                .labels = take_strv(&image->config.labels),
                .volumes = take_strv(&image->config.volumes),
                .health_test = take_strv(&image->config.health_test),
                .shell = take_strv(&image->config.shell),
                .health_retries = image->config.health_retries,
        };
        int r;

        (void)take_string(&d.user, &image->config.user);
        (void)take_string(&d.workdir, &image->config.working_dir);
        (void)take_string(&d.stop_signal, &image->config.stop_signal);
        memcpy(d.health_ns, image->config.health_ns, sizeof(d.health_ns));
        r = spec_apply_image(&c->spec, &d, c->err);
        spec_image_defaults_release(&d);
        if (r < 0)
                return r;
        if (image->id && image->id[0] != '\0' &&
            asprintf(&c->spec.image_id, "sha256:%s", image->id) < 0)
                return error_set(c->err, -ENOMEM, "use the image");
        r = 0;
        for (size_t i = 0; r == 0 && i < image->layers.count; i++)
                r = strv_addf(&c->spec.layers, "sha256:%s", image->layers.items[i]);
        return r < 0 ? error_set(c->err, r, "use the image") : 0;
}

static int resolve_image(struct creation *c)
{
        cleanup_with(image_release) struct image image = {0};
        struct image_store store;
        int r;

        if (!c->spec.image)
                return error_say(c->err, -EINVAL, COFFER_ERROR_USAGE, "no image was given");
        r = open_store(c, &store);
        if (r == 0)
                r = image_resolve(&store, c->spec.image, &image, c->err);
        images_close(&store);
        if (r < 0)
                return r;

        if (image.kind == IMAGE_LAYERS)
                return apply_image(c, &image);
        if (image.kind == IMAGE_DIR) {
                /* As a relative path it would mean something else at the next start. */
                free(c->spec.image);
                c->spec.image = NULL;
                if (asprintf(&c->spec.image, "dir:%s", image.dir) < 0)
                        return error_set(c->err, -ENOMEM, "use the image");
        }
        return 0;
}

/* ----------------------------------------------------------------------------------- sources */

static int make_absolute(char **path, struct coffer_error *err)
{
        char *real = realpath(*path, NULL);

        if (!real) {
                int r = error_set(err, -errno, "mount '%s'", *path);

                if (r == -ENOENT)
                        error_hint(err, "make it first: what is mounted must exist");
                return r;
        }
        free(*path);
        *path = real;
        return 0;
}

/*
 * What goes with the box, for whoever reads no JSON: the shim with a --rm box; and when we die in
 * mid-creation, whoever sweeps up after us.  Written before a volume is made.
 */
static int write_volumes(struct creation *c)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(SPEC_MOUNTS_MAX * (BOX_NAME_MAX + 1));
        int r = FAULT("create.volumes");

        for (size_t i = 0; i < c->meta.volumes.count; i++)
                if (str_after(c->meta.volumes.items[i], ANONYMOUS_VOLUMES))
                        (void)buf_printf(&text, "%s\n", c->meta.volumes.items[i]);
        if (r < 0 || text.failed < 0)
                return r < 0 ? r : text.failed;
        return file_replace(c->dir_fd, c->spec.remove ? VOLUMES_LIST : VOLUMES_LIST_OWN, text.data,
                            text.size, 0);
}

static int name_volume(struct creation *c, struct spec_mount *m)
{
        char id[SPEC_ID_LENGTH + 1];
        int r = spec_new_id(id);

        if (r < 0)
                return error_set(c->err, r, "make up a name for a volume");
        if (asprintf(&m->source, ANONYMOUS_VOLUMES "%s", id) < 0) {
                m->source = NULL;
                return error_set(c->err, -ENOMEM, "use a volume");
        }
        r = strv_add(&c->meta.volumes, m->source);
        if (r == 0)
                r = write_volumes(c);
        return r < 0 ? error_set(c->err, r, "note a volume of box %s", c->id) : 0;
}

static int use_volume(struct creation *c, struct spec_mount *m)
{
        struct volume volume = {.anonymous = m->source == NULL};
        uint32_t owner = (uint32_t)-1;
        int r = volume.anonymous ? name_volume(c, m) : strv_add(&c->meta.volumes, m->source);

        if (r < 0)
                return volume.anonymous ? r : error_set(c->err, r, "use a volume");
        r = FAULT("create.volume");
        if (r < 0)
                return error_set(c->err, r, "use a volume");
        r = volume_create(c->rt->home, m->source, &volume, owner, owner, c->err);
        if (r < 0)
                return r;
        if (r > 0 && !m->no_copy)
                r = strv_add(&c->to_fill, m->target);
        return r < 0 ? error_set(c->err, r, "use a volume") : 0;
}

/* Last, when nothing but the disk can still refuse the box. */
static int use_volumes(struct creation *c)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < c->spec.mounts.count; i++)
                if (c->spec.mounts.items[i].kind == SPEC_VOLUME)
                        r = use_volume(c, &c->spec.mounts.items[i]);
        return r;
}

static int resolve_sources(struct creation *c)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < c->spec.mounts.count; i++)
                if (c->spec.mounts.items[i].kind == SPEC_BIND)
                        r = make_absolute(&c->spec.mounts.items[i].source, c->err);
        return r;
}

/* Before the spec is completed: it is the working directory too, unless another was given. */
static int find_here(struct creation *c)
{
        if (c->spec.here == SPEC_HERE_OFF || c->spec.here_dir)
                return 0;
        c->spec.here_dir = getcwd(NULL, 0);
        if (!c->spec.here_dir)
                return error_set(c->err, -errno, "find the current directory");
        if (c->spec.here_dir[0] != '/') {
                (void)error_say(c->err, -ENOENT, COFFER_ERROR_USAGE,
                                "the current directory cannot be reached by a path");
                error_hint(c->err, "change to another directory first");
                return -ENOENT;
        }
        return 0;
}

/* --------------------------------------------------------------------------------- directory */

/* Whoever lists the boxes may take the lock of a directory that looks abandoned: -EAGAIN. */
static int try_directory(struct creation *c)
{
        int r = FAULT("create.directory");

        if (r == 0)
                r = spec_new_id(c->id);
        if (r < 0)
                return r;
        if (mkdirat(c->rt->home->boxes_fd, c->id, 0700) < 0)
                return errno == EEXIST ? -EAGAIN : -errno;
        c->made = true;
        r = FAULT("create.lock");
        if (r < 0)
                return r;
        c->dir_fd = sys_open(c->rt->home->boxes_fd, c->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        r = c->dir_fd < 0 ? c->dir_fd : box_lock_make(c->dir_fd, &c->lock_fd);
        if (r != -EAGAIN && r != -ENOENT)
                return r;
        close_fd(&c->dir_fd);
        c->made = false;
        return -EAGAIN;
}

static int make_directory(struct creation *c)
{
        int r = -EAGAIN;

        for (int i = 0; r == -EAGAIN && i < ID_TRIES; i++)
                r = try_directory(c);
        if (r == -EOPNOTSUPP) {
                (void)error_say(c->err, r, COFFER_ERROR_HOST,
                                "'%s' lies on a file system without open file description locks",
                                c->rt->home->path);
                error_hint(c->err, "set COFFER_HOME to a directory on a local file system");
        } else if (r < 0) {
                (void)error_set(c->err, r, "make the directory of a box in '%s'",
                                c->rt->home->path);
        }
        return r;
}

static int claim_some_name(struct creation *c)
{
        int r = -EEXIST;

        if (c->spec.name) {
                r = name_check("box", c->spec.name, c->err);
                if (r == 0)
                        r = claim_name(c->rt->home, c->spec.name, c->id, c->err);
                if (r == 0)
                        (void)str_copy(c->claims.name, sizeof(c->claims.name), c->spec.name);
                return r;
        }
        for (unsigned i = 0; r == -EEXIST && i < NAME_TRIES; i++) {
                char name[SPEC_NAME_BUFFER];

                r = spec_made_up_name(i, name);
                if (r < 0)
                        return error_set(c->err, r, "make up a name");
                r = claim_name(c->rt->home, name, c->id, c->err);
                if (r == 0)
                        (void)str_copy(c->claims.name, sizeof(c->claims.name), name);
        }
        return r;
}

static int make_claims(struct creation *c)
{
        int r = FAULT("create.name");

        c->claims.index = CLAIM_NO_INDEX;
        if (r < 0)
                return error_set(c->err, r, "claim a name");
        r = claim_some_name(c);
        if (r == 0 && c->rt->as_root)
                r = claim_index(c->rt->home, IDS_RANGES, c->id, &c->claims.index, c->err);
        if (r < 0)
                return r;
        r = FAULT("create.claims");
        if (r == 0)
                r = claims_write(c->dir_fd, &c->claims);
        return r < 0 ? error_set(c->err, r, "note what box %s has", c->id) : 0;
}

/* For people: the arguments, and no control character of theirs. */
static int make_command(struct creation *c)
{
        cleanup_with(strv_release) struct strv argv = {0};
        struct buf text = BUF_INIT(SPEC_ARGS_MAX_BYTES + SPEC_ENV_MAX_BYTES);
        int r = spec_argv(&c->spec, &argv);

        for (size_t i = 0; r == 0 && i < argv.count; i++) {
                if (i > 0)
                        (void)buf_append_str(&text, " ");
                r = buf_append_str(&text, argv.items[i]);
        }
        if (r == 0)
                r = buf_append(&text, "", 0);
        c->meta.command = text.data;
        return r;
}

static int write_files(struct creation *c)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
        unsigned flags = FILE_NEW | (c->spec.remove ? 0 : FILE_SYNC);
        int r = FAULT("create.config");

        if (r == 0)
                r = make_command(c);
        if (r == 0)
                r = strv_copy(&c->meta.labels, &c->spec.labels);
        if (r == 0)
                r = spec_to_json(&c->spec, &text);
        if (r == 0)
                r = file_replace(c->dir_fd, "config.json", text.data, text.size, flags);
        if (r < 0)
                return error_set(c->err, r, "write the configuration of box %s", c->id);
        c->meta.created_ns = now_ns();
        c->meta.tty = c->spec.tty;
        c->meta.remove = c->spec.remove;
        (void)restart_parse(c->spec.restart, &c->meta.restart); /* as it was checked */
        c->meta.image = c->spec.image;
        /* By rename or, where nothing is to outlive a power cut, at once: then size 0 is no box. */
        r = FAULT("create.meta");
        if (r == 0)
                r = meta_write(c->dir_fd, &c->meta, FILE_NEW);
        c->meta.image = NULL;
        return r < 0 ? error_set(c->err, r, "write down box %s", c->id) : 0;
}

static void tell_created(const struct creation *c)
{
        struct event event = {
                .type = "container",
                .action = "create",
                .id = c->id,
                .name = c->claims.name,
                .image = c->spec.image,
                .labels = &c->spec.labels,
        };

        (void)event_append(c->rt->home->fd, &event);
}

static int make_handle(struct creation *c, struct coffer_box **ret_box)
{
        struct coffer_box *box;
        int r = box_handle_new(c->rt, c->id, c->claims.name, take_fd(&c->dir_fd), &box, c->err);

        if (r < 0)
                return r;
        box->fresh = true;
        box->shim_fd = take_fd(&c->shim_fd);
        box->created_ns = c->meta.created_ns;
        box->restart = c->meta.restart;
        box->spec = malloc(sizeof(*box->spec));
        if (box->spec) {
                *box->spec = c->spec;
                spec_init(&c->spec);
        }
        *ret_box = box;
        return 0;
}

/* What a failed creation had made; volumes that were made for it go too. */
static void undo(struct creation *c)
{
        (void)FAULT("create.undo");
        close_fd(&c->shim_fd);
        if (!c->made)
                return;
        if (c->claims.name[0] != '\0')
                claims_release(c->rt->home, &c->claims, c->id);
        (void)box_remove_files(c->rt->home, c->id, runtime_remove_as, c->rt);
}

static void undo_volumes(struct creation *c)
{
        for (size_t i = 0; i < c->meta.volumes.count; i++)
                if (str_after(c->meta.volumes.items[i], ANONYMOUS_VOLUMES))
                        (void)volume_remove(c->rt->home, c->meta.volumes.items[i],
                                            runtime_remove_as, c->rt, NULL);
}

/* Where files run out half way, undoing runs out of them too. */
static int check_files(struct coffer_error *err)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_MIN)
                return 0;
        (void)error_say(err, -EMFILE, COFFER_ERROR_HOST,
                        "this process may open %u files, and a box needs %d",
                        (unsigned)limit.rlim_cur, FILES_MIN);
        error_hint(err, "raise it: ulimit -n 1024");
        return -EMFILE;
}

static int create(struct creation *c, struct coffer_box **ret_box)
{
        int r = spec_validate(&c->spec, c->err);

        if (r == 0)
                r = check_files(c->err);
        if (r == 0)
                r = resolve_image(c);
        if (r == 0)
                r = make_directory(c);
        /* Who makes a box that goes after its run runs it next: its shim can get ready meanwhile.
         */
        if (r == 0 && c->spec.remove)
                (void)shim_spawn(c->rt, c->id, &c->shim_fd, NULL);
        if (r == 0)
                r = find_here(c);
        if (r == 0)
                r = spec_complete(&c->spec, c->id, c->err);
        if (r == 0)
                r = resolve_sources(c);
        if (r == 0)
                r = make_claims(c);
        if (r == 0)
                r = use_volumes(c);
        if (r == 0 && asprintf(&c->spec.created_by, "%s", COFFER_VERSION) < 0)
                r = error_set(c->err, -ENOMEM, "make box %s", c->id);
        if (r == 0)
                r = write_files(c);
        if (r == 0) {
                (void)FAULT("create.event");
                tell_created(c);
                r = make_handle(c, ret_box);
        }
        if (r < 0) {
                undo(c);
                undo_volumes(c);
        }
        return r;
}

int coffer_box_create(struct coffer_runtime *runtime, const struct coffer_spec *spec,
                      struct coffer_box **ret_box, struct coffer_error *err)
{
        struct creation c = {
                .rt = runtime,
                .dir_fd = -EBADF,
                .lock_fd = -EBADF,
                .shim_fd = -EBADF,
                .images_fd = -EBADF,
                .err = err,
        };
        struct coffer_box *box = NULL;
        int r;

        REQUIRE(runtime && spec && ret_box, err);
        c.claims.index = CLAIM_NO_INDEX;
        r = spec_copy(spec, &c.spec, err);
        if (r < 0)
                return r;
        r = defaults_apply(&c.spec, &spec->keys, err);
        if (r == 0)
                r = create(&c, &box);

        close_fd(&c.images_fd);
        close_fd(&c.lock_fd);
        close_fd(&c.dir_fd);
        if (r == 0 && c.to_fill.count > 0)
                r = fill_volumes(box, &c.to_fill, err);
        strv_release(&c.to_fill);
        spec_release(&c.spec);
        box_meta_release(&c.meta);
        if (r < 0 && box) {
                (void)coffer_box_remove(box, COFFER_REMOVE_FORCE | COFFER_REMOVE_VOLUMES,
                                        COFFER_FOREVER, NULL);
                box = coffer_box_free(box);
        }
        if (r == 0)
                *ret_box = box;
        return r;
}
