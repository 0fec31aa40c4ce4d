// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Arithmetic on numbers that come from callers and files: nil instead of a trap if the result overflows Int.

/// The sum of two numbers, nil on overflow.
@inlinable public func checkedSum(_ a: Int, _ b: Int) -> Int? {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? nil : sum
}

/// The product of two numbers, nil on overflow.
@inlinable public func checkedProduct(_ a: Int, _ b: Int) -> Int? {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow ? nil : product
}

/// The product of two numbers, nil on overflow or if either factor is unknown.
@inlinable public func checkedProduct(_ a: Int?, _ b: Int?) -> Int? {
    guard let a, let b else { return nil }
    return checkedProduct(a, b)
}

/// The sum of two numbers, nil on overflow or if either is unknown.
@inlinable public func checkedSum(_ a: Int?, _ b: Int?) -> Int? {
    guard let a, let b else { return nil }
    return checkedSum(a, b)
}
