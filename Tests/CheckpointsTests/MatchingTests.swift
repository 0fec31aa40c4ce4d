// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// What a network expects against what a file holds.
struct MatchingTests {
    private func match(
        _ file: String, _ expected: [(String, [Int64])], ignorable: [StaticString] = []
    ) throws -> LoadReport {
        try Expectation(expected).match(StateDict(file: fixture(file)), ignorable: ignorable)
    }

    @Test func classesAndOrder() throws {
        let expectation = Expectation([
            ("layer9.weight", [1], .float32, false), ("conv1.bias", [2], .float32, false),
            ("conv1.weight", [2, 1, 1, 2], .float32, false), ("bn1.num_batches_tracked", [], .int64, true),
            ("bn7.num_batches_tracked", [], .int64, true), ("alpha", [3], .float32, false),
        ])
        let dict = try StateDict(file: fixture("training.pth"))
        let report = try expectation.match(dict, ignorable: ["bn1.running", "fc."])
        #expect(report.names(.loaded) == ["conv1.bias", "bn1.num_batches_tracked"])
        #expect(report.names(.missing) == ["layer9.weight", "alpha"])
        #expect(report.names(.mismatched) == ["conv1.weight"])
        #expect(report.names(.ignorable) == ["bn7.num_batches_tracked", "bn1.running_mean", "bn1.running_var"])
        #expect(report.names(.unexpected) == ["bn1.weight", "bn1.bias"])
        #expect(report.match(0).expected == 1 && report.match(1).expected == 3)
        #expect(dict.nameString(report.match(1).tensor) == "bn1.num_batches_tracked")
        #expect(String(cString: report.property(.container)) == "zip")
        #expect(String(cString: report.property(.wrapper)) == "state_dict")
        #expect(String(cString: report.property(.prefix)) == "")
        let beyond = [report.entry(.loaded, 2), report.entry(.loaded, -1), report.entry(.missing, Int.max)]
        #expect(beyond.allSatisfy { $0 == nil })

        let entryFound = report.entry(.mismatched, 0)
        let entry = try #require(entryFound)
        #expect(entry.expectedRank == 4 && entry.actualRank == 4)
        #expect((0..<8).map { entry.expectedShape[$0] } == [2, 1, 1, 2, 0, 0, 0, 0])
        #expect((0..<8).map { entry.actualShape[$0] } == [2, 1, 1, 1, 0, 0, 0, 0])
        let missingFound = report.entry(.missing, 1)
        let missing = try #require(missingFound)
        #expect(missing.expectedRank == 1 && missing.actualRank == -1 && missing.expectedShape[0] == 3)
        let unexpectedFound = report.entry(.unexpected, 0)
        let unexpected = try #require(unexpectedFound)
        #expect(unexpected.expectedRank == -1 && unexpected.actualRank == 1 && unexpected.actualShape[0] == 2)
        let scalarFound = report.entry(.loaded, 1)
        let scalar = try #require(scalarFound)
        #expect(scalar.expectedRank == 0 && scalar.actualRank == 0)
    }

    @Test func aReportOutlivesItsFile() throws {
        func make() throws -> LoadReport { try match("module.pth", [("conv1.weight", [2, 3])]) }
        let report = try make()
        #expect(report.names(.loaded) == ["conv1.weight"])
        #expect(report.names(.unexpected) == ["module.bn1.bias"])
        #expect(String(cString: report.property(.prefix)) == "module.")
    }

    @Test(arguments: [[2, 3, 1], [3, 2], [6], [1, 2, 3], [2, 1], []] as [[Int64]])
    func shapesAreTheSameOrNot(shape: [Int64]) throws {
        let report = try match("ordered.pth", [("bn1.bias", [2]), ("conv1.weight", shape)])
        #expect(report.names(.mismatched) == ["conv1.weight"] && report.names(.loaded) == ["bn1.bias"])
        let entry = report.entry(.mismatched, 0)
        #expect(entry.map { Array($0.expected) } == shape && entry.map { Array($0.actual) } == [2, 3])
    }

    @Test func aScalarIsNotOneElement() throws {
        let report = try match("layouts-f32.pth", [("scalar", [1]), ("one", [])])
        #expect(report.names(.mismatched) == ["scalar", "one"])
    }

    /// A value that is not a readable tensor is an error if it is needed, and ignored otherwise.
    @Test(
        arguments: [
            ("unread.pth", "w", "is a quantised qint8 tensor"),
            ("negated.pth", "w", "is a conjugated or negated view"),
            ("mixed.pth", "epoch", "is a number"), ("mixed.pth", "history", "is a list"),
            ("escapes.safetensors", "z", "is a float8_e4m3fn tensor"),
            ("complex.pth", "conv1.weight", "is a complex tensor (complex64)"),
        ])
    func aNeededOpaqueValue(file: String, name: String, text: String) throws {
        do {
            _ = try match(file, [(name, [8])])
            Issue.record("it matched")
        } catch let error as BackboneError {
            #expect(error.kind == .badCheckpoint)
            #expect(
                error.text.contains("'\(name)' \(text)"),
                "\(error.text)")
        }
        let others = try match(file, [("v", [8])])
        #expect(!others.names(.unexpected).contains(name))
    }

    @Test func kindsOfNumbersMustFit() throws {
        do {
            _ = try match("integers.pth", [("int16", [])])
            Issue.record("integers became floats")
        } catch let error as BackboneError {
            #expect(error.kind == .badCheckpoint)
            #expect(error.text.contains("'int16' is int16"))
        }
    }

    /// Counts do not affect features: whatever is one number is taken for one.
    @Test func countsAreNumbers() throws {
        let dict = try StateDict(file: fixture("ordered.pth"))
        #expect(try Expectation([("bn1.bias", [2], .int64, false)]).match(dict).names(.ignorable) == ["bn1.bias"])
        let layouts = try StateDict(file: fixture("layouts-f32.pth"))
        let report = try Expectation([("scalar", [], .int64, false), ("one", [], .int64, false)]).match(layouts)
        #expect(report.names(.loaded) == ["scalar", "one"])
    }

    @Test func namesAreFound() throws {
        let dict = try StateDict(file: fixture("training.pth"))
        for index in 0..<dict.count { #expect(dict.name(index).map { dict.find($0) } == index) }
        for absent in ["", "a", "zz", "bn1", "bn1.bias2", "conv1.biar"] {
            var text = absent
            #expect(text.withUTF8 { dict.find($0) } == nil)
        }
    }
}
