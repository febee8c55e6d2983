/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdio.h>

#include <coffer/error.h>

#include "base/cleanup.h"
#include "fault.h"
#include "spec/mounts.h"

struct good {
        const char *value;
        enum spec_mount_kind kind;
        const char *source;
        const char *target;
        const char *flags; /* of "ro" and "noexec" */
};

struct bad {
        const char *value;
        int code;
        const char *says;
};

typedef int (*add_fn)(struct spec_mounts *to, const char *value, struct coffer_error *err);

static void check_good(add_fn add, const struct good *cases, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                cleanup_with(mounts_release) struct spec_mounts list = {0};
                const struct spec_mount *m;
                struct coffer_error err = {0};

                t_note("'%s'", cases[i].value);
                t_ok(add(&list, cases[i].value, &err));
                t_int(1, list.count);
                m = &list.items[0];
                t_int(cases[i].kind, m->kind);
                t_str(cases[i].source, m->source);
                t_str(cases[i].target, m->target);
                t_int(strstr(cases[i].flags, "ro") != NULL, m->read_only);
                t_int(strstr(cases[i].flags, "noexec") != NULL, m->no_exec);
                t_false(m->from_image);
        }
}

static void check_bad(add_fn add, const struct bad *cases, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                struct spec_mounts list = {0};
                struct coffer_error err = {0};

                t_note("'%s'", cases[i].value);
                t_errno(cases[i].code, add(&list, cases[i].value, &err));
                t_int(0, list.count);
                t_null(list.items);
                t_int(-cases[i].code, err.code);
                t_has(cases[i].says, err.msg);
                t_true(err.hint[0] != '\0');
                t_null(strchr(err.msg, '\n'));
        }
}

TEST(reads_volumes_as_docker_does)
{
        static const struct good cases[] = {
                {"/data",                                      SPEC_VOLUME, NULL,           "/data",         ""         },
                {"name:/data",                                 SPEC_VOLUME, "name",         "/data",         ""         },
                {"n:/data",                                    SPEC_VOLUME, "n",            "/data",         ""         },
                {"na.me_1-x:/data:ro",                         SPEC_VOLUME, "na.me_1-x",    "/data",         "ro"       },
                {"name:/data:nocopy",                          SPEC_VOLUME, "name",         "/data",         ""         },
                {"abcdefghijkl:/data",                         SPEC_VOLUME, "abcdefghijkl", "/data",         ""         },
                {"/src:/dst",                                  SPEC_BIND,   "/src",         "/dst",          ""         },
                {"/src:/dst:rw",                               SPEC_BIND,   "/src",         "/dst",          ""         },
                {"/src:/dst:ro",                               SPEC_BIND,   "/src",         "/dst",          "ro"       },
                {"/src:/dst:ro,noexec",                        SPEC_BIND,   "/src",         "/dst",          "ro noexec"},
                {"/src:/dst:nosuid,nodev,rprivate,rbind,exec", SPEC_BIND,   "/src",         "/dst",          ""         },
                {".:/dst",                                     SPEC_BIND,   ".",            "/dst",          ""         },
                {"./a/b:/dst",                                 SPEC_BIND,   "./a/b",        "/dst",          ""         },
                {"../a:/dst",                                  SPEC_BIND,   "../a",         "/dst",          ""         },
                {"/src:/dst//x/",                              SPEC_BIND,   "/src",         "/dst/x",        ""         },
                {"/s r c:/d s t",                              SPEC_BIND,   "/s r c",       "/d s t",        ""         },
                {"/src:/etc/hosts",                            SPEC_BIND,   "/src",         "/etc/hosts",    ""         },
                {"/src:/proc/cpuinfo:ro",                      SPEC_BIND,   "/src",         "/proc/cpuinfo", "ro"       },
                {"/src:/process",                              SPEC_BIND,   "/src",         "/process",      ""         },
                {"/src:/dev/log",                              SPEC_BIND,   "/src",         "/dev/log",      ""         },
                {"/src:/dev/shm",                              SPEC_BIND,   "/src",         "/dev/shm",      ""         },
                {"/src:/dev/shm/x",                            SPEC_BIND,   "/src",         "/dev/shm/x",    ""         },
                {"/src:/system",                               SPEC_BIND,   "/src",         "/system",       ""         },
                {"/:/host:ro",                                 SPEC_BIND,   "/",            "/host",         "ro"       },
        };

        check_good(mounts_add_volume, cases, ELEMENTS(cases));
}

