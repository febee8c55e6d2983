/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ns/plan.h"

#include <errno.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <coffer/error.h>

#include "base/cleanup.h"
#include "fault.h"
#include "sandbox/mount.h"
#include "sandbox/userns.h"
#include "spec/spec.h"
#include "t.h"

#define QUIET   (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define NOTHING (QUIET | MOUNT_ATTR_NOEXEC)

static const struct msg_idmap whole = {.kind = IDMAP_ROOT, .count = IDMAP_IDS, .supervisor_uid = 9};
static const struct msg_idmap single = {.kind = IDMAP_SINGLE, .count = 1};

/* A box, and where its things lie. */
struct scene {
        struct spec spec;
        struct strv layers;
        struct strv mount_sources;
        struct ns_root root;
        struct msg_setup setup;
        struct coffer_error err;
};

static void scene_release(struct scene *s)
{
        spec_release(&s->spec);
        strv_release(&s->layers);
        strv_release(&s->mount_sources);
        wire_release(&msg_setup_table, &s->setup);
}

/* @options: "key=value" in pairs of words, NULL at the end */
static void scene_new(struct scene *s, enum ns_root_kind kind, const char *const *options)
{
        static const char *const base[] = {"image", "host", "arg", "true", NULL};

        *s = (struct scene){
                .root =
                        {
                               .kind = kind,
                               .dir = "/srv/root",
                               .store_base = 5000000,
                               .box_dir = "/home/boxes/abc",
                               .caller_uid = 1000,
                               .caller_gid = 100,
                               .caller_name = "ann",
                               .caller_home = "/home/ann",
                               },
        };
        s->root.layer_dirs = &s->layers;
        s->root.mount_sources = &s->mount_sources;
        spec_init(&s->spec);
        for (const char *const *o = base; *o; o += 2)
                t_ok(spec_set(&s->spec, o[0], o[1], &s->err));
        for (const char *const *o = options; o && *o; o += 2) {
                t_note("%s %s", o[0], o[1]);
                t_ok(spec_set(&s->spec, o[0], o[1], &s->err));
        }
        t_ok(spec_complete(&s->spec, "abcdefghij27", &s->err));
        t_ok(strv_add(&s->layers, "/layers/lowest"));
        t_ok(strv_add(&s->layers, "/layers/middle"));
        t_ok(strv_add(&s->layers, "/layers/top"));
        for (size_t i = 0; i < s->spec.mounts.count; i++)
                t_ok(strv_addf(&s->mount_sources, "/resolved%s", s->spec.mounts.items[i].target));
}

static int plan(struct scene *s, const struct msg_idmap *map)
{
        wire_release(&msg_setup_table, &s->setup);
        return ns_plan_setup(&s->spec, &s->root, map, &s->setup, &s->err);
}

static const struct msg_mount_op *find(const struct scene *s, enum mount_op_kind kind,
                                       const char *target)
{
        const struct msg_mount_op *ops = s->setup.ops.items;

        for (size_t i = 0; i < s->setup.ops.count; i++)
                if (ops[i].kind == kind && str_eq(ops[i].target, target))
                        return &ops[i];
        return NULL;
}

static const struct msg_source *source_of(const struct scene *s, const struct msg_mount_op *op)
{
        const struct msg_source *sources = s->setup.sources.items;

        t_true(op != NULL && op->source < s->setup.sources.count);
        return &sources[op->source];
}

/* Every step is one that coffer-init knows, each source is used and the whole fits a frame. */
static void check_sound(const struct scene *s)
{
        const struct msg_mount_op *ops = s->setup.ops.items;
        struct buf b = BUF_INIT(PROTO_PAYLOAD_MAX);

        for (size_t i = 0; i < s->setup.ops.count; i++) {
                t_true(ops[i].kind < MOUNT_OP_COUNT);
                t_true(ops[i].target && ops[i].target[0] == '/' && ops[i].data);
                t_null(strstr(ops[i].target, "/../"));
                if (ops[i].kind == MOUNT_OP_BIND)
                        t_true(ops[i].source < s->setup.sources.count);
                /* Nothing but the devices themselves is ever without nodev. */
                if (ops[i].kind == MOUNT_OP_BIND)
                        t_true((ops[i].flags & QUIET) == QUIET);
        }
        t_true(s->setup.bpf.size > 0 && s->setup.bpf.size % 8 == 0);
        t_ok(wire_encode(&b, &msg_setup_table, &s->setup));
        buf_release(&b);
}

