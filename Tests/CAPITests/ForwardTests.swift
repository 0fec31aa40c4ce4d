// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Foundation
import Testing

/// Features against a naive network in Double, and bits against bits.
struct ForwardTests {
    /// BatchNorms with statistics that keep activations near 1 and differ from channel to channel.
    static func withSensibleNorms(_ net: Net) throws {
        for (index, name) in try net.entryNames().enumerated() where name.hasSuffix(".running_var") {
            let norm = String(name.dropLast("running_var".count))
            let count = try net.read(name).count
            let noise = randomNumbers(4 * count, seed: UInt64(index))
            try net.write(norm + "weight", (0..<count).map { 0.8 + 0.3 * noise[$0] })
            try net.write(norm + "bias", (0..<count).map { 0.2 * noise[count + $0] })
            try net.write(norm + "running_mean", (0..<count).map { 0.3 * noise[2 * count + $0] })
            try net.write(norm + "running_var", (0..<count).map { 1.5 + noise[3 * count + $0] })
        }
    }

    @Test(arguments: [18, 34, 50, 101, 152], [(33, 20), (1, 1)])
    func matchesNaiveNetwork(depth: Int, size: (Int, Int)) throws {
        let net = try Net(depth: Int32(depth), baseChannels: 2) { $0.in_channels = 2 }
        try Self.withSensibleNorms(net)
        let (height, width) = size
        let input = randomNumbers(2 * height * width, seed: 7)
        var image = NaiveNetwork.Image(2, height, width)
        image.values = input.map(Double.init)
        let expected = try NaiveNetwork(depth: depth, net: net).features(image)
        let actual = try net.forward(input, shape: [1, 2, Int64(height), Int64(width)])
        for (stage, bound) in [1e-5, 1e-4, 1e-4, 3e-4].enumerated() {
            #expect(actual[stage].count == expected[stage].values.count)
            let largest = expected[stage].values.map(abs).max() ?? 0
            #expect(largest > 1e-3, "a vanished activation would hide errors")
            for (a, b) in zip(actual[stage], expected[stage].values) {
                #expect(abs(Double(a) - b) <= bound * largest, "C\(stage + 2)")
            }
        }
    }

    @Test(arguments: [18, 50] as [Int32])
    func sameBitsForEveryThreadCountAndBatch(depth: Int32) throws {
        let shape: [Int64] = [3, 3, 70, 45]
        let input = randomNumbers(3 * 3 * 70 * 45, seed: 11)
        let serial = try Net(depth: depth, baseChannels: 8) { $0.threads = 1 }
        let expected = try serial.forward(input, shape: shape)
        for threads in 2...5 as ClosedRange<Int32> {
            let net = try Net(depth: depth, baseChannels: 8) { $0.threads = threads }
            #expect(try net.forward(input, shape: shape) == expected, "\(threads) threads")
        }
        let imageSize = input.count / 3
        for image in 0..<3 {
            let alone = try serial.forward(
                Array(input[image * imageSize..<(image + 1) * imageSize]), shape: [1, 3, 70, 45])
            for stage in 0..<4 {
                let size = alone[stage].count
                #expect(alone[stage] == Array(expected[stage][image * size..<(image + 1) * size]))
            }
        }
    }

