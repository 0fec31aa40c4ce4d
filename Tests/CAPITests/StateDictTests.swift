// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Foundation
import Testing

/// Names, shapes and initial values of the state dict.
struct StateDictTests {
    /// Numbers of entries, of which num_batches_tracked, and of parameters, as torchvision's models have them without
    /// their classifier (fc.weight and fc.bias).
    @Test(arguments: [
        (18, 120, 20, 11_176_512), (34, 216, 36, 21_284_672), (50, 318, 53, 23_508_032), (101, 624, 104, 42_500_160),
        (152, 930, 155, 58_143_808),
    ])
    func counts(depth: Int, entries: Int, tracked: Int, parameters: Int) throws {
        let net = try Net(depth: Int32(depth), baseChannels: 64)
        let names = try net.entryNames()
        #expect(names.count == entries)
        #expect(Set(names).count == entries)
        #expect(names.filter { $0.hasSuffix("num_batches_tracked") }.count == tracked)
        var total: Int64 = 0
        for index in names.indices {
            let info = try net.entry(index)
            if info.is_parameter == 1 { total += info.shape.0 * info.shape.1 * info.shape.2 * info.shape.3 }
        }
        #expect(total == parameters)
    }

    /// The order of registration of torchvision's ResNet-50, for the stem and the first block.
    @Test func order() throws {
        let names = try Net(depth: 50).entryNames()
        let norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
        var expected = ["conv1.weight"] + norm.map { "bn1." + $0 }
        for number in 1...3 {
            expected += ["layer1.0.conv\(number).weight"] + norm.map { "layer1.0.bn\(number)." + $0 }
        }
        expected += ["layer1.0.downsample.0.weight"] + norm.map { "layer1.0.downsample.1." + $0 }
        expected += ["layer1.1.conv1.weight"]
        #expect(Array(names.prefix(expected.count)) == expected)
        #expect(names.last == "layer4.2.bn3.num_batches_tracked")
        // Only stages whose shape changes have a projection.
        let basic = try Net(depth: 34).entryNames()
        #expect(!basic.contains { $0.hasPrefix("layer1.0.downsample") })
        #expect(basic.contains("layer2.0.downsample.0.weight"))
        #expect(!basic.contains { $0.contains(".1.downsample") })
    }

    @Test func shapes() throws {
        let net = try Net(depth: 50, baseChannels: 64) { $0.in_channels = 5 }
        func shape(_ name: String) throws -> [Int64] {
            let info = try net.entry(name)
            let all = [info.shape.0, info.shape.1, info.shape.2, info.shape.3]
            #expect(all.dropFirst(Int(info.ndim)).allSatisfy { $0 == 1 })
            return Array(all.prefix(Int(info.ndim)))
        }
        #expect(try shape("conv1.weight") == [64, 5, 7, 7])
        #expect(try shape("layer1.0.conv1.weight") == [64, 64, 1, 1])
        #expect(try shape("layer1.0.downsample.0.weight") == [256, 64, 1, 1])
        #expect(try shape("layer3.0.conv2.weight") == [256, 256, 3, 3])
        #expect(try shape("layer4.2.conv3.weight") == [2048, 512, 1, 1])
        #expect(try shape("layer4.2.bn3.running_var") == [2048])
        #expect(try shape("bn1.num_batches_tracked") == [])
        #expect(try net.entry("bn1.num_batches_tracked").dtype == Int32(BACKBONE_DTYPE_INT64))
    }

    /// Kaiming, fan-out: the standard deviation within 2 %, the mean near 0, tails as a normal distribution has them.
    @Test(arguments: ["conv1.weight", "layer1.0.conv2.weight", "layer2.0.downsample.0.weight", "layer4.0.conv1.weight"])
    func initialDistribution(name: String) throws {
        let net = try Net(depth: 18, baseChannels: 64)
        try check(backbone_init_weights(net.handle, 42))
        let values = try net.read(name).map(Double.init)
        let info = try net.entry(name)
        let expected = (2 / Double(info.shape.0 * info.shape.2 * info.shape.3)).squareRoot()
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let deviation = (values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / count).squareRoot()
        #expect(abs(deviation / expected - 1) < 0.02)
        #expect(abs(mean) < 4 * expected / count.squareRoot())
        let beyond = Double(values.filter { abs($0) > 2 * expected }.count) / count
        #expect(abs(beyond - 0.0455) < 0.01)
    }

    @Test func initialNorms() throws {
        for zeroInit in [0, 1] as [Int32] {
            for depth in [18, 50] as [Int32] {
                let net = try Net(depth: depth) { $0.zero_init_residual = zeroInit }
                try net.write("bn1.running_var", [5, 5, 5, 5])
                try check(backbone_init_weights(net.handle, 3))
                for name in try net.entryNames() where !name.contains("tracked") {
                    let isLast = name.contains(depth == 18 ? ".bn2." : ".bn3.")
                    let value: Float? =
                        if name.contains("conv") || name.contains("downsample.0") {
                            nil
                        } else if name.hasSuffix(".weight") {
                            zeroInit == 1 && isLast ? 0 : 1
                        } else if name.hasSuffix("running_var") { 1 } else { 0 }
                    if let value { #expect(try net.read(name).allSatisfy { $0 == value }, "\(name)") }
                }
            }
        }
    }

    @Test func seeds() throws {
        let (a, b) = (try Net(), try Net())
        // A new network is that of seed 0.
        try check(backbone_init_weights(b.handle, 0))
        #expect(try a.snapshot() == b.snapshot())
        try check(backbone_init_weights(a.handle, 9))
        #expect(try a.snapshot() != b.snapshot())
        try check(backbone_init_weights(b.handle, 9))
        #expect(try a.snapshot() == b.snapshot())
        // Units do not share a stream.
        #expect(try a.read("layer1.0.conv1.weight") != a.read("layer1.0.conv2.weight"))
    }

    @Test func readAndWrite() throws {
        let net = try Net()
        for (index, name) in try net.entryNames().enumerated() {
            let info = try net.entry(index)
            if info.dtype == Int32(BACKBONE_DTYPE_INT64) {
                var value = Int64.max - Int64(index)
                try check(backbone_write_entry(net.handle, index, &value, 8))
                #expect(try net.batchesTracked(name) == value)
            } else {
                let values = randomNumbers(try net.read(name).count, seed: UInt64(index))
                try net.write(name, values)
                #expect(try net.read(name) == values)
            }
        }
        // Each entry has kept what was written to it: no two share memory.
        for (index, name) in try net.entryNames().enumerated() where try net.entry(index).dtype == 0 {
            #expect(try net.read(name) == randomNumbers(try net.read(name).count, seed: UInt64(index)), "\(name)")
        }
    }
}