/* ----------------------------------------------------------------------------------- roots */

TEST(a_directory_is_the_only_lower_layer)
{
        cleanup_with(scene_release) struct scene s;
        const struct msg_source *sources;

        scene_new(&s, NS_ROOT_DIR, NULL);
        t_ok(plan(&s, &whole));
        check_sound(&s);
        sources = s.setup.sources.items;
        t_int(2, (int64_t)s.setup.sources.count);
        t_int(1, (int64_t)s.setup.overlay_lower.count);
        t_str("0", s.setup.overlay_lower.items[0]);
        t_str("/srv/root", sources[0].path);
        t_int(SOURCE_IDMAP_BOX | SOURCE_RECURSIVE, sources[0].flags);
        t_int(1, s.setup.overlay_upper);
        t_str("/home/boxes/abc/fs", sources[1].path);
        t_int(0, sources[1].flags);
        t_int(0, s.setup.overlay_volatile);
        t_int(0, s.setup.root_read_only);
}

TEST(the_uppermost_layer_comes_first)
{
        static const char *const options[] = {"rm", "true", "read-only", "true", NULL};
        cleanup_with(scene_release) struct scene s;
        const struct msg_source *sources;

        scene_new(&s, NS_ROOT_LAYERS, options);
        t_ok(plan(&s, &whole));
        check_sound(&s);
        sources = s.setup.sources.items;
        t_int(3, (int64_t)s.setup.overlay_lower.count);
        t_str("/layers/top", sources[0].path);
        t_str("/layers/lowest", sources[2].path);
        t_str("2", s.setup.overlay_lower.items[2]);
        for (int i = 0; i < 3; i++) {
                t_int(SOURCE_IDMAP_STORE, sources[i].flags);
                t_int(5000000, sources[i].store_base);
        }
        t_int(3, s.setup.overlay_upper);
        t_int(1, s.setup.overlay_volatile);
        t_int(1, s.setup.root_read_only);
}

/* What this host has at the top, as the plan must show it. */
static void check_shown(const struct scene *s, const char *path)
{
        const struct msg_mount_op *bind = find(s, MOUNT_OP_BIND, path);
        const struct msg_mount_op *link = find(s, MOUNT_OP_SYMLINK, path);
        char text[PATH_MAX] = "";
        struct stat st;

        t_note("%s", path);
        if (lstat(path, &st) < 0) {
                t_true(!bind && !link);
                return;
        }
        if (S_ISLNK(st.st_mode)) {
                t_true(readlink(path, text, sizeof(text) - 1) > 0);
                t_true(link && !bind);
                t_str(text, link->data);
                return;
        }
        t_true(bind && !link);
        t_int(QUIET | MOUNT_ATTR_RDONLY, (int64_t)bind->flags);
        t_str(path, source_of(s, bind)->path);
        t_int(SOURCE_READ_ONLY | SOURCE_RECURSIVE | SOURCE_IDMAP_BOX | SOURCE_IDMAP_OPTIONAL,
              source_of(s, bind)->flags);
}

