// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// What PyTorch and safetensors wrote is read bit for bit as PyTorch reads it.
struct LoadingTests {
    static let files = ["f32", "f16", "bf16", "f64"].flatMap { ["layouts-\($0).pth", "layouts-\($0).safetensors"] }

    @Test(arguments: files) func everyLayoutOfEveryType(file: String) throws {
        let expected = try fixtureBits(file.split(separator: ".")[0] + ".bin")
        let shapes = try fixtureLines("layouts.txt").map { $0.split(separator: " ") }
        let loaded = Dictionary(uniqueKeysWithValues: try load(fixture(file)).map { ($0.name, $0.tensor) })
        #expect(loaded.count == shapes.count)
        var position = 0
        for line in shapes {
            let shape = line.dropFirst().compactMap { Int64($0) }
            let count = Int(shape.reduce(1, *))
            let tensor = try #require(loaded[String(line[0])], "\(line[0])")
            #expect(tensor.shape == shape, "\(line[0])")
            #expect(tensor.bits == Array(expected[position..<position + count]), "\(line[0])")
            position += count
        }
        #expect(position == expected.count)
    }

    @Test(arguments: ["f16", "bf16", "f64"]) func valuesAreConvertedAsPyTorchDoes(type: String) throws {
        let expected = try fixtureBits("values-\(type).bin")
        let actual = try #require(try load(fixture("values-\(type).pth")).first).tensor.bits
        #expect(actual.count == expected.count)
        for (index, (a, b)) in zip(actual, expected).enumerated() where a != b {
            // PyTorch itself makes different NaNs in the vectors and in the rest of its loop.
            if type == "f16" && Float(bitPattern: a).isNaN && Float(bitPattern: b).isNaN { continue }
            Issue.record("value \(index) is \(String(a, radix: 16)), PyTorch has \(String(b, radix: 16))")
        }
    }

    @Test func everyHalfIsConvertedAsTheCompilerDoes() {
        for pattern in UInt16.min...UInt16.max {
            let expected = Float(Float16(bitPattern: pattern))
            let actual = floatFromHalf(pattern)
            if expected.isNaN {
                #expect(actual.isNaN)
            } else if actual.bitPattern != expected.bitPattern {
                Issue.record("half \(pattern) is \(actual), expected \(expected)")
            }
        }
    }

    /// Files with the two tensors of `small()` in the generator, and under which key and prefix they hold them.
    static let wrapped: [(file: String, wrapper: String, prefix: String)] = [
        ("plain.pth", "", ""), ("ordered.pth", "", ""), ("state_dict.pth", "state_dict", ""),
        ("model.pth", "model", ""), ("module.pth", "", "module."), ("wrapped-module.pth", "state_dict", "module."),
        ("parameters.pth", "", ""), ("protocol3.pth", "state_dict", ""), ("protocol4.pth", "state_dict", ""),
        ("protocol5.pth", "state_dict", ""), ("rezipped.pth", "", ""), ("zip64.pth", "", ""), ("comment.pth", "", ""),
        ("no-checksums.pth", "", ""), ("by-hand.pth", "", ""), ("ordered.safetensors", "", ""),
    ]

    @Test(arguments: wrapped) func wrappersPrefixesAndContainers(file: String, wrapper: String, prefix: String) throws {
        let dict = try StateDict(path: fixture(file))
        #expect(dict.wrapperString == wrapper)
        #expect(dict.prefixString == prefix)
        #expect(dict.container == (file.hasSuffix(".pth") ? .zip : .safetensors))
        let tensors = Dictionary(uniqueKeysWithValues: try load(fixture(file)).map { ($0.name, $0.tensor) })
        #expect(tensors == LoadingTests.small)
    }

    static let small = [
        "conv1.weight": Loaded(shape: [2, 3], bits: [0, 0.25, 0.5, 0.75, 1, 1.25].map { Float($0).bitPattern }),
        "bn1.bias": Loaded(shape: [2], bits: [-1.5, 2.5].map { Float($0).bitPattern }),
    ]

    @Test func aPrefixOfSomeNamesStays() throws {
        let dict = try StateDict(path: fixture("module-not-all.pth"))
        #expect((0..<dict.count).map { dict.nameString($0) } == ["module.conv1.weight", "bn1.bias"])
        #expect(dict.prefixString == "")
    }

    @Test func whatIsNoTensorIsSkipped() throws {
        let tensors = Dictionary(uniqueKeysWithValues: try load(fixture("mixed.pth")).map { ($0.name, $0.tensor) })
        #expect(tensors == LoadingTests.small)
    }

    @Test func aTrainingCheckpointWithUnknownClasses() throws {
        let names = try load(fixture("training.pth")).map(\.name)
        #expect(
            names == [
                "conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
                "bn1.num_batches_tracked",
            ])
    }

    @Test func integersOfEveryType() throws {
        let tensors = try load(fixture("integers.pth"))
        #expect(tensors.map(\.name) == ["int64", "int32", "int16", "int8", "uint8", "bool"])
        for (name, tensor) in tensors { #expect(tensor == Loaded(shape: [], integers: [1]), "\(name)") }
        let many = try load(fixture("integers-many.pth"))
        #expect(many.map(\.tensor.integers) == [[-5, 300], [200, 7]])
    }

    @Test func namesInJSONAreUnescaped() throws {
        let tensors = try load(fixture("escapes.safetensors"))
        #expect(tensors.map(\.name) == ["a\"\\/\u{8}\u{c}\n\r\té😀"])
        #expect(tensors[0].tensor == Loaded(shape: [1, 2], bits: [Float(1.5).bitPattern, Float(-2.5).bitPattern]))
    }

    @Test func stridesOfDimensionsOfSizeOneAreOfNoConsequence() throws {
        let tensor = try #require(try load(fixture("stride-unused.pth")).first).tensor
        #expect(tensor == Loaded(shape: [1, 2, 2, 1], bits: [3, 5, 4, 6].map { Float($0).bitPattern }))
    }

    @Test func aStorageOfManyPieces() throws {
        // 70,000 float64 are more than four pieces; every fourth is wanted, and all of them by another name.
        let scratch = try Scratch()
        let count = 70_000
        var header = "{\"w\":{\"dtype\":\"F64\",\"shape\":[\(count)],\"data_offsets\":[0,\(8 * count)]}}"
        while header.utf8.count % 8 != 0 { header += " " }
        var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
        for index in 0..<count { bytes += withUnsafeBytes(of: (Double(index) + 0.5).bitPattern) { Array($0) } }
        let path = try scratch.write("long.safetensors", bytes)
        let tensor = try #require(try load(path).first).tensor
        #expect(tensor.bits == (0..<count).map { Float(Double($0) + 0.5).bitPattern })
    }
}
