/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/foreign.h"

#include <errno.h>

#include "base/error.h"
#include "base/str.h"

#define OWN_NS    "every box has its own; start both programs in one box, with coffer exec"
#define NO_DEVICE "no device of the host can be seen in a box"

static const struct {
        const char *name;
        const char *hint;
} foreign[] = {
        {"privileged",         "add the one capability that is needed: --cap-add NAME"         },
        {"net",                "use --network none"                                            },
        {"pid",                OWN_NS                                                          },
        {"ipc",                OWN_NS                                                          },
        {"uts",                "set the box's own name: --hostname NAME"                       },
        {"userns",             "the id map of a box is always its own"                         },
        {"cgroupns",           "the cgroup namespace of a box is always its own"               },
        {"cgroup-parent",      "limit the box with --memory, --cpus and --pids-limit"          },
        {"device",             NO_DEVICE                                                       },
        {"device-cgroup-rule", NO_DEVICE                                                       },
        {"gpus",               NO_DEVICE                                                       },
        {"security-opt",       "every control of a box is on; see coffer inspect --posture BOX"},
        {"sysctl",             "kernel settings cannot be changed for a box"                   },
        {"oom-score-adj",      "limit the box with --memory"                                   },
        {"oom-kill-disable",   "limit the box with --memory"                                   },
        {"volumes-from",       "name the volumes again: -v NAME:PATH"                          },
        {"volume-driver",      "volumes are directories of this host: -v NAME:PATH"            },
        {"link",               "boxes do not see each other"                                   },
        {"runtime",            "there is one engine, Linux namespaces"                         },
};

int foreign_option(const char *name, size_t size, const char *value, struct coffer_error *err)
{
        for (size_t i = 0; i < ELEMENTS(foreign); i++) {
                bool shown = value && (str_eq(value, "host") || str_after(value, "container:"));

                if (strlen(foreign[i].name) != size || strncmp(foreign[i].name, name, size) != 0)
                        continue;
                /* "--pid host" is refused as it was asked; --privileged has no value. */
                shown = shown && i > 0;
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "Coffer has no --%s%s%.64s",
                                foreign[i].name, shown ? " " : "", shown ? value : "");
                error_hint(err, "%s", foreign[i].hint);
                return -EINVAL;
        }
        return 0;
}