TEST(refuses_volumes_that_are_none)
{
        static const struct bad cases[] = {
                {"",                       EINVAL,  "empty part"   },
                {":",                      EINVAL,  "empty part"   },
                {"a:",                     EINVAL,  "empty part"   },
                {":/dst",                  EINVAL,  "empty part"   },
                {"/src:",                  EINVAL,  "empty part"   },
                {"/src::ro",               EINVAL,  "empty part"   },
                {"/src:/dst:",             EINVAL,  "empty part"   },
                {"/src:/dst:ro:x",         EINVAL,  "three parts"  },
                {"a:b:c:d:e",              EINVAL,  "three parts"  },
                {"data",                   EINVAL,  "absolute"     },
                {"./data",                 EINVAL,  "absolute"     },
                {"/src:dst",               EINVAL,  "absolute"     },
                {"/src:./dst",             EINVAL,  "absolute"     },
                {"/src:ro",                EINVAL,  "absolute"     },
                {"/src:/",                 EINVAL,  "over"         },
                {"/src://.",               EINVAL,  "over"         },
                {"/src:/a/../b",           EINVAL,  "'..'"         },
                {"/src:/..",               EINVAL,  "'..'"         },
                {"/",                      EINVAL,  "over"         },
                {"/src:/proc",             EINVAL,  "keeps"        },
                {"/src:/proc/",            EINVAL,  "keeps"        },
                {"/src:/proc/self/fd/3",   EINVAL,  "keeps"        },
                {"/src:/proc/sys",         EINVAL,  "keeps"        },
                {"/src:/proc//sys/kernel", EINVAL,  "keeps"        },
                {"/src:/proc/cpuinfo/x",   EINVAL,  "keeps"        },
                {"/src:/sys",              EINVAL,  "keeps"        },
                {"/src:/sys/fs/cgroup",    EINVAL,  "keeps"        },
                {"/src:/dev",              EINVAL,  "keeps"        },
                {"/src:/dev/null",         EINVAL,  "keeps"        },
                {"/src:/dev/shmx",         EINVAL,  "keeps"        },
                {"/src:/dev/logx",         EINVAL,  "keeps"        },
                {"/src:/dev/pts",          EINVAL,  "keeps"        },
                {"a/b:/dst",               EINVAL,  "not a name"   },
                {"~/x:/dst",               EINVAL,  "not a name"   },
                {"-a:/dst",                EINVAL,  "not a name"   },
                {"a b:/dst",               EINVAL,  "not a name"   },
                {"a\n:/dst",               EINVAL,  "not a name"   },
                {"/src:/dst:RO",           EINVAL,  "no option"    },
                {"/src:/dst:ro,",          EINVAL,  "no option"    },
                {"/src:/dst:,ro",          EINVAL,  "no option"    },
                {"/src:/dst:size=1m",      EINVAL,  "no option"    },
                {"/src:/dst:nocopy",       EINVAL,  "no option"    },
                {"/src:/dst:from-image",   EINVAL,  "no option"    },
                {"a:/dst:rbind",           EINVAL,  "no option"    },
                {"/src:/dst:ro,rw",        EINVAL,  "second word"  },
                {"/src:/dst:ro,ro",        EINVAL,  "second word"  },
                {"/src:/dst:exec,noexec",  EINVAL,  "second word"  },
                {"/src:/dst:z",            ENOTSUP, "Coffer has no"},
                {"/src:/dst:ro,Z",         ENOTSUP, "Coffer has no"},
                {"/src:/dst:rshared",      ENOTSUP, "Coffer has no"},
                {"/src:/dst:slave",        ENOTSUP, "Coffer has no"},
                {"/src:/dst:suid",         ENOTSUP, "Coffer has no"},
                {"/src:/dst:dev",          ENOTSUP, "Coffer has no"},
        };

        check_bad(mounts_add_volume, cases, ELEMENTS(cases));
}

