# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Experiments that show why residual networks train: see scripts/degradation, scripts/transfer and docs/theory.md."""
