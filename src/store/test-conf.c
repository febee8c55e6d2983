/* SPDX-License-Identifier: Apache-2.0 */
#include "store/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include "t.h"

static char dir[] = "/tmp/coffer-conf-XXXXXX";
static char host[64], own[64];

static void write_file(const char *path, const char *text, mode_t mode)
{
        cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        t_true(fd >= 0);
        t_int(strlen(text), write(fd, text, strlen(text)));
        t_ok(fchmod(fd, mode));
}

static void begin(void)
{
        (void)memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
        t_true(mkdtemp(dir) != NULL);
        (void)snprintf(host, sizeof(host), "%s/host.conf", dir);
        (void)snprintf(own, sizeof(own), "%s/own.conf", dir);
}

static void end(void)
{
        (void)unlink(host);
        (void)unlink(own);
        (void)rmdir(host);
        t_ok(rmdir(dir));
}

static int read_here(struct conf *ret, struct coffer_error *err)
{
        const struct conf_places places = {.system = host, .owner = geteuid(), .user = own};

        return conf_read_places(&places, ret, err);
}

TEST(both_files_are_read_in_order_with_their_lines)
{
        cleanup_with(conf_release) struct conf c = {0};
        struct coffer_error err = {0};

        begin();
        write_file(host,
                   "; of the host\nfirst = 1\n\n[run]\nmemory = 64m ; "
                   "small\n[locked]\nallow-degraded =\n",
                   0644);
        write_file(own, "[run]\r\n# mine\r\nmemory = 32m\r\n", 0666);
        t_ok(read_here(&c, &err));
        t_int(4, c.count);
        t_str("", c.items[0].section);
        t_str("first", c.items[0].name);
        t_int(2, c.items[0].line);
        t_str("64m", c.items[1].value);
        t_int(5, c.items[1].line);
        t_str("locked", c.items[2].section);
        t_str("", c.items[2].value);
        t_int(7, c.items[2].line);
        t_int(CONF_USER, c.items[3].place);
        t_int(3, c.items[3].line);
        t_str("32m", c.items[3].value);
        (void)conf_refuse(&c, &c.items[3], -EINVAL, &err, "is not %d", 1);
        t_true(strstr(err.msg, "line 3 of '") && strstr(err.msg, "own.conf': is not 1"));
        end();
}

TEST(files_that_are_not_there_say_nothing)
{
        cleanup_with(conf_release) struct conf c = {0};

        begin();
        t_ok(read_here(&c, NULL));
        t_int(0, c.count);
        end();
}

#define FIFTY "12345678901234567890123456789012345678901234567890"

TEST(what_could_mean_something_else_is_refused_by_line)
{
        static const struct {
                const char *host;
                const char *own;
                const char *says;
        } rows[] = {
                {"a = 1\nb\n",                        "",                               "line 2 of"                            },
                {"a = 1\n  b = 2\n",                  "",                               "begins with a blank"                  },
                {"[run]\n\tmemory = 1g\n",            "",                               "line 2 of"                            },
                {"a = " FIFTY FIFTY FIFTY FIFTY "\n", "",                               "longer than 197"                      },
                {"[nothing]\na = 1\n",                "",                               "section 'nothing'"                    },
                {"[locked\na = 1\n",                  "",                               "line 1 of"                            },
                {"",                                  "[locked]\nrequire = landlock\n", "only /etc/coffer/coffer.conf can lock"},
                {"",                                  "x = 1\nwords\n",                 "own.conf'"                            },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct conf c = {0};
                struct coffer_error err = {0};

                t_note("%s|%s", rows[i].host, rows[i].own);
                begin();
                write_file(host, rows[i].host, 0644);
                write_file(own, rows[i].own, 0644);
                t_errno(EINVAL, read_here(&c, &err));
                t_true(strstr(err.msg, rows[i].says) != NULL);
                t_true(err.hint[0] != '\0');
                end();
        }
}

TEST(the_hosts_file_counts_only_when_nobody_else_can_write_it)
{
        static const struct {
                mode_t file;
                mode_t directory;
                int stranger; /* the file is to be somebody else's */
                const char *says;
        } rows[] = {
                {0644, 0755, 0, NULL                                 },
                {0600, 0700, 0, NULL                                 },
                {0664, 0755, 0, "others than root can write the file"},
                {0646, 0755, 0, "others than root can write the file"},
                {0644, 0775, 0, "can write the directory"            },
                {0644, 0757, 0, "can write the directory"            },
                {0644, 0755, 1, "belongs to user"                    },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct conf_places places = {.system = host, .owner = geteuid()};
                struct coffer_error err = {0};
                struct conf c = {0};

                t_note("%o %o %d", rows[i].file, rows[i].directory, rows[i].stranger);
                begin();
                write_file(host, "a = 1\n", rows[i].file);
                t_ok(chmod(dir, rows[i].directory));
                places.owner += (uid_t)rows[i].stranger;
                if (!rows[i].says) {
                        t_ok(conf_read_places(&places, &c, &err));
                        conf_release(&c);
                } else {
                        t_errno(EPERM, conf_read_places(&places, &c, &err));
                        t_true(strstr(err.msg, host) && strstr(err.msg, rows[i].says));
                        t_true(err.hint[0] != '\0');
                }
                end();
        }
}

TEST(what_cannot_be_read_is_not_left_out)
{
        struct coffer_error err = {0};
        struct conf c = {0};

        begin();
        t_ok(mkdir(host, 0755));
        t_errno(EINVAL, read_here(&c, &err));
        t_true(strstr(err.msg, host) != NULL);
        t_ok(rmdir(host));
        t_ok(mkfifo(host, 0600));
        t_errno(EINVAL, read_here(&c, &err));
        t_ok(unlink(host));
        write_file(host, "a = 1\n", 0);
        if (geteuid() != 0)
                t_errno(EACCES, read_here(&c, &err));
        end();
}
