# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The steps of scripts/docs that are not Doxygen's or Sphinx's."""

import sys
from pathlib import Path

from pages.stage import write_source
from pages.tables import write_tables

match sys.argv[1:]:
    case ["source", folder]:
        write_source(Path(folder))
    case ["tables"]:
        write_tables()
    case _:
        sys.exit("usage: python -m pages source FOLDER | tables")
