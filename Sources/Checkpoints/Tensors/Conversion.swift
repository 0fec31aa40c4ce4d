// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Copies `count` numbers of a file to float32, exactly as PyTorch's `.float()` converts them: float64 is rounded to
/// nearest even, everything else is exact, NaNs keep the bits that fit.
///
/// - Parameters:
///   - source: the first element, aligned to its size; `stride` elements are between two.
///   - out: consecutive.
func convert(
    _ dtype: DType, _ source: UnsafeRawPointer, stride: Int, count: Int, to out: UnsafeMutablePointer<Float>
) {
    switch dtype {
    case .float32:
        let source = source.assumingMemoryBound(to: Float.self)
        for index in 0..<count { out[index] = source[index &* stride] }
    case .float16:
        let source = source.assumingMemoryBound(to: UInt16.self)
        for index in 0..<count { out[index] = floatFromHalf(source[index &* stride]) }
    case .bfloat16:
        let source = source.assumingMemoryBound(to: UInt16.self)
        for index in 0..<count { out[index] = Float(bitPattern: UInt32(source[index &* stride]) << 16) }
    case .float64:
        let source = source.assumingMemoryBound(to: Double.self)
        for index in 0..<count { out[index] = Float(source[index &* stride]) }
    case .int64, .int32, .int16, .int8, .uint8, .bool:
        preconditionFailure("integers are never read as floats")
    }
}

/// Copies `count` numbers of a file to int64; those of floating point without their fractions, as PyTorch's `.long()` does,
/// and 0 for those that have no place there. Parameters as those of the conversion to float32.
func convert(
    _ dtype: DType, _ source: UnsafeRawPointer, stride: Int, count: Int, to out: UnsafeMutablePointer<Int64>
) {
    switch dtype {
    case .int64:
        let source = source.assumingMemoryBound(to: Int64.self)
        for index in 0..<count { out[index] = source[index &* stride] }
    case .int32:
        let source = source.assumingMemoryBound(to: Int32.self)
        for index in 0..<count { out[index] = Int64(source[index &* stride]) }
    case .int16:
        let source = source.assumingMemoryBound(to: Int16.self)
        for index in 0..<count { out[index] = Int64(source[index &* stride]) }
    case .int8:
        let source = source.assumingMemoryBound(to: Int8.self)
        for index in 0..<count { out[index] = Int64(source[index &* stride]) }
    case .uint8:
        let source = source.assumingMemoryBound(to: UInt8.self)
        for index in 0..<count { out[index] = Int64(source[index &* stride]) }
    case .bool:
        let source = source.assumingMemoryBound(to: UInt8.self)
        for index in 0..<count { out[index] = source[index &* stride] == 0 ? 0 : 1 }
    case .float32, .float16, .bfloat16:
        for index in 0..<count {
            var value: Float = 0
            convert(dtype, source + index &* stride &* dtype.size, stride: 1, count: 1, to: &value)
            out[index] = truncated(Double(value))
        }
    case .float64:
        let source = source.assumingMemoryBound(to: Double.self)
        for index in 0..<count { out[index] = truncated(source[index &* stride]) }
    }
}

private func truncated(_ value: Double) -> Int64 { value > -0x1p63 && value < 0x1p63 ? Int64(value) : 0 }

/// The value of an IEEE 754 half-precision number. Integer arithmetic, as the baseline instruction set has no
/// conversion, and a process may have disabled subnormal numbers.
@inline(__always)
func floatFromHalf(_ half: UInt16) -> Float {
    let sign = UInt32(half & 0x8000) << 16
    let exponent = UInt32(half >> 10 & 0x1f)
    let fraction = UInt32(half & 0x3ff)
    // 2^-24 is the smallest subnormal; its multiples are normal as floats.
    let subnormal = (Float(fraction) * 0x1p-24).bitPattern
    // The biases of the exponents are 15 and 127.
    let normal = (exponent &+ 112) << 23 | fraction << 13
    // A signalling NaN becomes quiet, as in the processor's own conversion.
    let special = 0x7f80_0000 | fraction << 13 | (fraction != 0 ? 0x40_0000 : 0)
    return Float(bitPattern: sign | (exponent == 0 ? subnormal : exponent == 31 ? special : normal))
}
