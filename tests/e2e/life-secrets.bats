# SPDX-License-Identifier: Apache-2.0
# Configuration and secrets travel on descriptors, never in a command line or an environment.

load helpers

@test "values given to a box are in its workload's environment and nowhere else in /proc" {
        run --separate-stderr timeout 100 python3 -B "$BATS_TEST_DIRNAME/life-secrets.py" "$COFFER_BIN_DIR/coffer"
        expect_status 0
}
