// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The environment's limit of threads for a handle whose creator did not choose a number.
package enum ThreadLimit {
    /// The number in BACKBONE_NUM_THREADS, else in OMP_NUM_THREADS; nil if neither is set.
    package static var environment: Int? { number(of: "BACKBONE_NUM_THREADS") ?? number(of: "OMP_NUM_THREADS") }

    /// The threads of a handle whose creator did not choose a number: one for each processor, within the limit.
    package static var defaultCount: Int {
        let available = ProcessorCount.available
        return min(available, environment ?? available)
    }

    private static func number(of name: StaticString) -> Int? {
        let name = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
        return shims_environment(name).flatMap { number(in: $0) }
    }

    /// The first number of a list with commas (OpenMP has one for each level of nested regions), nil unless it is 1 or
    /// more. Blanks may surround it.
    package static func number(in text: UnsafePointer<CChar>) -> Int? {
        func byte(_ index: Int) -> UInt8 { UInt8(bitPattern: text[index]) }
        func isBlank(_ index: Int) -> Bool { byte(index) == UInt8(ascii: " ") || byte(index) == UInt8(ascii: "\t") }
        var index = 0
        while isBlank(index) { index += 1 }
        var value: Int?
        while byte(index) >= UInt8(ascii: "0") && byte(index) <= UInt8(ascii: "9") {
            let digit = Int(byte(index) - UInt8(ascii: "0"))
            // A number that is too long counts as the largest.
            value = checkedSum(checkedProduct(value ?? 0, 10), digit) ?? .max
            index += 1
        }
        while isBlank(index) { index += 1 }
        guard let value, value > 0, byte(index) == 0 || byte(index) == UInt8(ascii: ",") else { return nil }
        return value
    }
}