TEST(a_host_root_shows_the_hosts_programs_read_only_and_nothing_else)
{
        static const char *const shown[] = {
                "/usr",
                "/bin",
                "/sbin",
                "/lib",
                "/lib32",
                "/lib64",
                "/libx32",
                "/etc/nsswitch.conf",
                "/etc/ld.so.cache",
                "/etc/ssl/certs",
                "/etc/ssl/openssl.cnf",
                "/etc/alternatives",
                "/etc/localtime",
                "/etc/java-17-openjdk/security",
                "/etc/java-21-openjdk/security",
                "/etc/java-25-openjdk/security",
        };
        cleanup_with(scene_release) struct scene s;
        const struct msg_source *sources;

        scene_new(&s, NS_ROOT_HOST, NULL);
        t_ok(plan(&s, &whole));
        check_sound(&s);
        for (size_t i = 0; i < ELEMENTS(shown); i++)
                check_shown(&s, shown[i]);
        sources = s.setup.sources.items;
        for (size_t i = 0; i < s.setup.sources.count; i++) {
                bool known = false;

                for (size_t n = 0; n < ELEMENTS(shown); n++)
                        known |= str_eq(sources[i].path, shown[n]);
                t_note("%s", sources[i].path);
                t_true(known && sources[i].flags & SOURCE_READ_ONLY);
        }
        t_int(0, (int64_t)s.setup.overlay_lower.count);
        t_int(1000, s.setup.inner_uid);
        t_int(100, s.setup.inner_gid);
}

TEST(a_host_root_tells_of_the_caller_and_of_no_other_account)
{
        cleanup_with(scene_release) struct scene s;

        scene_new(&s, NS_ROOT_HOST, NULL);
        t_ok(plan(&s, &whole));
        t_str("root:x:0:0:root:/root:/bin/sh\n"
              "ann:x:1000:100::/home/ann:/bin/sh\n"
              "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
              find(&s, MOUNT_OP_FILE, "/etc/passwd")->data);
        t_str("root:x:0:\ntty:x:5:\nann:x:100:\nnogroup:x:65534:\n",
              find(&s, MOUNT_OP_FILE, "/etc/group")->data);
        t_str("mode=700,size=50%", find(&s, MOUNT_OP_TMPFS, "/home/ann")->data);
        t_str("mode=700,size=50%", find(&s, MOUNT_OP_TMPFS, "/root")->data);

        s.root.caller_uid = s.root.caller_gid = 0;
        s.root.caller_name = "root";
        s.root.caller_home = "/root";
        t_ok(plan(&s, &whole));
        t_str("root:x:0:0:root:/root:/bin/sh\n"
              "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
              find(&s, MOUNT_OP_FILE, "/etc/passwd")->data);
        t_str("root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
              find(&s, MOUNT_OP_FILE, "/etc/group")->data);
        t_null(find(&s, MOUNT_OP_TMPFS, "/home/ann"));
}

TEST(a_home_that_is_none_gets_no_tmpfs_over_the_root)
{
        static const char *const homes[] = {"/", "", "relative", "~"};
        cleanup_with(scene_release) struct scene s;
        size_t without;

        scene_new(&s, NS_ROOT_HOST, NULL);
        s.root.caller_home = "/root";
        t_ok(plan(&s, &whole));
        without = s.setup.ops.count;
        for (size_t i = 0; i < ELEMENTS(homes); i++) {
                s.root.caller_home = homes[i];
                t_ok(plan(&s, &whole));
                t_int((int64_t)without, (int64_t)s.setup.ops.count);
        }
}

TEST(a_callers_long_home_and_name_are_whole_or_refused)
{
        static char home[128 * 1024];
        cleanup_with(scene_release) struct scene s;

        scene_new(&s, NS_ROOT_HOST, NULL);
        memset(home, 'h', sizeof(home));
        home[0] = '/';
        home[4000] = '\0';
        s.root.caller_home = home;
        t_ok(plan(&s, &whole));
        t_has(home, find(&s, MOUNT_OP_FILE, "/etc/passwd")->data);
        t_has("\nnobody:x:65534", find(&s, MOUNT_OP_FILE, "/etc/passwd")->data);
        home[4000] = 'h';
        home[sizeof(home) - 1] = '\0';
        t_errno(E2BIG, plan(&s, &whole));
        s.root.caller_home = "/";
        s.root.caller_name = home + 1;
        t_errno(E2BIG, plan(&s, &whole));
}

/* -------------------------------------------------------------------- what every box has */

