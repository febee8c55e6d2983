/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_COFFER_H
#define COFFER_COFFER_H

/*
 * libcoffer: run code that nobody vouches for in boxes.  This header includes all others.
 *
 *     struct coffer_runtime *rt;
 *     struct coffer_spec *spec;
 *     struct coffer_box *box;
 *     struct coffer_exit end;
 *
 *     coffer_runtime_open(NULL, &rt, &err);
 *     coffer_spec_new(&spec, &err);
 *     coffer_spec_set_image(spec, "host", &err);
 *     coffer_spec_set_command(spec, argv, &err);
 *     coffer_box_create(rt, spec, &box, &err);
 *     coffer_box_start(box, NULL, COFFER_FOREVER, NULL, &err);
 *     coffer_box_wait(box, COFFER_FOREVER, &end, &err);
 */

#include <coffer/api.h>
#include <coffer/error.h>
#include <coffer/call.h>
#include <coffer/runtime.h>
#include <coffer/spec.h>
#include <coffer/process.h>
#include <coffer/prune.h>
#include <coffer/box.h>
#include <coffer/stats.h>
#include <coffer/logs.h>
#include <coffer/audit.h>
#include <coffer/copy.h>
#include <coffer/event.h>
#include <coffer/volume.h>
#include <coffer/image.h>
#include <coffer/usage.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COFFER_VERSION_MAJOR 0
#define COFFER_VERSION_MINOR 1
#define COFFER_VERSION_PATCH 0

/**
 * coffer_version() - the version of the library that is running
 *
 * Context: any thread.
 *
 * Return: "MAJOR.MINOR.PATCH"; static.
 */
COFFER_API const char *coffer_version(void);

/**
 * coffer_free() - free a string or an array that a call of libcoffer handed out
 * @p: may be NULL
 *
 * Context: any thread.  errno is unchanged.
 */
COFFER_API void coffer_free(void *p);

#ifdef __cplusplus
}
#endif
#endif