TEST(reads_mounts_as_csv)
{
        static const struct good cases[] = {
                {"type=bind,source=/src,target=/dst",                  SPEC_BIND,   "/src",  "/dst", ""      },
                {"target=/dst,src=/src,type=bind",                     SPEC_BIND,   "/src",  "/dst", ""      },
                {"type=bind,src=./s,dst=/dst,readonly",                SPEC_BIND,   "./s",   "/dst", "ro"    },
                {"type=bind,src=/s,destination=/dst,ro",               SPEC_BIND,   "/s",    "/dst", "ro"    },
                {"type=bind,src=/s,dst=/d,readonly=true",              SPEC_BIND,   "/s",    "/d",   "ro"    },
                {"type=bind,src=/s,dst=/d,ro=0",                       SPEC_BIND,   "/s",    "/d",   ""      },
                {"type=bind,src=/s,dst=/d,bind-propagation=rprivate",  SPEC_BIND,   "/s",    "/d",   ""      },
                {"\"type=bind\",\"src=/a,b\",dst=/d",                  SPEC_BIND,   "/a,b",  "/d",   ""      },
                {"type=bind,\"src=/a\"\"b\",dst=/d",                   SPEC_BIND,   "/a\"b", "/d",   ""      },
                {"type=bind,src=/a=b,dst=/d:e",                        SPEC_BIND,   "/a=b",  "/d:e", ""      },
                {"type=volume,source=name,target=/dst",                SPEC_VOLUME, "name",  "/dst", ""      },
                {"source=name,target=/dst",                            SPEC_VOLUME, "name",  "/dst", ""      },
                {"target=/dst",                                        SPEC_VOLUME, NULL,    "/dst", ""      },
                {"src=name,dst=/dst,volume-nocopy",                    SPEC_VOLUME, "name",  "/dst", ""      },
                {"src=name,dst=/dst,volume-nocopy=false",              SPEC_VOLUME, "name",  "/dst", ""      },
                {"type=tmpfs,target=/dst",                             SPEC_TMPFS,  NULL,    "/dst", "noexec"},
                {"type=tmpfs,dst=/d,tmpfs-size=64m,tmpfs-mode=700,ro", SPEC_TMPFS,  NULL,    "/d",
                 "ro noexec"                                                                                 },
        };

        check_good(mounts_add_csv, cases, ELEMENTS(cases));
}

