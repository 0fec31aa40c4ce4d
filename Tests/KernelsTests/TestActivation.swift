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

/// A NaN that no computation makes: what is still there was not written, and what was computed from it is NaN.
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

/// Memory of an activation with canaries before and behind it.
final class TestActivation {
    let activation: Activation
    private let memory: UnsafeMutablePointer<Float>
    private let count: Int
    private static let guardCount = 64

    /// An activation full of canaries, its border included.
    init(height: Int, width: Int, channels: Int, border: Int) {
        let blockCount = (height + 2 * border) * (width + 2 * border) * channels
        count = blockCount + 2 * TestActivation.guardCount
        memory = .allocate(capacity: count)
        memory.initialize(repeating: canary, count: count)
        activation = Activation(
            block: memory + TestActivation.guardCount, height: height, width: width, channels: channels, border: border)
    }

    /// An activation with the given pixels (in the order height, width, channel) in a border of zeros.
    convenience init(pixels: [Float], height: Int, width: Int, channels: Int, border: Int) {
        self.init(height: height, width: width, channels: channels, border: border)
        BorderZeroing.run(task: BorderZeroingTask(activation: activation), block: 0, scratch: memory)
        for row in 0..<height {
            for column in 0..<width {
                for channel in 0..<channels {
                    activation.pixel(row: row, column: column)[channel] =
                        pixels[(row * width + column) * channels + channel]
                }
            }
        }
    }

    deinit { memory.deallocate() }

    /// The pixels in the order height, width, channel.
    var pixels: [Float] {
        var all: [Float] = []
        for row in 0..<activation.height {
            for column in 0..<activation.width {
                let pixel = activation.pixel(row: row, column: column)
                all.append(contentsOf: UnsafeBufferPointer(start: pixel, count: activation.channels))
            }
        }
        return all
    }

    /// Whether all that is not a pixel (the border, and what lies before and behind) still holds its canary.
    var surroundingsAreUntouched: Bool {
        UnsafeBufferPointer(start: memory, count: count).filter(isCanary).count
            == count - activation.height * activation.width * activation.channels
            && !pixels.contains(where: isCanary)
    }
}
