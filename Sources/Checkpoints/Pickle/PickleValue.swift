// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A value of a pickle: a kind and two numbers, which are indices into the tables of a `Pickle`.
///
/// Values refer to each other by index and are never copied, so a pickle that mentions one value a million times ("memo
/// bomb") costs a million indices, not a million values.
struct PickleValue {
    enum Kind: UInt8 {
        /// A value without a use.
        case other
        case none
        /// `first` is 0 or 1.
        case boolean
        /// A floating-point number: `first` and `second` are the low and high half of a Double. None for both if the
        /// value does not matter: for an integer beyond Int64, and for one written as text.
        case number
        /// `first` and `second` are the low and high half of an Int64.
        case integer
        /// `first` in `texts`.
        case string
        /// Bytes: `first` in `texts`.
        case bytes
        /// Items `first ..< first + second` of `items`.
        case tuple
        /// A list or set. Chain in `pairs`, whose keys are unused, from `first` to `second`.
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
        /// A tensor of an unsupported kind: `first` is the raw value of an `UnreadTensor`, `second` its detail.
        case unread
        /// The object of an unknown class or function: `first` in `objects`; none for one without known values.
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

    init(integer: Int64) { self.init(.integer, bits: UInt64(bitPattern: integer)) }

    init(number: Double) { self.init(.number, bits: number.bitPattern) }

    private init(_ kind: Kind, bits: UInt64) {
        self.kind = kind
        first = UInt32(truncatingIfNeeded: bits)
        second = UInt32(truncatingIfNeeded: bits >> 32)
    }

    private var bits: UInt64 { UInt64(second) << 32 | UInt64(first) }
    var integer: Int { Int(Int64(bitPattern: bits)) }
    /// NaN if it does not matter.
    var number: Double { Double(bitPattern: bits) }
}