TEST(refuses_csv_that_is_no_mount)
{
        static const struct bad cases[] = {
                {"",                                                       EINVAL,  "not a key"       },
                {",",                                                      EINVAL,  "not a key"       },
                {"type=bind",                                              EINVAL,  "no target"       },
                {"type=bind,target=/d",                                    EINVAL,  "no source"       },
                {"type=bind,source=/s",                                    EINVAL,  "no target"       },
                {"type=bind,source=s,target=/d",                           EINVAL,  "neither absolute"},
                {"type=tmpfs,source=/s,target=/d",                         EINVAL,  "no source"       },
                {"type=volume,source=/s,target=/d",                        EINVAL,  "not a name"      },
                {"type=npipe,source=/s,target=/d",                         EINVAL,  "no type"         },
                {"type=,target=/d",                                        EINVAL,  "no type"         },
                {"type=Bind,source=/s,target=/d",                          EINVAL,  "no type"         },
                {"type=bind,source=/s,target=/d,",                         EINVAL,  "not a key"       },
                {"type=bind,source=/s,target=/d,x=1",                      EINVAL,  "not a key"       },
                {"type=bind,source=/s,target=/d,Target=/e",                EINVAL,  "not a key"       },
                {"type=bind,source=/s,target=/d,rw",                       EINVAL,  "not a key"       },
                {"type=bind,source,target=/d",                             EINVAL,  "no value"        },
                {"type=bind,source=,target=/d",                            EINVAL,  "empty value"     },
                {"type=bind,source=/s,target=",                            EINVAL,  "empty value"     },
                {"type=bind,source=/s,src=/t,target=/d",                   EINVAL,  "second time"     },
                {"type=bind,source=/s,target=/d,dst=/e",                   EINVAL,  "second time"     },
                {"type=bind,type=tmpfs,target=/d",                         EINVAL,  "second time"     },
                {"type=bind,source=/s,target=/d,ro,readonly",              EINVAL,  "second word"     },
                {"type=bind,source=/s,target=/d,ro=maybe",                 EINVAL,  "not a flag"      },
                {"type=bind,source=/s,target=/d,ro=",                      EINVAL,  "empty value"     },
                {"type=bind,source=/s,target=/proc/sys",                   EINVAL,  "keeps"           },
                {"type=bind,source=/s,target=/d,tmpfs-size=1m",            EINVAL,  "no option"       },
                {"type=bind,source=/s,target=/d,volume-nocopy",            EINVAL,  "no option"       },
                {"type=tmpfs,target=/d,tmpfs-size=x",                      EINVAL,  "not a value"     },
                {"type=tmpfs,target=/d,tmpfs-size=0",                      EINVAL,  "not a value"     },
                {"type=tmpfs,target=/d,tmpfs-mode=9",                      EINVAL,  "not a value"     },
                {"type=tmpfs,target=/d,tmpfs-mode=10000",                  EINVAL,  "not a value"     },
                {"type=tmpfs,target=/d,tmpfs-mode=1,tmpfs-mode=2",         EINVAL,  "second word"     },
                {"type=bind,source=/s,target=/d,bind-propagation=rshared", ENOTSUP,
                 "Coffer has no"                                                                      },
                {"type=bind,source=/s,target=/d,bind-propagation=size=1",  EINVAL,  "no option"       },
                {"type=bind,source=/s,target=/d,consistency=cached",       ENOTSUP, "Coffer has no"   },
                {"type=bind,source=/s,target=/d,bind-nonrecursive",        ENOTSUP, "Coffer has no"   },
                {"source=n,target=/d,volume-driver=nfs",                   ENOTSUP, "Coffer has no"   },
                {"source=n,target=/d,volume-opt=o=addr",                   ENOTSUP, "Coffer has no"   },
                {"\"type=bind",                                            EINVAL,  "KEY=VALUE"       },
                {"\"type=bind\"x,target=/d",                               EINVAL,  "KEY=VALUE"       },
                {"type=\"bind\",target=/d",                                EINVAL,  "KEY=VALUE"       },
                {"type=tmpfs,target=/d\n",                                 EINVAL,  "KEY=VALUE"       },
        };

        check_bad(mounts_add_csv, cases, ELEMENTS(cases));
}

TEST(reads_a_tmpfs_and_its_numbers)
{
        cleanup_with(mounts_release) struct spec_mounts list = {0};
        struct coffer_error err = {0};

        t_ok(mounts_add_tmpfs(&list, "/run", &err));
        t_ok(mounts_add_tmpfs(&list, "/a:size=64m,mode=750,uid=5,gid=6,nr_inodes=100,exec,ro",
                              &err));
        t_ok(mounts_add_tmpfs(&list, "/b:rw,nosuid,nodev,noexec", &err));
        t_int(3, list.count);
        t_int(SPEC_TMPFS, list.items[0].kind);
        t_int(01777, list.items[0].mode);
        t_true(list.items[0].no_exec && !list.items[0].read_only);
        t_true(list.items[0].size_bytes == 0 && list.items[0].inodes == 0);
        t_true(list.items[1].size_bytes == 64 * 1024 * 1024 && list.items[1].inodes == 100);
        t_int(0750, list.items[1].mode);
        t_int(5, list.items[1].uid);
        t_int(6, list.items[1].gid);
        t_true(!list.items[1].no_exec && list.items[1].read_only);
        t_true(list.items[2].no_exec && !list.items[2].read_only);
}