    @Test func manyThreadsOnOneHandleEqualSerialBits() throws {
        let net = try Net(depth: 50, baseChannels: 8)
        let shapes: [[Int64]] = [[1, 3, 64, 64], [2, 3, 33, 65], [1, 3, 7, 90], [1, 3, 1, 1]]
        let inputs = shapes.enumerated().map { randomNumbers(Int($1.reduce(1, *)), seed: UInt64($0)) }
        let expected = try zip(inputs, shapes).map { try net.forward($0, shape: $1) }
        let failures = Counter()
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for round in 0..<6 {
                let index = (thread + round) % shapes.count
                let actual = try? net.forward(inputs[index], shape: shapes[index])
                if actual != expected[index] { failures.add() }
            }
        }
        #expect(failures.value == 0)
    }

    @Test func changesConcurrentWithForwards() throws {
        let net = try Net()
        let input = randomNumbers(3 * 40 * 40, seed: 2)
        let expected = try net.forward(input, shape: [1, 3, 40, 40])
        let failures = Counter()
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for round in 0..<10 {
                if thread == 0 {
                    if backbone_freeze(net.handle, Int32(round % 6) - 1) != 0 { failures.add() }
                } else if thread == 1 {
                    // The same values again: weights are packed anew, with the same bits.
                    guard let values = try? net.read("conv1.weight") else { return failures.add() }
                    if (try? net.write("conv1.weight", values)) == nil { failures.add() }
                } else if (try? net.forward(input, shape: [1, 3, 40, 40])) != expected {
                    failures.add()
                }
            }
        }
        #expect(failures.value == 0)
    }

    /// Any strides of the input give the bits that contiguous NCHW gives.
    @Test func inputStrides() throws {
        let net = try Net()
        let (n, c, h, w) = (2, 3, 18, 23)
        let input = randomNumbers(n * c * h * w, seed: 3)
        let shape = [n, c, h, w].map(Int64.init)
        let expected = try net.forward(input, shape: shape)
        func value(_ i: Int, _ j: Int, _ y: Int, _ x: Int) -> Float { input[((i * c + j) * h + y) * w + x] }

        // Channels last; a window of a larger image; rows and columns backwards.
        let layouts: [(strides: [Int], offset: Int, size: Int)] = [
            ([h * w * c, 1, w * c, c], 0, input.count),
            ([c * 31 * 41, 31 * 41, 41, 1], 5 * 41 + 7, n * c * 31 * 41),
            ([h * w * c, h * w, -w, -1], (h - 1) * w + w - 1, input.count),
            ([7, 14 * h * w, 14 * w, 14], 0, 14 * c * h * w),
        ]
        for layout in layouts {
            var memory = [Float](repeating: .nan, count: layout.size)
            for i in 0..<n {
                for j in 0..<c {
                    for y in 0..<h {
                        for x in 0..<w {
                            let place = zip([i, j, y, x], layout.strides).map(*).reduce(layout.offset, +)
                            memory[place] = value(i, j, y, x)
                        }
                    }
                }
            }
            let shapes = try net.outputShapes(shape)
            var features = shapes.map { [Float](repeating: .nan, count: Int($0.reduce(1, *))) }
            try memory.withUnsafeMutableBufferPointer { memory in
                var tensor = backbone_tensor(
                    memory.baseAddress.map { $0 + layout.offset }, shape: shape, strides: layout.strides.map(Int64.init)
                )
                try withTensors(&features, shapes) { try check(backbone_forward(net.handle, &tensor, $0, 4)) }
            }
            #expect(features == expected, "strides \(layout.strides)")
        }
    }

    /// Features go where the strides say and nowhere else.
    @Test func outputStrides() throws {
        let net = try Net()
        let shape: [Int64] = [2, 3, 40, 33]
        let input = randomNumbers(Int(shape.reduce(1, *)), seed: 4)
        let expected = try net.forward(input, shape: shape)
        let shapes = try net.outputShapes(shape)
        // Channels last inside rows that are 3 pixels longer, images 11 floats apart.
        let strides = shapes.map { s in [(s[3] + 3) * s[1] * s[2] + 11, 1, (s[3] + 3) * s[1], s[1]] }
        var memory = zip(shapes, strides).map { [Float](repeating: -77, count: Int($0[0] * $1[0]) + 5) }
        var image = input
        let blocks = memory.map { UnsafeMutableBufferPointer<Float>.allocate(capacity: $0.count) }
        for (block, values) in zip(blocks, memory) { _ = block.initialize(from: values) }
        let tensors = blocks.indices.map {
            backbone_tensor(blocks[$0].baseAddress, shape: shapes[$0], strides: strides[$0])
        }
        try image.withUnsafeMutableBytes { image in
            var tensor = backbone_tensor(image.baseAddress, shape: shape, strides: contiguous(shape))
            try check(backbone_forward(net.handle, &tensor, tensors, 4))
        }
        for (index, block) in blocks.enumerated() {
            memory[index] = Array(block)
            block.deallocate()
        }
        for (stage, s) in shapes.enumerated() {
            var written = 0
            for n in 0..<s[0] {
                for c in 0..<s[1] {
                    for y in 0..<s[2] {
                        for x in 0..<s[3] {
                            let place = zip([n, c, y, x], strides[stage]).map { $0 * $1 }.reduce(0, +)
                            #expect(
                                memory[stage][Int(place)]
                                    == expected[stage][Int(((n * s[1] + c) * s[2] + y) * s[3] + x)])
                            memory[stage][Int(place)] = -77
                            written += 1
                        }
                    }
                }
            }
            #expect(written == expected[stage].count)
            #expect(memory[stage].allSatisfy { $0 == -77 }, "C\(stage + 2): memory between the elements was written")
        }
    }

    /// uint8 is `(x - mean) / std` in float32, in the order of channels asked for.
    @Test(arguments: [0, 1] as [Int32])
    func uint8Input(channelOrder: Int32) throws {
        let (mean, deviation): ([Float], [Float]) = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
        let net = try mean.withUnsafeBufferPointer { mean in
            try deviation.withUnsafeBufferPointer { deviation in
                try Net {
                    $0.mean = mean.baseAddress
                    $0.std_dev = deviation.baseAddress
                    $0.channel_order = channelOrder
                }
            }
        }
        let (h, w) = (19, 27)
        var pixels = (0..<h * w * 3).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        var floats = [Float](repeating: 0, count: 3 * h * w)
        for y in 0..<h {
            for x in 0..<w {
                for c in 0..<3 {
                    let source = channelOrder == 1 ? 2 - c : c
                    floats[(c * h + y) * w + x] = (Float(pixels[(y * w + x) * 3 + source]) - mean[c]) / deviation[c]
                }
            }
        }
        let shape: [Int64] = [1, 3, Int64(h), Int64(w)]
        let expected = try net.forward(floats, shape: shape)
        let shapes = try net.outputShapes(shape)
        var features = shapes.map { [Float](repeating: .nan, count: Int($0.reduce(1, *))) }
        try pixels.withUnsafeMutableBytes { pixels in
            var tensor = backbone_tensor(
                pixels.baseAddress, shape: shape, strides: [Int64(3 * h * w), 1, Int64(3 * w), 3],
                dtype: Int(BACKBONE_DTYPE_UINT8))
            try withTensors(&features, shapes) { try check(backbone_forward(net.handle, &tensor, $0, 4)) }
        }
        #expect(features == expected)
    }

    /// Computation, and the network, end at the deepest stage asked for; what is left has the same bits.
    @Test(arguments: [1, 2, 3, 5, 7, 8, 9, 15] as [UInt32])
    func truncatedNetwork(stages: UInt32) throws {
        let whole = try Net(depth: 50)
        let part = try Net(depth: 50) { $0.out_stages = stages }
        let input = randomNumbers(3 * 30 * 30, seed: 5)
        let all = try whole.forward(input, shape: [1, 3, 30, 30])
        let wanted = (0..<4).filter { stages >> $0 & 1 == 1 }
        #expect(try part.forward(input, shape: [1, 3, 30, 30], count: wanted.count) == wanted.map { all[$0] })
        let deepest = (wanted.last ?? 0) + 1
        let names = try part.entryNames()
        #expect(
            names
                == (try whole.entryNames()).filter { name in
                    !(deepest + 1..<5).contains { name.hasPrefix("layer\($0).") }
                })
    }

    /// The stride of a size of 1 is never taken: any number will do, and gives the same bits.
    @Test(arguments: [[1, 3, 1, 1], [1, 3, 1, 5], [1, 3, 5, 1], [2, 3, 1, 1], [1, 3, 5, 7]] as [[Int64]])
    func stridesOfSizesOfOne(shape: [Int64]) throws {
        let net = try Net()
        var image = randomNumbers(Int(shape.reduce(1, *)), seed: 9)
        let expected = try net.forward(image, shape: shape)
        let shapes = try net.outputShapes(shape)
        func strides(_ shape: [Int64], _ number: Int64) -> [Int64] {
            zip(shape, contiguous(shape)).map { $0 == 1 ? number : $1 }
        }
        for number in [.min, .min + 1, .max, .max - 1, -1, 0] as [Int64] {
            var memory = shapes.map { [Float](repeating: .nan, count: Int($0.reduce(1, *))) }
            try image.withUnsafeMutableBytes { image in
                var tensor = backbone_tensor(image.baseAddress, shape: shape, strides: strides(shape, number))
                try withTensors(&memory, shapes) { outputs in
                    var outputs = outputs
                    for stage in 0..<4 {
                        let chosen = strides(shapes[stage], number)
                        outputs[stage].strides = (chosen[0], chosen[1], chosen[2], chosen[3])
                    }
                    try check(backbone_forward(net.handle, &tensor, outputs, 4))
                }
            }
            #expect(memory == expected, "\(number)")
        }
    }

    @Test func emptyBatch() throws {
        let net = try Net()
        #expect(try net.outputShapes([0, 3, 9, 9]) == [[0, 4, 3, 3], [0, 8, 2, 2], [0, 16, 1, 1], [0, 32, 1, 1]])
        let features = try net.forward([], shape: [0, 3, 9, 9])
        #expect(features.allSatisfy { $0.isEmpty })
    }
}

final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0
    func add() { lock.withLock { count += 1 } }
    var value: Int { lock.withLock { count } }
}
