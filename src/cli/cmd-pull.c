/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cmd.h"
#include "cli/pulling.h"

#define PULL(field) offsetof(struct pull_args, field)

static const struct opt pull_opts[] = {
        {"platform",      0, "PLATFORM", opt_string, PULL(platform),
         "for another machine: OS/ARCHITECTURE[/VARIANT]"},
        {"progress",     0, "HOW", opt_string, PULL(progress), "auto, plain or json"},
        {"quiet", 'q', NULL, opt_flag, PULL(quiet), "say nothing on the way"},
        {0              },
};

static int say_json(const struct coffer_pull_result *result)
{
        (void)printf("{\"status\":\"done\",\"name\":\"%s\",\"digest\":\"%s\",\"id\":\"%s\","
                     "\"changed\":%s}\n",
                     result->name, result->digest, result->id, result->changed ? "true" : "false");
        return 0;
}

static int cmd_pull(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct pull_args a = {.policy = "always"};
        struct coffer_pull_result result;
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &a))
                return in->status;
        if (pulling_check(&a, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (pulling_run(runtime, in->argv[0], &a, &result, &err) < 0)
                return command_fail(in, &err);
        if (result.name[0] == '\0')
                return command_usage(in, "it can be used as it is",
                                     "image '%.120s' is not in a registry", in->argv[0]);
        if (a.progress && str_eq(a.progress, "json"))
                return say_json(&result);
        if (!a.quiet)
                (void)fprintf(stderr, "Digest: %s\nStatus: %s\n", result.digest,
                              result.changed ? "Downloaded newer image" : "Image is up to date");
        (void)puts(result.name);
        return 0;
}

const struct command command_image_pull = {
        .name = "image pull",
        .alias = "pull",
        .args = "NAME[:TAG|@DIGEST]",
        .summary = "Fetch an image from a registry",
        .opts = pull_opts,
        .min_args = 1,
        .max_args = 1,
        .words = WORDS_NONE,
        .run = cmd_pull,
};