static const struct {
        enum mount_op_kind kind;
        const char *target;
        const char *data;
        uint64_t flags;
} everywhere[] = {
        {MOUNT_OP_PROC,    "/proc",         "",                                          0                                    },
        {MOUNT_OP_SYSFS,   "/sys",          "",                                          NOTHING | MOUNT_ATTR_RDONLY          },
        {MOUNT_OP_TMPFS,   "/dev",          "mode=755,size=64k",                         MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC},
        {MOUNT_OP_DEVICE,  "/dev/null",     "/dev/null",                                 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC},
        {MOUNT_OP_DEVICE,  "/dev/tty",      "/dev/tty",                                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC},
        {MOUNT_OP_SYMLINK, "/dev/fd",       "/proc/self/fd",                             0                                    },
        {MOUNT_OP_SYMLINK, "/dev/ptmx",     "pts/ptmx",                                  0                                    },
        {MOUNT_OP_DEVPTS,  "/dev/pts",      "mode=620,ptmxmode=666,gid=5",
         MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC                                                                                },
        {MOUNT_OP_TMPFS,   "/dev/shm",      "mode=1777,size=67108864",                   NOTHING                              },
        {MOUNT_OP_MQUEUE,  "/dev/mqueue",   "",                                          NOTHING                              },
        {MOUNT_OP_FILE,    "/etc/hostname", "abcdefghij27\n",                            0644                                 },
        {MOUNT_OP_FILE,    "/etc/hosts",
         "127.0.0.1 localhost abcdefghij27\n::1 localhost ip6-localhost ip6-loopback\n", 0644                                 },
};

TEST(every_box_has_these_mounts_whatever_its_root)
{
        for (int kind = NS_ROOT_HOST; kind <= NS_ROOT_LAYERS; kind++) {
                cleanup_with(scene_release) struct scene s;

                scene_new(&s, (enum ns_root_kind)kind, NULL);
                t_ok(plan(&s, &whole));
                for (size_t i = 0; i < ELEMENTS(everywhere); i++) {
                        const struct msg_mount_op *op =
                                find(&s, everywhere[i].kind, everywhere[i].target);

                        t_note("%d %s", kind, everywhere[i].target);
                        t_true(op != NULL);
                        t_str(everywhere[i].data, op->data);
                        t_true(op->flags == everywhere[i].flags);
                }
                for (size_t i = 0; spec_masked_paths[i]; i++)
                        t_true(find(&s, MOUNT_OP_MASK, spec_masked_paths[i]) != NULL);
                for (size_t i = 0; spec_read_only_paths[i]; i++)
                        t_true(find(&s, MOUNT_OP_READ_ONLY, spec_read_only_paths[i]) != NULL);
                t_true(find(&s, MOUNT_OP_MASK, "/proc/kcore") != NULL);
                t_true(find(&s, MOUNT_OP_MASK, "/proc/kallsyms") != NULL);
                t_true(find(&s, MOUNT_OP_READ_ONLY, "/proc/sys") != NULL);
        }
}

TEST(a_parent_is_mounted_before_its_children)
{
        static const char *const options[] = {"volume", "/a:/v/w/x",     "tmpfs",
                                              "/v",     "volume",        "/b:/v/w",
                                              "volume", "/c:/dev/shm/x", NULL};
        cleanup_with(scene_release) struct scene s;
        const struct msg_mount_op *ops;

        scene_new(&s, NS_ROOT_HOST, options);
        t_ok(plan(&s, &whole));
        ops = s.setup.ops.items;
        t_true(find(&s, MOUNT_OP_TMPFS, "/v") < find(&s, MOUNT_OP_BIND, "/v/w"));
        t_true(find(&s, MOUNT_OP_BIND, "/v/w") < find(&s, MOUNT_OP_BIND, "/v/w/x"));
        t_true(find(&s, MOUNT_OP_TMPFS, "/dev/shm") < find(&s, MOUNT_OP_BIND, "/dev/shm/x"));
        for (size_t i = 0; i < s.setup.ops.count; i++)
                for (size_t later = i + 1; later < s.setup.ops.count; later++) {
                        const char *rest = str_after(ops[i].target, ops[later].target);

                        if (ops[later].kind >= MOUNT_OP_PROC || ops[i].kind >= MOUNT_OP_PROC)
                                continue;
                        if (rest && rest[0] == '/')
                                t_note("%s is hidden by %s", ops[i].target, ops[later].target);
                        t_false(rest && rest[0] == '/');
                }
}

