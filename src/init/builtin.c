/* SPDX-License-Identifier: Apache-2.0 */

/* Programs of coffer's own that run as a process of the box, under the same confinement. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "init/builtins.h"
#include "init/init.h"

static const struct {
        const char *name;
        int (*run)(char *const *argv);
} builtins[] = {
        {"tar-out", builtin_tar_out},
        {"tar-in",  builtin_tar_in },
};

bool builtin_exists(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(builtins); i++)
                if (str_eq(builtins[i].name, name))
                        return true;
        return false;
}

_Noreturn void builtin_run(char *const *argv)
{
        for (size_t i = 0; i < ELEMENTS(builtins); i++)
                if (str_eq(builtins[i].name, argv[0]))
                        _exit(builtins[i].run(argv));
        _exit(127);
}
