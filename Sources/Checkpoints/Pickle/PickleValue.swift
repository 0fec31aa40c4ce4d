// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A value of a pickle: a kind and two numbers, which are indices into the tables of a `Pickle`.
///
/// Values refer to each other by index and are never copied, so that a pickle that mentions one value a million times
/// ("memo bomb") costs a million indices and not a million values.
struct PickleValue {
    enum Kind: UInt8 {
        /// A value of no further interest here.
        case other
        case none
        /// `first` is 0 or 1.
        case boolean
        /// A floating-point number or an integer beyond Int64, whose value does not matter.
        case number
        /// `first` and `second` are the low and high half of an Int64.
        case integer
        /// `first` in `texts`.
        case string
        /// Bytes: `first` in `texts`.
        case bytes
        /// Items `first ..< first + second` of `items`.
        case tuple
        /// A list or set. Chain in `pairs`, whose keys are none, from `first` to `second`.
        case list
        /// Chain in `pairs` from `first` to `second`.
        case dict
        /// A name of a class or function: `first` in `globals`.
        case global
        /// `first` in `storages`.
        case storage
        /// `first` in `tensors`.
        case tensor
        /// A NumPy dtype: `first` is the raw value of a `DType`, `second` 1 where the bytes of a number are reversed.
        case arrayType
        /// A tensor of a kind that is not read: `first` is the raw value of an `UnreadTensor`, `second` its detail.
        case unread
        /// What an unknown class or function would have made: `first` in `objects`; none for one of which nothing is known.
        case opaque
    }

    /// No index.
    static var none: UInt32 { .max }

    var kind: Kind
    var first = none
    var second = none

    init(_ kind: Kind) { self.kind = kind }

    init(_ kind: Kind, _ first: Int, _ second: UInt32 = none) {
        self.kind = kind
        self.first = UInt32(first)
        self.second = second
    }

    init(integer: Int64) {
        kind = .integer
        let bits = UInt64(bitPattern: integer)
        first = UInt32(truncatingIfNeeded: bits)
        second = UInt32(truncatingIfNeeded: bits >> 32)
    }

    var integer: Int { Int(Int64(bitPattern: UInt64(second) << 32 | UInt64(first))) }
}