TEST(a_map_without_the_tty_group_has_none_on_its_terminals)
{
        cleanup_with(scene_release) struct scene s;

        scene_new(&s, NS_ROOT_HOST, NULL);
        t_ok(plan(&s, &single));
        t_str("mode=620,ptmxmode=666", find(&s, MOUNT_OP_DEVPTS, "/dev/pts")->data);
        t_int(1, s.setup.id_count);
        t_int(0, s.setup.supervisor_outside);
        t_ok(plan(&s, &whole));
        t_int(IDMAP_IDS, s.setup.id_count);
        t_int(1, s.setup.supervisor_outside);
}

TEST(names_and_addresses_go_to_etc_hosts)
{
        static const char *const options[] = {"hostname", "web",         "add-host", "db:10.0.0.7",
                                              "add-host", "six:fd00::1", NULL};
        cleanup_with(scene_release) struct scene s;

        scene_new(&s, NS_ROOT_DIR, options);
        t_ok(plan(&s, &whole));
        t_str("web", s.setup.hostname);
        t_str("web\n", find(&s, MOUNT_OP_FILE, "/etc/hostname")->data);
        t_str("127.0.0.1 localhost web\n::1 localhost ip6-localhost ip6-loopback\n"
              "10.0.0.7 db\nfd00::1 six\n",
              find(&s, MOUNT_OP_FILE, "/etc/hosts")->data);
}

/* --------------------------------------------------------------------------------- mounts */

TEST(binds_and_volumes_have_the_attributes_that_were_asked_for)
{
        static const char *const options[] = {
                "volume",          "/host/rw:/rw", "volume",
                "/host/ro:/ro:ro", "mount",        "type=bind,source=/host/m,target=/m,readonly",
                "volume",          "named:/named", NULL};
        static const struct {
                const char *target;
                uint32_t source_flags;
                uint64_t flags;
        } cases[] = {
                {"/rw",    SOURCE_RECURSIVE | SOURCE_IDMAP_BOX,                    QUIET},
                {"/ro",    SOURCE_RECURSIVE | SOURCE_IDMAP_BOX | SOURCE_READ_ONLY,
                 QUIET | MOUNT_ATTR_RDONLY                                              },
                {"/m",     SOURCE_RECURSIVE | SOURCE_IDMAP_BOX | SOURCE_READ_ONLY,
                 QUIET | MOUNT_ATTR_RDONLY                                              },
                {"/named", SOURCE_RECURSIVE | SOURCE_IDMAP_BOX,                    QUIET},
        };
        cleanup_with(scene_release) struct scene s;
        char resolved[64];

        scene_new(&s, NS_ROOT_DIR, options);
        t_ok(plan(&s, &whole));
        check_sound(&s);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct msg_mount_op *op = find(&s, MOUNT_OP_BIND, cases[i].target);

                t_note("%s", cases[i].target);
                (void)snprintf(resolved, sizeof(resolved), "/resolved%s", cases[i].target);
                t_str(resolved, source_of(&s, op)->path); /* not as it was given */
                t_int(cases[i].source_flags, source_of(&s, op)->flags);
                t_true(op->flags == cases[i].flags);
        }
}

