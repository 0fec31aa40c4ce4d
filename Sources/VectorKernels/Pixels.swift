// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// Pixels of three planes, channels last. Each plane has `width` floats.
    @inline(never)
    package static func interleave(
        _ plane0: UnsafePointer<Float>, _ plane1: UnsafePointer<Float>, _ plane2: UnsafePointer<Float>, width: Int,
        out: UnsafeMutablePointer<Float>
    ) {
        var x = 0
        while x &+ 8 <= width {
            let a = loadEight(plane0 + x)
            let b = loadEight(plane1 + x)
            let c = loadEight(plane2 + x)
            storePixels(a, b, c, out + 3 &* x)
            x &+= 8
        }
        while x < width {
            out[3 &* x] = plane0[x]
            out[3 &* x &+ 1] = plane1[x]
            out[3 &* x &+ 2] = plane2[x]
            x &+= 1
        }
    }
}

/// Eight pixels of three channels.
@inline(__always)
private func storePixels(_ a: SIMD8<Float>, _ b: SIMD8<Float>, _ c: SIMD8<Float>, _ out: UnsafeMutablePointer<Float>) {
    storeEight(SIMD8<Float>(a[0], b[0], c[0], a[1], b[1], c[1], a[2], b[2]), out)
    storeEight(SIMD8<Float>(c[2], a[3], b[3], c[3], a[4], b[4], c[4], a[5]), out + 8)
    storeEight(SIMD8<Float>(b[5], c[5], a[6], b[6], c[6], a[7], b[7], c[7]), out + 16)
}

extension Leaves {
    /// `(Float(x) - mean) / deviation` of pixels of three channels that follow each other without a gap.
    ///
    /// `means` and `deviations` are 24 values: those of eight pixels.
    @inline(never)
    package static func normalizePixels(
        _ source: UnsafePointer<UInt8>, width: Int, means: UnsafePointer<Float>, deviations: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>
    ) {
        let (mean0, mean1, mean2) = (loadEight(means), loadEight(means + 8), loadEight(means + 16))
        let (deviation0, deviation1, deviation2) = (
            loadEight(deviations), loadEight(deviations + 8), loadEight(deviations + 16)
        )
        var x = 0
        while x &+ 8 <= width {
            let from = source + 3 &* x
            let to = out + 3 &* x
            storeEight((floats(from) - mean0) / deviation0, to)
            storeEight((floats(from + 8) - mean1) / deviation1, to + 8)
            storeEight((floats(from + 16) - mean2) / deviation2, to + 16)
            x &+= 8
        }
        var rest = 0
        while rest < 3 &* (width &- x) {
            out[3 &* x &+ rest] = (Float(source[3 &* x &+ rest]) - means[rest]) / deviations[rest]
            rest &+= 1
        }
    }
}

extension Leaves {
    /// `(x - mean) / deviation` of floats, in place; `means` and `deviations` as for `normalizePixels`.
    @inline(never)
    package static func normalizeInPlace(
        _ pixels: UnsafeMutablePointer<Float>, width: Int, means: UnsafePointer<Float>, deviations: UnsafePointer<Float>
    ) {
        let (mean0, mean1, mean2) = (loadEight(means), loadEight(means + 8), loadEight(means + 16))
        let (deviation0, deviation1, deviation2) = (
            loadEight(deviations), loadEight(deviations + 8), loadEight(deviations + 16)
        )
        var x = 0
        while x &+ 8 <= width {
            let eight = pixels + 3 &* x
            storeEight((loadEight(eight) - mean0) / deviation0, eight)
            storeEight((loadEight(eight + 8) - mean1) / deviation1, eight + 8)
            storeEight((loadEight(eight + 16) - mean2) / deviation2, eight + 16)
            x &+= 8
        }
        var rest = 0
        while rest < 3 &* (width &- x) {
            pixels[3 &* x &+ rest] = (pixels[3 &* x &+ rest] - means[rest]) / deviations[rest]
            rest &+= 1
        }
    }
}

extension Leaves {
    /// `normalizePixels` for pixels of which the channels are at three addresses, and the columns `stride` bytes apart:
    /// planes, or pixels of more channels or in another order.
    @inline(never)
    package static func normalizePlanes(
        _ plane0: UnsafePointer<UInt8>, _ plane1: UnsafePointer<UInt8>, _ plane2: UnsafePointer<UInt8>, stride: Int,
        width: Int, means: UnsafePointer<Float>, deviations: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>
    ) {
        let (mean0, mean1, mean2) = (broadcast(means[0]), broadcast(means[1]), broadcast(means[2]))
        let deviation0 = broadcast(deviations[0])
        let deviation1 = broadcast(deviations[1])
        let deviation2 = broadcast(deviations[2])
        var x = 0
        while x &+ 8 <= width {
            let offset = x &* stride
            let a = (floats(plane0 + offset, stride) - mean0) / deviation0
            let b = (floats(plane1 + offset, stride) - mean1) / deviation1
            let c = (floats(plane2 + offset, stride) - mean2) / deviation2
            storePixels(a, b, c, out + 3 &* x)
            x &+= 8
        }
        while x < width {
            let offset = x &* stride
            out[3 &* x] = (Float(plane0[offset]) - means[0]) / deviations[0]
            out[3 &* x &+ 1] = (Float(plane1[offset]) - means[1]) / deviations[1]
            out[3 &* x &+ 2] = (Float(plane2[offset]) - means[2]) / deviations[2]
            x &+= 1
        }
    }
}

@inline(__always)
private func broadcast(_ value: Float) -> SIMD8<Float> { SIMD8<Float>(repeating: value) }

@inline(__always)
private func floats(_ source: UnsafePointer<UInt8>) -> SIMD8<Float> {
    SIMD8<Float>(UnsafeRawPointer(source).loadUnaligned(as: SIMD8<UInt8>.self))
}

@inline(__always)
private func floats(_ p: UnsafePointer<UInt8>, _ stride: Int) -> SIMD8<Float> {
    if stride == 1 { return floats(p) }
    return SIMD8<Float>(
        SIMD8<UInt8>(
            p[0], p[stride], p[2 &* stride], p[3 &* stride], p[4 &* stride], p[5 &* stride], p[6 &* stride],
            p[7 &* stride]))
}
