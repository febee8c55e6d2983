/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/audit-print.h"
#include "cli/cmd.h"

struct audit_args {
        const char *head;
        bool quiet;
};

#define AUDIT(field) offsetof(struct audit_args, field)

static int opt_head(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        if (strlen(value) != COFFER_AUDIT_HASH_CHARS ||
            value[strspn(value, "0123456789abcdef")] != '\0')
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                 "no head: 64 digits as `coffer audit verify` prints them");
        *(const char **)where = value;
        return 0;
}

static const struct opt verify_opts[] = {
        {"head",       0, "HASH", opt_head, AUDIT(head),
         "one of its records must have this hash, which was kept elsewhere"},
        {"quiet",      'q', NULL, opt_flag, AUDIT(quiet), "print the head's hash and nothing else"},
        {0},
};

/* On standard output what is so, on standard error what is wrong. */
static void print_report(const struct audit_args *a, const struct coffer_audit_report *report)
{
        if (a->quiet) {
                (void)printf("%s\n", report->head);
                return;
        }
        (void)printf("box: %s\nrecords: %" PRIu64, report->id, report->records);
        if (report->first > 1)
                (void)printf(" (from %" PRIu64 " on, the older ones were rotated away)",
                             report->first);
        (void)printf("\nhead: %s\ndropped: %" PRIu64 "\n", report->head, report->dropped);
        if (a->head)
                (void)printf("since the head given: %" PRIu64 "\n", report->after);
        if (report->torn > 0)
                (void)printf("torn: %" PRIu64 " bytes that a killed monitor has left\n",
                             report->torn);
        (void)puts("intact: yes");
}

static int cmd_verify(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct coffer_audit_report report = {.size = sizeof(report)};
        struct audit_args a = {0};
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &a))
                return in->status;
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (coffer_audit_verify(runtime, in->argv[0], a.head, &report, &err) < 0)
                return command_fail(in, &err);
        if (!report.intact) {
                (void)error_say(&err, -EBADMSG, COFFER_ERROR_OTHER,
                                "the audit log of box %s is not intact: %s", report.id,
                                report.problem);
                return command_fail(in, &err);
        }
        print_report(&a, &report);
        return 0;
}

static int cmd_show(struct invocation *in)
{
        static const struct audit_range all = {.tail = COFFER_LOGS_ALL};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct audit_args a = {0};
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &a))
                return in->status;
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (audit_print(runtime, in->argv[0], &all, audit_put_json, &err) < 0)
                return command_fail(in, &err);
        return 0;
}

const struct command command_audit_show = {
        .name = "audit show",
        .args = "BOX",
        .summary = "Print the audit log of a box, OCSF events as JSON lines",
        .min_args = 1,
        .max_args = 1,
        .words = WORDS_BOX,
        .run = cmd_show,
};

const struct command command_audit_verify = {
        .name = "audit verify",
        .args = "BOX",
        .summary = "Find out whether the audit log of a box is as it was written",
        .opts = verify_opts,
        .min_args = 1,
        .max_args = 1,
        .words = WORDS_BOX,
        .run = cmd_verify,
};
