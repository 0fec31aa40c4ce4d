# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What depends on what in the sources: `scripts/house`."""
