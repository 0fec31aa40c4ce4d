# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Finds wordings that CONTRIBUTING.md asks not to use, in prose, comments and messages."""
