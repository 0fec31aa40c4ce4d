// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

@testable import Kernels

/// A random number generator with a seed (SplitMix64), so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }
}

/// A NaN that no computation makes: remaining ones were not written, and results computed from them are NaN.
let canary = Float(bitPattern: 0x7fc0_dead)

func isCanary(_ value: Float) -> Bool { value.bitPattern == canary.bitPattern }

/// Numbers at an address of their own.
final class TestMemory<Element: BitwiseCopyable> {
    let start: UnsafeMutablePointer<Element>
    let count: Int

    init(_ elements: [Element]) {
        count = elements.count
        start = .allocate(capacity: count)
        start.initialize(from: elements, count: count)
    }

    deinit { start.deallocate() }

    var elements: [Element] { Array(UnsafeBufferPointer(start: start, count: count)) }
}

/// Memory of the activations of some images, with canaries before, between and after them.
final class TestActivation {
    let activation: Activation
    let imageCount: Int
    private let memory: UnsafeMutablePointer<Float>
    private let count: Int
    private static let guardCount = 64
    /// Between two images; odd, so that nothing is aligned by chance.
    private static let gap = 37

    /// Activations full of canaries, their borders included.
    init(imageCount: Int = 1, height: Int, width: Int, channels: Int, border: Int) {
        let imageStride = (height + 2 * border) * (width + 2 * border) * channels + TestActivation.gap
        self.imageCount = imageCount
        count = imageCount * imageStride + 2 * TestActivation.guardCount
        memory = .allocate(capacity: count)
        memory.initialize(repeating: canary, count: count)
        activation = Activation(
            block: memory + TestActivation.guardCount, height: height, width: width, channels: channels, border: border,
            imageStride: imageStride)
    }

    /// Activations with the given pixels (in the order image, height, width, channel) in borders of zeros.
    convenience init(imageCount: Int = 1, pixels: [Float], height: Int, width: Int, channels: Int, border: Int) {
        self.init(imageCount: imageCount, height: height, width: width, channels: channels, border: border)
        for image in 0..<imageCount {
            BorderZeroing.run(BorderZeroingTask(activation: activation.image(image)))
        }
        set(pixels)
    }

    deinit { memory.deallocate() }

    /// Writes the pixels in the order image, height, width, channel.
    func set(_ pixels: [Float]) {
        for index in pixels.indices {
            let (pixel, channel) = index.quotientAndRemainder(dividingBy: activation.channels)
            let (line, column) = pixel.quotientAndRemainder(dividingBy: activation.width)
            let (image, row) = line.quotientAndRemainder(dividingBy: activation.height)
            activation.pixel(image: image, row: row, column: column)[channel] = pixels[index]
        }
    }

    /// The pixels in the order image, height, width, channel.
    var pixels: [Float] {
        var all: [Float] = []
        for image in 0..<imageCount {
            for row in 0..<activation.height {
                for column in 0..<activation.width {
                    let pixel = activation.pixel(image: image, row: row, column: column)
                    all.append(contentsOf: UnsafeBufferPointer(start: pixel, count: activation.channels))
                }
            }
        }
        return all
    }

    /// Whether everything but pixels (borders, and the memory before, between and after) still holds its canary.
    var surroundingsAreUntouched: Bool {
        UnsafeBufferPointer(start: memory, count: count).filter(isCanary).count
            == count - imageCount * activation.height * activation.width * activation.channels
            && !pixels.contains(where: isCanary)
    }
}
