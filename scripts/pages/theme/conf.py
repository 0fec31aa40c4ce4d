# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Settings of Sphinx for the site that scripts/docs builds."""

import backbone

project = "libbackbone"
version = release = backbone.__version__
copyright = "2026 The libbackbone authors"  # noqa: A001
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]

html_theme = "furo"
html_title = f"libbackbone {version}"
html_static_path = ["static"]
html_css_files = ["style.css"]
# Doxygen's pages, as a folder beside the others.
html_extra_path = ["extra"]
html_copy_source = False
html_show_sphinx = False

# Anchors of headings are those that viewers of repositories make.
myst_heading_anchors = 4
highlight_language = "none"
# Output with "..." in it, and files that are not in their language throughout.
suppress_warnings = ["misc.highlighting_failure"]

# Docstrings name things of their module in single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_mock_imports = ["torch", "ray", "pyarrow", "matplotlib"]
autodoc_typehints = "signature"
maximum_signature_line_length = 72
napoleon_numpy_docstring = False
napoleon_use_ivar = True
