# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`python -m backbone` is the command `backbone`."""

from .command import main

if __name__ == "__main__":
    main()