TEST(a_tmpfs_has_its_size_mode_owner_and_noexec)
{
        static const char *const options[] = {"tmpfs", "/plain",
                                              "tmpfs", "/sized:size=64k,mode=700,uid=3,gid=4,exec",
                                              "tmpfs", "/inodes:nr_inodes=10,ro",
                                              NULL};
        cleanup_with(scene_release) struct scene s;

        scene_new(&s, NS_ROOT_DIR, options);
        t_ok(plan(&s, &whole));
        t_str("mode=1777,uid=0,gid=0", find(&s, MOUNT_OP_TMPFS, "/plain")->data);
        t_true(find(&s, MOUNT_OP_TMPFS, "/plain")->flags == NOTHING);
        t_str("mode=700,uid=3,gid=4,size=65536", find(&s, MOUNT_OP_TMPFS, "/sized")->data);
        t_true(find(&s, MOUNT_OP_TMPFS, "/sized")->flags == QUIET);
        t_str("mode=1777,uid=0,gid=0,nr_inodes=10", find(&s, MOUNT_OP_TMPFS, "/inodes")->data);
        t_true(find(&s, MOUNT_OP_TMPFS, "/inodes")->flags == (NOTHING | MOUNT_ATTR_RDONLY));
}

TEST(the_callers_directory_is_shown_at_its_own_path)
{
        cleanup_with(scene_release) struct scene s;

        scene_new(&s, NS_ROOT_HOST, NULL);
        s.spec.here = SPEC_HERE_RO;
        s.spec.here_dir = strdup("/home/ann/project");
        t_ok(plan(&s, &whole));
        t_str("/home/ann/project",
              source_of(&s, find(&s, MOUNT_OP_BIND, "/home/ann/project"))->path);
        t_true(find(&s, MOUNT_OP_BIND, "/home/ann/project")->flags == (QUIET | MOUNT_ATTR_RDONLY));
        t_true(find(&s, MOUNT_OP_TMPFS, "/home/ann") <
               find(&s, MOUNT_OP_BIND, "/home/ann/project"));
        s.spec.here = SPEC_HERE_RW;
        t_ok(plan(&s, &whole));
        t_true(find(&s, MOUNT_OP_BIND, "/home/ann/project")->flags == QUIET);
        s.spec.here = SPEC_HERE_OFF;
        t_ok(plan(&s, &whole));
        t_null(find(&s, MOUNT_OP_BIND, "/home/ann/project"));
}

TEST(more_layers_and_mounts_than_descriptors_travel_are_refused_with_a_hint)
{
        cleanup_with(scene_release) struct scene s;
        const char *options[2 * PROTO_FDS_MAX + 1] = {NULL};
        static char volumes[PROTO_FDS_MAX][32];
        const size_t most = PROTO_FDS_MAX - 4 - 2; /* less the directory and the upper */

        for (size_t count = most; count <= most + 1; count++) {
                for (size_t i = 0; i < count; i++) {
                        (void)snprintf(volumes[i], sizeof(volumes[i]), "/h:/m%zu", i);
                        options[2 * i] = "volume";
                        options[2 * i + 1] = volumes[i];
                }
                options[2 * count] = NULL;
                scene_new(&s, NS_ROOT_DIR, options);
                if (count == most) {
                        t_ok(plan(&s, &whole));
                        check_sound(&s);
                        scene_release(&s);
                        continue;
                }
                t_errno(E2BIG, plan(&s, &whole));
                t_has("plan the root of the box", s.err.msg);
                t_has("124 layers and mounts", s.err.hint);
                t_int(0, (int64_t)s.setup.ops.count);
        }
}

TEST(a_box_directory_that_is_too_long_is_refused)
{
        static char path[5000];
        cleanup_with(scene_release) struct scene s;

        memset(path, 'x', sizeof(path) - 1);
        path[0] = '/';
        scene_new(&s, NS_ROOT_DIR, NULL);
        s.root.box_dir = path;
        t_errno(ENAMETOOLONG, plan(&s, &whole));
        t_has("plan the root of the box", s.err.msg);
        t_str("", s.err.hint);
}

