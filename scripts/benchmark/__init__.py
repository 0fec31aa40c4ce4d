# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The program behind scripts/bench, which see."""
