/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include "t.h"

#include <arpa/inet.h>

#include "registry/address.h"

TEST(reads_what_registries_send)
{
        static const struct {
                const char *text;
                enum challenge_scheme scheme;
                const char *realm, *service, *scope;
        } cases[] = {
                {"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
                 "scope=\"repository:library/debian:pull\"", CHALLENGE_BEARER, "https://auth.docker.io/token", "registry.docker.io",
                 "repository:library/debian:pull"                                                                                                       },
                {"bearer Realm=\"https://a/t\" , error=\"invalid_token\"",    CHALLENGE_BEARER,
                 "https://a/t",                                                                                                 "",                   ""},
                {"Basic realm=\"a \\\"b\\\"\"",                               CHALLENGE_BASIC,  "a \"b\"",                      "",                   ""},
                {"Basic realm=x",                                             CHALLENGE_BASIC,  "x",                            "",                   ""},
                {"Basic",                                                     CHALLENGE_BASIC,  "",                             "",                   ""},
                {"Basic realm=\"b\", Bearer realm=\"https://a/t\"",           CHALLENGE_BEARER, "https://a/t",
                 "",                                                                                                                                  ""},
                {"Bearer realm=\"https://a/t\", Basic realm=\"b\"",           CHALLENGE_BEARER, "https://a/t",
                 "",                                                                                                                                  ""},
                {"Negotiate, Basic realm=\"b\"",                              CHALLENGE_BASIC,  "b",                            "",                   ""},
                {"Negotiate YWJj==, Basic realm=\"b\"",                       CHALLENGE_BASIC,  "b",                            "",                   ""},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct challenge c;

                t_note("%s", cases[i].text);
                t_ok(challenge_parse(cases[i].text, strlen(cases[i].text), &c));
                t_int(cases[i].scheme, c.scheme);
                t_str(cases[i].realm, c.realm);
                t_str(cases[i].service, c.service);
                t_str(cases[i].scope, c.scope);
        }
}

TEST(refuses_what_could_be_two_things)
{
        static const struct {
                const char *text;
                int code;
        } cases[] = {
                {"",                                EPROTONOSUPPORT},
                {"Negotiate",                       EPROTONOSUPPORT},
                {"Digest realm=\"a\", nonce=\"b\"", EPROTONOSUPPORT},
                {"Bearer",                          EBADMSG        },
                {"Bearer service=\"a\"",            EBADMSG        },
                {"Bearer realm=\"https://a",        EBADMSG        },
                {"Bearer realm=\"a\\",              EBADMSG        },
                {"Bearer realm=\"a\",realm=\"b\"",  EBADMSG        },
                {"Bearer realm=",                   EBADMSG        },
                {"Bearer realm=\"a\r\nX: y\"",      EBADMSG        },
                {"Bearer realm=\"a\tb\"",           EBADMSG        },
                {"=",                               EBADMSG        },
                {"Bearer realm=\"a\" \"b\"",        EBADMSG        },
        };
        static char huge[8192];
        struct challenge c;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                t_note("%s", cases[i].text);
                t_errno(cases[i].code, challenge_parse(cases[i].text, strlen(cases[i].text), &c));
        }
        memset(huge, 'a', sizeof(huge));
        memcpy(huge, "Bearer realm=\"", 14);
        huge[sizeof(huge) - 1] = '"';
        t_errno(EBADMSG, challenge_parse(huge, sizeof(huge), &c));
}

static enum address_rank rank_of(const char *text)
{
        struct sockaddr_in6 six = {.sin6_family = AF_INET6};
        struct sockaddr_in four = {.sin_family = AF_INET};

        if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
                return address_rank((const struct sockaddr *)&four);
        t_int(1, inet_pton(AF_INET6, text, &six.sin6_addr));
        return address_rank((const struct sockaddr *)&six);
}

TEST(addresses_are_ranked_by_how_far_inside_they_are)
{
        static const struct {
                const char *text;
                enum address_rank rank;
        } cases[] = {
                {"1.1.1.1",                ADDRESS_PUBLIC  },
                {"172.32.0.1",             ADDRESS_PUBLIC  },
                {"172.15.255.255",         ADDRESS_PUBLIC  },
                {"2606:4700::1",           ADDRESS_PUBLIC  },
                {"10.1.2.3",               ADDRESS_PRIVATE },
                {"172.16.0.1",             ADDRESS_PRIVATE },
                {"172.31.255.255",         ADDRESS_PRIVATE },
                {"192.168.1.1",            ADDRESS_PRIVATE },
                {"100.64.0.1",             ADDRESS_PRIVATE },
                {"fd00::1",                ADDRESS_PRIVATE },
                {"::ffff:10.0.0.1",        ADDRESS_PRIVATE },
                {"64:ff9b::c0a8:101",      ADDRESS_PRIVATE },
                {"2002:a00:1::",           ADDRESS_PRIVATE },
                {"127.0.0.1",              ADDRESS_LOOPBACK},
                {"127.255.255.255",        ADDRESS_LOOPBACK},
                {"::1",                    ADDRESS_LOOPBACK},
                {"::ffff:127.0.0.1",       ADDRESS_LOOPBACK},
                {"2002:7f00:1::",          ADDRESS_LOOPBACK},
                {"64:ff9b::7f00:1",        ADDRESS_LOOPBACK},
                {"0.0.0.0",                ADDRESS_SPECIAL },
                {"169.254.169.254",        ADDRESS_SPECIAL },
                {"::ffff:169.254.169.254", ADDRESS_SPECIAL },
                {"224.0.0.1",              ADDRESS_SPECIAL },
                {"255.255.255.255",        ADDRESS_SPECIAL },
                {"::",                     ADDRESS_SPECIAL },
                {"fe80::1",                ADDRESS_SPECIAL },
                {"fec0::1",                ADDRESS_SPECIAL },
                {"ff02::1",                ADDRESS_SPECIAL },
                {"2001:0:1::1",            ADDRESS_SPECIAL },
                {"64:ff9b:1::1",           ADDRESS_SPECIAL },
                {"::7f00:1",               ADDRESS_SPECIAL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                t_note("%s", cases[i].text);
                t_int(cases[i].rank, rank_of(cases[i].text));
        }
}
