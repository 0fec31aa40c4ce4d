# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""How far features may be from those that PyTorch computes in float64, and how far they were."""

import numpy as np

# The largest difference by the largest value, for C2 to C5: of direct arithmetic, and with Winograd's.
DIRECT_BOUNDS = (1e-5, 1e-4, 1e-4, 3e-4)
BOUNDS = (5e-5, 1e-4, 1e-4, 3e-4)

# Worst errors by row of the table: C2 to C5, and the number of comparisons.
_worst = {}


def relative_error(actual, expected):
    """max |a - b| / max |b|; 0 for two empty arrays."""
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    if expected.size == 0:
        return 0.0
    assert np.isfinite(actual).all()
    difference = np.abs(actual.astype(np.float64) - expected).max()
    largest = np.abs(expected).max()
    return float(difference / largest) if largest > 0 else float(difference)


def check_error(row, stage, error, what, bounds=BOUNDS):
    """Record the error of C(stage + 2) for the table, and fail if it is beyond the bound."""
    worst = _worst.setdefault(row, [0.0] * 4 + [0])
    worst[stage] = max(worst[stage], float(error))
    worst[4] += 1
    assert error <= bounds[stage], f"{what}, C{stage + 2}: relative error {error:.3e}, bound {bounds[stage]:.0e}"


def check_features(row, actual, expected, what, bounds=BOUNDS):
    """Compare C2 to C5 with the reference, and record the errors under a row of the table."""
    for stage, (left, right) in enumerate(zip(actual, expected, strict=True)):
        check_error(row, stage, relative_error(left, right), what, bounds)


def recorded():
    """The errors so far, for `merge` in another process."""
    return list(_worst.items())


def merge(errors):
    """Take in what another process has recorded."""
    for row, others in errors:
        worst = _worst.setdefault(tuple(row), [0.0] * 4 + [0])
        worst[:] = [*map(max, worst[:4], others[:4]), worst[4] + others[4]]


def table():
    """The lines of the table: the worst errors so far, by row and stage."""
    if not _worst:
        return []
    lines = [f"{'':40}{'C2':>10}{'C3':>10}{'C4':>10}{'C5':>10}  comparisons"]
    for row, (*errors, count) in sorted(_worst.items()):
        lines.append(f"{' '.join(map(str, row)):40}" + "".join(f"{error:10.1e}" for error in errors) + f"{count:13}")
    for name, bounds in (("bound", BOUNDS), ("bound of direct arithmetic", DIRECT_BOUNDS)):
        lines.append(f"{name:40}" + "".join(f"{bound:10.0e}" for bound in bounds))
    return lines
