# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The site of docs/: see scripts/docs."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
