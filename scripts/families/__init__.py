# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What scripts/family runs: the whole residual family of PyTorch, opened by the library and compared."""
