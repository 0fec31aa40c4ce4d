// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// What PyTorch and safetensors wrote is read bit for bit as PyTorch reads it.
struct LoadingTests {
    static let files = ["f32", "f16", "bf16", "f64"].flatMap { type in
        [".pth", ".safetensors", "-deflated.pth", "-big.pth", "-legacy.pth", "-tar.pth"].map { "layouts-\(type)\($0)" }
    }
    static let arrays = ["f32", "f16", "f64"].map { "layouts-\($0)-numpy.pkl" }
    static let variants =
        ["big-deflated.pth", "views.pth", "legacy4.pth", "legacy1.pth", "tar-views.pth", "pickle.pkl"]
        + (0...5).map { "numpy\($0).pkl" } + (0...2).map { "python2-\($0).pkl" }
        + ["numpy-big.pkl", "numpy.pth", "numpy-deflated.pth"]

    @Test(arguments: files + arrays + variants.map { "layouts-f32-\($0)" })
    func everyLayoutOfEveryTypeInEveryContainer(file: String) throws {
        let type = file.split(separator: ".")[0].split(separator: "-")[1]
        try compare(load(fixture(file)), shapes: "layouts.txt", bits: "layouts-\(type).bin")
    }

    /// Compares names, shapes, bits and the order with what the generator has stored.
    private func compare(
        _ loaded: [(name: String, tensor: Loaded)], shapes: String, bits: String, inOrder: Bool = false
    ) throws {
        let expected = try fixtureBits(bits)
        let lines = try fixtureLines(shapes).map { $0.split(separator: " ") }
        let names = loaded.map { $0.name.replacing(" ", with: "_") }
        if inOrder { #expect(names == lines.map { String($0[0]) }) }
        let tensors = Dictionary(uniqueKeysWithValues: zip(names, loaded.map(\.tensor)))
        #expect(tensors.count == lines.count)
        var position = 0
        for line in lines {
            let shape = line.dropFirst().compactMap { Int64($0) }
            let count = Int(shape.reduce(1, *))
            let tensor = try #require(tensors[String(line[0])], "\(line[0])")
            #expect(tensor.shape == shape, "\(line[0])")
            let stored =
                tensor.integers.isEmpty ? tensor.bits : tensor.integers.map { Float($0).bitPattern }
            #expect(stored == Array(expected[position..<position + count]), "\(line[0])")
            position += count
        }
        #expect(position == expected.count)
    }

    /// The checksums in the file are zlib's.
    @Test func theLongestCodesAndFarthestMatchesOfDeflatedData() throws {
        let tensors = try load(fixture("deflated-extremes.pth"))
        let sums = tensors.map { "\($0.name) \($0.tensor.integers.count) \($0.tensor.integers.reduce(0, +))" }
        #expect(try sums == fixtureLines("deflated-extremes.txt"))
    }

    @Test func everyWayToWriteATensor() throws {
        try compare(load(fixture("rebuilds.pth")), shapes: "rebuilds.txt", bits: "rebuilds.bin", inOrder: true)
    }

    /// `write_devices` in pickled_objects.py has them written by PyTorch's functions for other devices.
    @Test(arguments: ["devices.pth", "devices-cpu.pth", "devices-old.pkl"]) func tensorsOfOtherDevices(file: String)
        throws
    {
        try compare(load(fixture(file)), shapes: "devices.txt", bits: "devices.bin", inOrder: true)
    }

    @Test(arguments: [
        "whole-zip.pth", "whole-under-key.pth", "whole-protocol4.pth", "whole-legacy.pth", "whole-tar.pth",
        "whole-pickle.pkl",
    ])
    func aWholeModuleHasTheNamesOfItsStateDict(file: String) throws {
        try compare(load(fixture(file)), shapes: "module.txt", bits: "module.bin", inOrder: true)
        #expect(try StateDict(file: fixture(file)).wrapperString == (file.contains("key") ? "model" : ""))
    }

    @Test func stateDictsOfATrainingCheckpointAreFoundWithTheirPaths() throws {
        let file = try ByteFile(checkpoint: fixture("training.pth"))
        let checkpoint = try PickledCheckpoint(file.reference, .zip)
        let candidates = try checkpoint.candidates()
        let paths = (0..<candidates.list.count).map {
            String(decoding: candidates.path(candidates.list[$0]), as: UTF8.self)
        }
        // The checkpoint itself holds a NumPy array.
        #expect(paths == ["", "state_dict"])
        let nested = try ByteFile(checkpoint: fixture("nested.pth"))
        let inner = try PickledCheckpoint(nested.reference, .zip)
        let found = try inner.candidates()
        let places = (0..<found.list.count).map { index in
            "\(String(decoding: found.path(found.list[index]), as: UTF8.self)) \(found.list[index].depth)"
        }
        #expect(places == [" 0", "ema 1", "model.state_dict 2", "a.b.c 3", "a.b.c.far 4"])
        let names = try (0..<found.list.count).map { index in
            let catalog = try inner.catalog(of: found.list[index])
            return (0..<catalog.entries.count).filter { catalog.entries[$0].isTensor }.map {
                String(decoding: catalog.name($0), as: UTF8.self)
            }
        }
        #expect(names == [["w"], ["weight", "bias"], ["x"], ["y"], ["v"]])
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
        ("deflated-by-hand.pth", "", ""), ("deflated-stored.pth", "", ""), ("small-deflated.pth", "", ""),
        ("small-legacy.pth", "", ""), ("small-tar.pth", "", ""), ("small-pickle.pkl", "", ""),
        ("small-numpy0.pkl", "", ""), ("small-numpy2.pkl", "", ""), ("small-numpy5.pkl", "", ""),
        ("small-python2.pkl", "", ""),
    ]

    @Test(arguments: wrapped) func wrappersPrefixesAndContainers(file: String, wrapper: String, prefix: String) throws {
        let dict = try StateDict(file: fixture(file))
        #expect(dict.wrapperString == wrapper)
        #expect(dict.prefixString == prefix)
        let kinds: [(String, Container)] = [
            ("-legacy.", .legacy), ("-tar.", .tar), (".pkl", .pickle), (".safetensors", .safetensors),
        ]
        #expect(dict.container == kinds.first { file.contains($0.0) }?.1 ?? .zip)
        let tensors = Dictionary(uniqueKeysWithValues: try load(fixture(file)).map { ($0.name, $0.tensor) })
        #expect(tensors == LoadingTests.small)
    }

    static let small = [
        "conv1.weight": Loaded(shape: [2, 3], bits: [0, 0.25, 0.5, 0.75, 1, 1.25].map { Float($0).bitPattern }),
        "bn1.bias": Loaded(shape: [2], bits: [-1.5, 2.5].map { Float($0).bitPattern }),
    ]

    @Test func aPrefixOfSomeNamesStays() throws {
        let dict = try StateDict(file: fixture("module-not-all.pth"))
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