TEST(refuses_a_tmpfs_that_is_none)
{
        static const struct bad cases[] = {
                {"",                     EINVAL,  "absolute"     },
                {"run",                  EINVAL,  "absolute"     },
                {":size=1m",             EINVAL,  "absolute"     },
                {"/",                    EINVAL,  "over"         },
                {"/dev",                 EINVAL,  "keeps"        },
                {"/run:",                EINVAL,  "no option"    },
                {"/run:size",            EINVAL,  "no option"    },
                {"/run:huge=always",     EINVAL,  "no option"    },
                {"/run:mpol=bind",       EINVAL,  "no option"    },
                {"/run:nocopy",          EINVAL,  "no option"    },
                {"/run:z",               EINVAL,  "no option"    },
                {"/run:size=",           EINVAL,  "not a value"  },
                {"/run:size=50%",        EINVAL,  "not a value"  },
                {"/run:size=-1",         EINVAL,  "not a value"  },
                {"/run:mode=",           EINVAL,  "not a value"  },
                {"/run:mode=rwx",        EINVAL,  "not a value"  },
                {"/run:mode=0o755",      EINVAL,  "not a value"  },
                {"/run:uid=4294967295",  EINVAL,  "not a value"  },
                {"/run:uid=root",        EINVAL,  "not a value"  },
                {"/run:nr_inodes=0",     EINVAL,  "not a value"  },
                {"/run:size=1m,size=2m", EINVAL,  "second word"  },
                {"/run:suid",            ENOTSUP, "Coffer has no"},
        };

        check_bad(mounts_add_tmpfs, cases, ELEMENTS(cases));
}

TEST(a_target_is_mounted_once_however_it_is_written)
{
        static const char *const again[] = {"/data", "/data/", "//data", "/./data"};
        cleanup_with(mounts_release) struct spec_mounts list = {0};
        struct coffer_error err;

        t_ok(mounts_add_volume(&list, "/src:/data", NULL));
        for (size_t i = 0; i < ELEMENTS(again); i++) {
                t_errno(EEXIST, mounts_add_volume(&list, again[i], &err));
                t_errno(EEXIST, mounts_add_tmpfs(&list, again[i], &err));
                t_has("two mounts", err.msg);
        }
        t_ok(mounts_add_volume(&list, "/src:/data/deeper", NULL));
        t_int(2, list.count);
}

TEST(sorts_parents_before_children_and_keeps_the_order_otherwise)
{
        static const char *const given[] = {"/c/d/e", "/b", "/a/x", "/c/d", "/a", "/b/y"};
        static const char *const sorted[] = {"/b", "/a", "/a/x", "/c/d", "/b/y", "/c/d/e"};
        cleanup_with(mounts_release) struct spec_mounts list = {0};

        for (size_t i = 0; i < ELEMENTS(given); i++)
                t_ok(mounts_add_tmpfs(&list, given[i], NULL));
        mounts_sort(&list);
        for (size_t i = 0; i < ELEMENTS(sorted); i++)
                t_str(sorted[i], list.items[i].target);
}

TEST(there_is_a_maximum)
{
        cleanup_with(mounts_release) struct spec_mounts list = {0};
        char target[16];

        for (int i = 0; i < SPEC_MOUNTS_MAX; i++) {
                (void)snprintf(target, sizeof(target), "/m%d", i);
                t_ok(mounts_add_tmpfs(&list, target, NULL));
        }
        t_errno(E2BIG, mounts_add_tmpfs(&list, "/one-more", NULL));
        t_int(SPEC_MOUNTS_MAX, list.count);
}

TEST(without_memory_nothing_is_added)
{
        static const struct {
                add_fn add;
                const char *value;
        } ways[] = {
                {mounts_add_volume, "/src:/dst:ro"                       },
                {mounts_add_csv,    "type=bind,\"source=/a,b\",target=/d"},
                {mounts_add_tmpfs,  "/run:size=1m"                       },
        };

        for (size_t i = 0; i < ELEMENTS(ways); i++) {
                for (unsigned n = 1;; n++) {
                        cleanup_with(mounts_release) struct spec_mounts list = {0};
                        struct coffer_error err;
                        int r;

                        fault_arm(n);
                        r = ways[i].add(&list, ways[i].value, &err);
                        if (!fault_disarm()) {
                                t_ok(r);
                                t_true(n > 2);
                                break;
                        }
                        t_errno(ENOMEM, r);
                        t_int(0, list.count);
                }
        }
}