TEST(the_process_limit_counts_the_supervisor_and_the_stem)
{
        static const struct {
                uint64_t pids;
                uint32_t max;
        } cases[] = {
                {0,              4098          },
                {1,              3             },
                {100,            102           },
                {UINT32_MAX - 3, UINT32_MAX - 1},
                {UINT32_MAX - 2, UINT32_MAX    },
                {UINT32_MAX - 1, UINT32_MAX    },
                {UINT32_MAX,     UINT32_MAX    },
                {1ULL << 40,     UINT32_MAX    },
                {SPEC_UNLIMITED, 0             },
        };
        cleanup_with(scene_release) struct scene s;

        scene_new(&s, NS_ROOT_DIR, NULL);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                s.spec.pids_max = cases[i].pids;
                t_ok(plan(&s, &whole));
                t_int(cases[i].max, s.setup.processes_max);
        }
}

/* ------------------------------------------------------------------------------ processes */

static int plan_process(struct scene *s, const struct spec *exec, struct msg_process *ret)
{
        return ns_plan_process(&s->spec, exec, &s->root, ret, &s->err);
}

TEST(main_is_what_the_box_says)
{
        static const char *const options[] = {
                "arg",     "two",  "env",    "A=1",       "tty",   "true",    "interactive",
                "true",    "init", "true",   "group-add", "video", "timeout", "5s",
                "workdir", "/w",   "ulimit", "core=0:1",  NULL};
        cleanup_with(scene_release) struct scene s;
        struct msg_process m;
        const struct msg_rlimit *limits;

        scene_new(&s, NS_ROOT_DIR, options);
        t_ok(plan_process(&s, NULL, &m));
        t_int(PROCESS_TTY | PROCESS_STDIN | PROCESS_REAPER, m.flags);
        t_int(2, (int64_t)m.argv.count);
        t_str("true", m.argv.items[0]);
        t_str("two", m.argv.items[1]);
        t_str("1", strv_get(&m.env, "A"));
        t_str("/w", m.cwd);
        t_str("", m.user);
        t_str("video", m.groups.items[0]);
        t_int(5000, m.timeout_ms);
        t_int(0022, m.umask);
        t_true(m.caps_root != 0 && m.caps_user == 0);
        limits = m.rlimits.items;
        t_int(2, (int64_t)m.rlimits.count);
        t_int(RLIMIT_CORE, limits[0].resource);
        t_true(limits[0].soft == 0 && limits[0].hard == 1);
        t_int(RLIMIT_NOFILE, limits[1].resource);
        t_true(limits[1].soft == 1024 && limits[1].hard == 524288);
        wire_release(&msg_process_table, &m);
}

TEST(a_limit_of_files_that_was_given_is_the_only_one)
{
        static const char *const options[] = {"ulimit", "nofile=10:20", NULL};
        cleanup_with(scene_release) struct scene s;
        struct msg_process m;

        scene_new(&s, NS_ROOT_DIR, options);
        t_ok(plan_process(&s, NULL, &m));
        t_int(1, (int64_t)m.rlimits.count);
        t_true(((struct msg_rlimit *)m.rlimits.items)->soft == 10);
        wire_release(&msg_process_table, &m);
}

TEST(an_exec_overrides_by_name_and_inherits_the_rest)
{
        static const char *const options[] = {
                "env", "A=box", "env",  "B=box", "env",  "AB=box",  "workdir", "/w", "user",
                "7:8", "tty",   "true", "init",  "true", "timeout", "5s",      NULL};
        cleanup_with(scene_release) struct scene s;
        cleanup_with(spec_release) struct spec exec;
        struct msg_process m;

        scene_new(&s, NS_ROOT_DIR, options);
        spec_init(&exec);
        t_ok(spec_set(&exec, "arg", "sh", NULL));
        t_ok(spec_set(&exec, "env", "A=exec", NULL));
        t_ok(spec_set(&exec, "env", "C=x=y", NULL));
        t_ok(spec_set(&exec, "env", "D=", NULL));
        t_ok(plan_process(&s, &exec, &m));
        t_int(0, m.flags); /* neither the box's terminal nor its reaper */
        t_int(0, m.timeout_ms);
        t_int(1, (int64_t)m.argv.count);
        t_str("sh", m.argv.items[0]);
        t_str("exec", strv_get(&m.env, "A"));
        t_str("box", strv_get(&m.env, "B"));
        t_str("box", strv_get(&m.env, "AB"));
        t_str("x=y", strv_get(&m.env, "C"));
        t_str("", strv_get(&m.env, "D"));
        t_int((int64_t)s.spec.env.count + 2, (int64_t)m.env.count);
        t_str("/w", m.cwd);
        t_str("7:8", m.user);
        t_str("box", strv_get(&s.spec.env, "A")); /* the box's own is as it was */
        wire_release(&msg_process_table, &m);

        t_ok(spec_set(&exec, "user", "nobody", NULL));
        t_ok(spec_set(&exec, "workdir", "/x", NULL));
        t_ok(plan_process(&s, &exec, &m));
        t_str("nobody", m.user);
        t_str("/x", m.cwd);
        wire_release(&msg_process_table, &m);
}

