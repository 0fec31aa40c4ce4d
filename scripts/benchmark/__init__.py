# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The program of scripts/bench, which describes it."""
