/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "engine/ns/plan.h"
#include "sandbox/mount.h"
#include "spec/spec.h"

/**
 * struct plan - a setup message that grows
 * @setup: what is being made
 * @spec:  of the box
 * @root:  see ns_plan_setup()
 * @map:   likewise
 * @r:     the first error; every later addition is then ignored, so that callers check once
 */
struct plan {
        struct msg_setup *setup;
        const struct spec *spec;
        const struct ns_root *root;
        const struct msg_idmap *map;
        int r;
};

/** plan_source() - add a source; returns its index */
uint32_t plan_source(struct plan *p, const char *path, uint32_t flags);
/** plan_op() - add a step; @data may be NULL */
void plan_op(struct plan *p, enum mount_op_kind kind, const char *target, const char *data,
             uint64_t flags);
/** plan_bind() - add a step that binds a source */
void plan_bind(struct plan *p, uint32_t source, const char *target, uint64_t flags);
/** plan_host_root() - the steps of a `host` root: the host's /usr and a listed part of /etc */
void plan_host_root(struct plan *p);