TEST(in_a_host_box_a_process_is_the_caller_unless_told_otherwise)
{
        static const struct {
                enum ns_root_kind kind;
                const char *box, *exec, *user;
        } cases[] = {
                {NS_ROOT_HOST,   NULL,    NULL,  "1000:100"},
                {NS_ROOT_HOST,   "root",  NULL,  "root"    },
                {NS_ROOT_HOST,   NULL,    "5",   "5"       },
                {NS_ROOT_HOST,   "root",  "5:6", "5:6"     },
                {NS_ROOT_DIR,    NULL,    NULL,  ""        },
                {NS_ROOT_LAYERS, NULL,    NULL,  ""        },
                {NS_ROOT_LAYERS, "alice", NULL,  "alice"   },
                {NS_ROOT_LAYERS, "alice", "bob", "bob"     },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                cleanup_with(scene_release) struct scene s;
                cleanup_with(spec_release) struct spec exec;
                struct msg_process m;

                scene_new(&s, cases[i].kind, NULL);
                spec_init(&exec);
                if (cases[i].box)
                        t_ok(spec_set(&s.spec, "user", cases[i].box, NULL));
                if (cases[i].exec)
                        t_ok(spec_set(&exec, "user", cases[i].exec, NULL));
                t_ok(plan_process(&s, cases[i].exec ? &exec : NULL, &m));
                t_str(cases[i].user, m.user);
                wire_release(&msg_process_table, &m);
        }
}

/* --------------------------------------------------------------------------------- memory */

TEST(without_memory_nothing_is_planned)
{
        static const char *const options[] = {"volume",   "/a:/b",       "tmpfs", "/t",
                                              "add-host", "db:10.0.0.7", NULL};

        for (int kind = NS_ROOT_HOST; kind <= NS_ROOT_LAYERS; kind++) {
                cleanup_with(scene_release) struct scene s;

                scene_new(&s, (enum ns_root_kind)kind, options);
                for (unsigned n = 1;; n++) {
                        int r;

                        fault_arm(n);
                        r = ns_plan_setup(&s.spec, &s.root, &whole, &s.setup, &s.err);
                        if (!fault_disarm()) {
                                t_ok(r);
                                break;
                        }
                        t_errno(ENOMEM, r);
                        t_int(0, (int64_t)s.setup.ops.count);
                }
        }
}

TEST(without_memory_no_process_is_planned)
{
        static const char *const options[] = {"env", "A=1", "group-add", "7", NULL};
        cleanup_with(scene_release) struct scene s;
        cleanup_with(spec_release) struct spec exec;
        struct msg_process m = {0};

        scene_new(&s, NS_ROOT_HOST, options);
        spec_init(&exec);
        t_ok(spec_set(&exec, "arg", "sh", NULL));
        t_ok(spec_set(&exec, "env", "A=2", NULL));
        t_ok(spec_set(&exec, "env", "B=2", NULL));
        for (unsigned n = 1;; n++) {
                int r;

                fault_arm(n);
                r = plan_process(&s, &exec, &m);
                if (!fault_disarm()) {
                        t_ok(r);
                        break;
                }
                t_errno(ENOMEM, r);
                t_has("plan a process", s.err.msg);
                t_int(0, (int64_t)m.argv.count);
        }
        wire_release(&msg_process_table, &m);
}
