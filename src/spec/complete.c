/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what the caller gave to what is run: the image's defaults by Docker's rules, then our own.
 * What an image says goes through spec_set() as well, so it is checked like a flag.
 */
#include "spec/spec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "spec/mounts.h"

void spec_image_defaults_release(struct spec_image_defaults *image)
{
        strv_release(&image->entrypoint);
        strv_release(&image->cmd);
        strv_release(&image->env);
        strv_release(&image->labels);
        strv_release(&image->volumes);
        strv_release(&image->health_test);
        strv_release(&image->shell);
        free(image->user);
        free(image->workdir);
        free(image->stop_signal);
        *image = (struct spec_image_defaults){0};
}

/* Every item of @values through spec_set(). */
static int set_all(struct spec *s, const char *key, const struct strv *values,
                   struct coffer_error *err)
{
        for (size_t i = 0; i < values->count; i++) {
                int r = spec_set(s, key, values->items[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Where an image's WORKDIR is relative, it is so to the root. */
static int set_workdir(struct spec *s, const char *dir, struct coffer_error *err)
{
        cleanup_free char *path = NULL;

        if (asprintf(&path, "%s%s", dir[0] == '/' ? "" : "/", dir) < 0)
                return error_set(err, -ENOMEM, "read the image's directory");
        return spec_set(s, "workdir", path, err);
}

/* Makes of @image, foreign, a spec of its own whose values are checked. */
static int read_image(struct spec *checked, const struct spec_image_defaults *image,
                      struct coffer_error *err)
{
        int r;

        r = set_all(checked, "arg", &image->cmd, err);
        for (size_t i = 0; r == 0 && i < image->entrypoint.count; i++) {
                if (strlen(image->entrypoint.items[i]) > SPEC_ARG_MAX_BYTES)
                        return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                         "the entrypoint is longer than %d bytes",
                                         SPEC_ARG_MAX_BYTES);
                r = strv_add(&checked->entrypoint.argv, image->entrypoint.items[i]);
                if (r < 0)
                        return error_set(err, r, "read the image's entrypoint");
        }
        if (r == 0)
                r = set_all(checked, "env", &image->env, err);
        if (r == 0)
                r = set_all(checked, "label", &image->labels, err);
        if (r == 0 && image->user)
                r = spec_set(checked, "user", image->user, err);
        if (r == 0 && image->workdir && image->workdir[0] != '\0')
                r = set_workdir(checked, image->workdir, err);
        if (r == 0 && image->stop_signal && image->stop_signal[0] != '\0')
                r = spec_set(checked, "stop-signal", image->stop_signal, err);
        return r;
}

/* The caller's "NAME=value" over the image's; @image has the result. */
static int merge(struct strv *caller, struct strv *image)
{
        struct strv merged;

        for (size_t i = 0; i < caller->count; i++) {
                const char *item = caller->items[i];
                size_t size = strcspn(item, "=");
                cleanup_free char *name = strndup(item, size);
                int r = name ? strv_set(image, name, item + size + 1) : -ENOMEM;

                if (r < 0)
                        return r;
        }
        merged = *image;
        *image = *caller;
        *caller = merged;
        return 0;
}

static int add_volumes(struct spec *s, const struct strv *targets, struct coffer_error *err)
{
        for (size_t i = 0; i < targets->count; i++) {
                cleanup_with(mount_release) struct spec_mount m;
                int r;

                mount_init(&m, SPEC_VOLUME);
                m.from_image = true;
                r = mount_set_target(&m, targets->items[i], err);
                if (r == 0 && !mounts_find(&s->mounts, m.target))
                        r = mounts_add(&s->mounts, &m, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void swap_lists(struct strv *a, struct strv *b)
{
        struct strv other = *a;

        *a = *b;
        *b = other;
}

/* Docker's Test: nothing, NONE, CMD and an argv, CMD-SHELL and a text for the image's shell. */
static int take_health_test(struct spec_health *to, const struct spec_image_defaults *image,
                            struct coffer_error *err)
{
        const struct strv *test = &image->health_test;

        if (test->count == 0 || to->test.count > 0)
                return 0;
        if (str_eq(test->items[0], "NONE")) {
                to->off = !spec_health_has_settings(to);
                return 0;
        }
        if (test->count < 2 ||
            (!str_eq(test->items[0], "CMD") && !str_eq(test->items[0], "CMD-SHELL")))
                return error_say(err, -EINVAL, COFFER_ERROR_IMAGE,
                                 "its health check is '%.40s' and %zu more words", test->items[0],
                                 test->count - 1);
        return strv_copy(&to->test, test) < 0 ? error_set(err, -ENOMEM, "keep a health check") : 0;
}

/* Less than a millisecond is one. */
static int take_health_times(struct spec_health *to, const struct spec_image_defaults *image,
                             struct coffer_error *err)
{
        uint32_t *const times[SPEC_HEALTH_TIMES] = {
                [SPEC_HEALTH_INTERVAL] = &to->interval_ms,
                [SPEC_HEALTH_TIMEOUT] = &to->timeout_ms,
                [SPEC_HEALTH_START_PERIOD] = &to->start_period_ms,
                [SPEC_HEALTH_START_INTERVAL] = &to->start_interval_ms,
        };

        for (size_t i = 0; i < SPEC_HEALTH_TIMES; i++) {
                uint64_t ms = image->health_ns[i] / 1000000U;

                if (ms > SPEC_DURATION_MAX_MS)
                        return error_say(err, -EINVAL, COFFER_ERROR_IMAGE,
                                         "its health check has a time of more than 49 days");
                if (*times[i] == 0)
                        *times[i] = ms == 0 && image->health_ns[i] > 0 ? 1 : (uint32_t)ms;
        }
        if (image->health_retries > INT32_MAX)
                return error_say(err, -EINVAL, COFFER_ERROR_IMAGE,
                                 "its health check has more than 2147483647 retries");
        if (to->retries == 0)
                to->retries = (uint32_t)image->health_retries;
        return 0;
}

/* Part by part, as Docker: the caller's command may run at the image's times. */
static int take_health(struct spec_health *to, const struct spec_image_defaults *image,
                       struct coffer_error *err)
{
        int r = to->off ? 0 : take_health_test(to, image, err);

        if (r == 0 && to->test.count > 0 && str_eq(to->test.items[0], "CMD-SHELL") &&
            strv_copy(&to->shell, &image->shell) < 0)
                return error_set(err, -ENOMEM, "keep a shell");
        if (r == 0 && to->test.count > 0)
                r = take_health_times(to, image, err);
        return r;
}

/* An entrypoint of the caller's drops both of the image's; his arguments drop its command. */
static void take_command(struct spec *s, struct spec *image)
{
        if (s->entrypoint.set)
                return;
        swap_lists(&s->entrypoint.argv, &image->entrypoint.argv);
        if (s->args.count == 0)
                swap_lists(&s->args, &image->args);
}

int spec_apply_image(struct spec *s, const struct spec_image_defaults *image,
                     struct coffer_error *err)
{
        cleanup_with(spec_release) struct spec checked;
        int r;

        spec_init(&checked);
        r = read_image(&checked, image, err);
        if (r == 0)
                r = add_volumes(s, &image->volumes, err);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                error_kind(err, COFFER_ERROR_IMAGE);
                error_hint(err, "the image's own configuration says so; build it anew");
                return error_wrap(err, r, "read the image's configuration");
        }

        if (merge(&s->env, &checked.env) < 0 || merge(&s->labels, &checked.labels) < 0)
                return error_set(err, -ENOMEM, "read the image's configuration");
        take_command(s, &checked);
        if (!s->user)
                s->user = take_ptr(checked.user);
        if (!s->workdir && s->here == SPEC_HERE_OFF)
                s->workdir = take_ptr(checked.workdir);
        if (s->stop_signal == 0)
                s->stop_signal = checked.stop_signal;
        r = take_health(&s->health, image, err);
        if (r == -EINVAL)
                error_hint(err, "--no-healthcheck runs it without");
        return r < 0 ? error_wrap(err, r, "read the image's configuration") : 0;
}

static int set_default(char **to, const char *value)
{
        if (!*to)
                *to = strdup(value);
        return *to ? 0 : -ENOMEM;
}

static int set_default_env(struct strv *env, const char *name, const char *value)
{
        return strv_get(env, name) ? 0 : strv_set(env, name, value);
}

int spec_complete(struct spec *s, const char *id, struct coffer_error *err)
{
        int r;

        if (s->entrypoint.argv.count + s->args.count == 0) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "no command is given%s",
                                s->image ? ", and the image names none" : "");
                error_hint(err, "write the command after the image");
                return -EINVAL;
        }
        if (s->health.test.count == 0 && spec_health_has_settings(&s->health)) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "a --health option is given, but no health check");
                error_hint(err, "--health-cmd gives one; the image has none");
                return -EINVAL;
        }
        if (s->stop_signal == 0)
                s->stop_signal = SIGTERM;

        r = set_default(&s->hostname, id);
        if (r == 0)
                r = set_default(&s->workdir,
                                s->here != SPEC_HERE_OFF && s->here_dir ? s->here_dir : "/");
        if (r == 0)
                r = set_default_env(&s->env, "PATH", SPEC_PATH_DEFAULT);
        if (r == 0)
                r = set_default_env(&s->env, "HOSTNAME", s->hostname);
        if (r == 0 && s->tty)
                r = set_default_env(&s->env, "TERM", "xterm");
        if (r < 0)
                return error_set(err, r, "complete the box's configuration");
        mounts_sort(&s->mounts);
        return 0;
}

int spec_health_argv(const struct spec *s, struct strv *ret_argv)
{
        char sh[] = "/bin/sh", option[] = "-c";
        char *words[] = {sh, option};
        const struct strv default_shell = {.items = words, .count = ELEMENTS(words)};
        const struct strv *test = &s->health.test;
        int r = 0;

        if (test->count == 0)
                return 0;
        if (str_eq(test->items[0], "CMD-SHELL") && s->health.shell.count > 0)
                r = strv_copy(ret_argv, &s->health.shell);
        else if (str_eq(test->items[0], "CMD-SHELL"))
                r = strv_copy(ret_argv, &default_shell);
        for (size_t i = 1; r == 0 && i < test->count; i++)
                r = strv_add(ret_argv, test->items[i]);
        return r;
}

int spec_argv(const struct spec *s, struct strv *ret_argv)
{
        int r = strv_copy(ret_argv, &s->entrypoint.argv);

        return r < 0 ? r : strv_copy(ret_argv, &s->args);
}
