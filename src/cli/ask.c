/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/human.h"

int ask_first(const struct invocation *in, const char *hint, const char *what)
{
        char answer[8] = "";

        if (!isatty(STDIN_FILENO))
                return command_usage(in, hint, "nobody is there to be asked");
        (void)fprintf(stderr, "%s. Go on? [y/N] ", what);
        if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
                return EXIT_FAILED;
        return 0;
}

void ask_told(const char *head, char *const *lines, int count, uint64_t bytes)
{
        if (count > 0)
                (void)puts(head);
        for (int i = 0; i < count; i++)
                (void)puts(lines[i]);
        if (count > 0)
                (void)puts("");
        ask_reclaimed("Total reclaimed space", bytes);
}

void ask_reclaimed(const char *words, uint64_t bytes)
{
        cleanup_with(buf_release) struct buf size = BUF_INIT(64);

        (void)human_size(bytes, &size);
        (void)printf("%s: %s\n", words, size.data ? size.data : "0B");
}
