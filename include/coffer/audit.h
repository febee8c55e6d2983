/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_AUDIT_H
#define COFFER_AUDIT_H

#include <coffer/api.h>
#include <coffer/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The audit log of a box: what was started in it and by what it was confined, as OCSF 1.8.0 events,
 * one JSON object a line.  Each names the SHA-256 of the line before, and a head kept apart names
 * the last.  It is there from the first start on and stays when the box is removed.
 */
struct coffer_audit;

#define COFFER_AUDIT_HASH_CHARS 64

/**
 * struct coffer_audit_report - what coffer_audit_verify() has found
 * @size:    sizeof(struct coffer_audit_report), so that members can be added later
 * @intact:  not 0: the log is as it was written
 * @records: how many there are
 * @first:   number of the oldest; those before it were rotated away
 * @last:    of the newest
 * @dropped: how many could not be written (a full disk)
 * @after:   how many are newer than the head that was given
 * @torn:    bytes after the last record that are none: a monitor was killed while it wrote
 * @id:      of the box
 * @head:    of the newest record: who keeps it elsewhere can find a log that was written anew
 * @problem: what is wrong and where, in words; "" when nothing is
 */
struct coffer_audit_report {
        uint32_t size;
        uint32_t intact;
        uint64_t records;
        uint64_t first;
        uint64_t last;
        uint64_t dropped;
        uint64_t after;
        uint64_t torn;
        char id[16];
        char head[COFFER_AUDIT_HASH_CHARS + 1];
        char problem[256];
};

/**
 * coffer_audit_verify() - read a whole audit log and find what was changed
 * @runtime:    the home
 * @reference:  a box; of one that was removed, its id
 * @head:       a head of this log that was kept elsewhere; NULL: none
 * @ret_report: its size filled in by the caller
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0, also when the log is not intact; -ENOENT when there is none; or another negative
 * errno.
 */
COFFER_API int coffer_audit_verify(struct coffer_runtime *runtime, const char *reference,
                                   const char *head, struct coffer_audit_report *ret_report,
                                   struct coffer_error *err);

/**
 * coffer_audit_open() - begin a walk over the records, oldest first
 * @runtime:   the home; must outlive the walk
 * @reference: as above
 * @ret_audit: free with coffer_audit_free()
 * @err:       why not; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0, -ENOENT when there is no log, or another negative errno.
 */
COFFER_API int coffer_audit_open(struct coffer_runtime *runtime, const char *reference,
                                 struct coffer_audit **ret_audit, struct coffer_error *err);

/**
 * coffer_audit_next() - the next record
 * @audit:    the walk
 * @ret_line: without its newline; valid until the next call
 * @err:      why not; may be NULL
 *
 * Nothing is verified: the line is what lies there.
 *
 * Context: one thread at a time per @audit.
 *
 * Return: 1 with a line, 0 at the end, or a negative errno.
 */
COFFER_API int coffer_audit_next(struct coffer_audit *audit, const char **ret_line,
                                 struct coffer_error *err);

/** coffer_audit_free() - end a walk; NULL is fine; returns NULL; errno is unchanged */
COFFER_API struct coffer_audit *coffer_audit_free(struct coffer_audit *audit);

#ifdef __cplusplus
}
#endif
#endif
