/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/verdict.h"

#include "t.h"

#define HELD   .lock_held = true
#define RECORD .identity = IDENTITY_READ
#define READ   .identity = IDENTITY_READ, .pid_ns_mine = true, .boot_same = true
#define LATE   .waited = true
#define SHIM   .process = PROCESS_MATCHES

TEST(each_row_of_the_table_has_its_verdict)
{
        static const struct {
                const char *row;
                struct box_facts facts;
                enum verdict expected;
        } cases[] = {
                {"1: lock free",                {.lock_held = false},                                VERDICT_DEAD   },
                {"1: lock free, process lives", {READ, SHIM, .socket = SOCKET_RIGHT},                VERDICT_DEAD   },
                {"1a: no identity yet",         {HELD},                                              VERDICT_WAIT   },
                {"1a: never",                   {HELD, LATE},                                        VERDICT_FOREIGN},
                {"1a: torn",                    {HELD, .identity = IDENTITY_TORN},                   VERDICT_WAIT   },
                {"1a: torn for ever",
                 {HELD, LATE, .identity = IDENTITY_TORN, SHIM},
                 VERDICT_FOREIGN                                                                                    },
                {"1a: of another box",
                 {HELD, LATE, .identity = IDENTITY_OTHER_BOX, .pid_ns_mine = true,
                  .boot_same = true, SHIM, .socket = SOCKET_RIGHT},
                 VERDICT_FOREIGN                                                                                    },
                {"1b: elsewhere, answers",
                 {HELD, RECORD, .boot_same = true, .process = PROCESS_GONE, .socket = SOCKET_RIGHT},
                 VERDICT_LIVE                                                                                       },
                {"1b: elsewhere, silent",
                 {HELD, LATE, RECORD, .boot_same = true, SHIM, .socket = SOCKET_SILENT},
                 VERDICT_ELSEWHERE                                                                                  },
                {"2: other boot, lock held",
                 {HELD, RECORD, .pid_ns_mine = true, SHIM, .socket = SOCKET_RIGHT},
                 VERDICT_WAIT                                                                                       },
                {"2: other boot for ever",
                 {HELD, LATE, RECORD, .pid_ns_mine = true, SHIM, .socket = SOCKET_RIGHT},
                 VERDICT_FOREIGN                                                                                    },
                {"3: pid is gone",
                 {HELD, LATE, READ, .process = PROCESS_GONE, .socket = SOCKET_ABSENT},
                 VERDICT_FOREIGN                                                                                    },
                {"3: pid is a stranger's",
                 {HELD, LATE, READ, .process = PROCESS_STRANGER, .socket = SOCKET_SILENT},
                 VERDICT_FOREIGN                                                                                    },
                {"3: a stranger who answers",
                 {HELD, READ, .process = PROCESS_STRANGER, .socket = SOCKET_RIGHT},
                 VERDICT_FOREIGN                                                                                    },
                {"3: wrong nonce",
                 {HELD, LATE, READ, SHIM, .socket = SOCKET_WRONG_NONCE},
                 VERDICT_FOREIGN                                                                                    },
                {"3: wrong nonce at first",
                 {HELD, READ, SHIM, .socket = SOCKET_WRONG_NONCE},
                 VERDICT_WAIT                                                                                       },
                {"4: live",                     {HELD, READ, SHIM, .socket = SOCKET_RIGHT},          VERDICT_LIVE   },
                {"4: live, late",               {HELD, LATE, READ, SHIM, .socket = SOCKET_RIGHT},    VERDICT_LIVE   },
                {"4: live by its answer",       {HELD, READ, .socket = SOCKET_RIGHT},                VERDICT_LIVE   },
                {"5: other version",
                 {HELD, READ, SHIM, .socket = SOCKET_OTHER_MAJOR},
                 VERDICT_LIVE_OTHER                                                                                 },
                {"6: silent",                   {HELD, LATE, READ, SHIM, .socket = SOCKET_SILENT},   VERDICT_HUNG   },
                {"6: nobody listens",
                 {HELD, LATE, READ, SHIM, .socket = SOCKET_ABSENT},
                 VERDICT_HUNG                                                                                       },
                {"6: not for long yet",         {HELD, READ, SHIM, .socket = SOCKET_ABSENT},         VERDICT_WAIT   },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                t_note("%s", cases[i].row);
                t_int(cases[i].expected, verdict(&cases[i].facts));
        }
}

/* Whatever else is known: without a shim that was proven, nothing says that it may be signalled. */
TEST(nothing_is_killed_on_a_guess)
{
        struct box_facts f = {.lock_held = true, .waited = true};

        for (f.identity = IDENTITY_ABSENT; f.identity <= IDENTITY_READ; f.identity++)
                for (f.process = PROCESS_NOT_LOOKED_AT; f.process <= PROCESS_MATCHES; f.process++)
                        for (f.socket = SOCKET_NOT_TRIED; f.socket <= SOCKET_RIGHT; f.socket++)
                                for (int bits = 0; bits < 4; bits++) {
                                        f.pid_ns_mine = bits & 1;
                                        f.boot_same = bits & 2;
                                        if (verdict(&f) == VERDICT_HUNG)
                                                t_true(f.process == PROCESS_MATCHES &&
                                                       f.identity == IDENTITY_READ &&
                                                       f.pid_ns_mine && f.boot_same);
                                }
}
