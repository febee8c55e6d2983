/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/spec.h"

#include <stdlib.h>

#include "spec/mounts.h"

/* As the OCI default of runc and Docker: what tells about, or acts on, the whole machine. */
const char *const spec_masked_paths[] = {
        "/proc/acpi",          "/proc/asound",
        "/proc/interrupts",    "/proc/kcore",
        "/proc/key-users",     "/proc/keys",
        "/proc/latency_stats", "/proc/sched_debug",
        "/proc/scsi",          "/proc/timer_list",
        "/proc/timer_stats",   "/sys/devices/virtual/powercap",
        "/sys/firmware",       NULL,
};

const char *const spec_read_only_paths[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

void spec_init(struct spec *s)
{
        *s = (struct spec){
                .shm_bytes = SPEC_SHM_DEFAULT_BYTES,
                .log_max_bytes = SPEC_LOG_MAX_BYTES,
                .log_files = SPEC_LOG_FILES,
                .stop_grace_ms = SPEC_GRACE_DEFAULT_MS,
        };
}

bool spec_health_has_settings(const struct spec_health *h)
{
        return h->test.count > 0 || h->interval_ms > 0 || h->timeout_ms > 0 ||
               h->start_period_ms > 0 || h->start_interval_ms > 0 || h->retries > 0;
}

void spec_release(struct spec *s)
{
        struct strv *const lists[] = {
                &s->layers,       &s->entrypoint.argv, &s->args,    &s->env,
                &s->group_add,    &s->labels,          &s->cap_add, &s->cap_drop,
                &s->add_host,     &s->allow_degraded,  &s->require, &s->health.test,
                &s->health.shell,
        };
        char *const strings[] = {
                s->image, s->image_id, s->workdir, s->user,     s->hostname,
                s->name,  s->restart,  s->audit,   s->here_dir, s->created_by,
        };

        for (size_t i = 0; i < ELEMENTS(lists); i++)
                strv_release(lists[i]);
        for (size_t i = 0; i < ELEMENTS(strings); i++)
                free(strings[i]);
        mounts_release(&s->mounts);
        spec_init(s);
}

struct spec *spec_free(struct spec *s)
{
        if (s)
                spec_release(s);
        free(s);
        return NULL;
}
