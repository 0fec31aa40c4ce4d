// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of one channel of an image as sums in Double, for reference kernels: windows overlap, and each adds to the
/// pixels that it holds.
struct GradientPlane {
    private let sums: UnsafeMutablePointer<Double>
    private let image: Activation

    /// Floats of scratch memory.
    static func floatCount(_ image: Activation) -> Int {
        image.height * image.width * (MemoryLayout<Double>.size / MemoryLayout<Float>.size)
    }

    /// A plane of the size of an image.
    init(_ image: Activation, _ scratch: UnsafeMutablePointer<Float>) {
        sums = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Double.self)
        self.image = image
    }

    func clear() { sums.update(repeating: 0, count: image.height * image.width) }

    func add(_ value: Double, row: Int, column: Int) { sums[row * image.width + column] += value }

    /// Writes the sums to a channel of the image, or adds them to it.
    func write(channel: Int, accumulates: Bool) {
        for row in 0..<image.height {
            for column in 0..<image.width {
                let out = image.pixel(row: row, column: column) + channel
                writeGradient(sums[row * image.width + column], to: out, accumulates: accumulates)
            }
        }
    }
}

/// Replaces a value by a gradient, or adds the gradient to it. Rounds once.
@inline(__always)
func writeGradient(_ gradient: Double, to out: UnsafeMutablePointer<Float>, accumulates: Bool) {
    out.pointee = Float(accumulates ? Double(out.pointee) + gradient : gradient)
}
