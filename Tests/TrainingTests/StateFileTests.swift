// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Testing

@testable import Checkpoints
@testable import Networks
@testable import Runtime
@testable import Training

/// States of optimisers in files: PyTorch's, ours and hostile ones.
@Suite struct StateFileTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/optimizers")

    private static func path(_ name: String) -> String { folder.appendingPathComponent(name + ".pth").path }

    private static let groups: [(prefix: String?, kinds: UInt32, factor: Double, decay: Double)] = [
        (nil, ParameterGroups.norms, 1, 0), ("fc.", 0, 10, 1e-2),
    ]

    /// Options with which the fixtures were made.
    private static func options(
        _ kind: OptimizerOptions.Kind, groups: Bool = false
    ) throws -> OptimizerOptions {
        try OptimizerOptions(kind, groups: groups ? Self.groups : []) { $0.momentum = 0.9 }
    }

    /// What our optimiser has after so many steps.
    private static func stepped(
        _ kind: OptimizerOptions.Kind, steps: Int, frozen: Int32 = -1, groups: Bool = false
    ) throws -> (averages: [Float], squares: [Float]) {
        var network = try makeNetwork()
        try network.freeze(frozen)
        var optimizer = try Optimizer(network, options(kind, groups: groups), layoutID: 0, kernels: .portable)
        try optimizer.steps(0..<steps, &network)
        return (array(optimizer.state.averages), array(optimizer.state.squares))
    }

    /// Reads a file into an optimiser that has not taken a step.
    private static func load(
        _ path: String, _ optimizer: inout Optimizer, _ network: borrowing Network
    ) throws -> String {
        let file = try OptimizerDict(path: path)
        let loaded = try optimizer.readState(
            from: file, for: network, layoutID: optimizer.layoutID, pool: ThreadPool(threads: 2))
        let note = BackboneError(.io, loaded.note).text
        try optimizer.check(loaded, network, layoutID: optimizer.layoutID)
        optimizer.adopt(loaded)
        return note
    }

    /// What a load of a file warns of.
    private static func warnings(
        _ path: String, _ optimizer: borrowing Optimizer, _ network: borrowing Network
    ) throws -> [String] {
        let loaded = try optimizer.readState(
            from: OptimizerDict(path: path), for: network, layoutID: optimizer.layoutID, pool: ThreadPool(threads: 1))
        return (0..<loaded.warnings.count).map { BackboneError(.io, loaded.warnings[$0]).text }
    }

    struct Sound: Sendable {
        let name: String
        let kind: OptimizerOptions.Kind
        let steps: Int
        var frozen: Int32 = -1
        var groups = false
        let note: String
        var warnings: [String] = []
    }

    static let sound = [
        Sound(
            name: "sgd-all", kind: .sgd, steps: 2,
            note: "optimizer state of the 9 trainable parameters, in the order of the state dict"),
        Sound(
            name: "sgd-frozen-all", kind: .sgd, steps: 2, frozen: 0,
            note: "optimizer state of all 9 parameters, in the order of the state dict"),
        Sound(
            name: "sgd-frozen-trainable", kind: .sgd, steps: 2, frozen: 0,
            note: "optimizer state of the 6 trainable parameters, in the order of the state dict"),
        Sound(
            name: "sgd-alone", kind: .sgd, steps: 2, frozen: 0,
            note: "optimizer state of the 6 trainable parameters, in the order of the state dict"),
        Sound(
            name: "adamw-all", kind: .adamW, steps: 3,
            note: "optimizer state of the 9 trainable parameters, in the order of the state dict"),
        Sound(
            name: "adamw-old", kind: .adamW, steps: 3,
            note: "optimizer state of the 9 trainable parameters, in the order of the state dict"),
        Sound(
            name: "adamw-wide", kind: .adamW, steps: 3,
            note: "optimizer state of the 9 trainable parameters, in the order of the state dict"),
        Sound(
            name: "adamw-groups", kind: .adamW, steps: 3, groups: true,
            note: "optimizer state of the 9 trainable parameters, by groups"),
        // With groups in our optimiser, and none in the file.
        Sound(
            name: "adamw-all", kind: .adamW, steps: 3, groups: true,
            note: "optimizer state of the 9 trainable parameters, in the order of the state dict",
            warnings: [
                "the optimizer state was saved with weight_decay 0.01 for 'bn1.weight', and continues with 0: options in "
                    + "files are ignored"
            ]),
    ]

    @Test(arguments: sound) func statesOfPyTorchAreRead(_ testCase: Sound) throws {
        var network = try makeNetwork()
        try network.freeze(testCase.frozen)
        var optimizer = try Optimizer(
            network, Self.options(testCase.kind, groups: testCase.groups), layoutID: 3, kernels: .portable)
        let warnings = try Self.warnings(Self.path(testCase.name), optimizer, network)
        #expect(warnings == testCase.warnings)
        let note = try Self.load(Self.path(testCase.name), &optimizer, network)
        #expect(note == testCase.note)
        let expected = try Self.stepped(
            testCase.kind, steps: testCase.steps, frozen: testCase.frozen, groups: testCase.groups)
        #expect(differences(array(optimizer.state.averages), expected.averages.map(\.bitPattern)) == [])
        #expect(differences(array(optimizer.state.squares), expected.squares.map(\.bitPattern)) == [])
        for slot in 0..<optimizer.state.progress.count {
            let progress = optimizer.state.progress[slot]
            #expect(progress.hasBuffer == (testCase.kind == .sgd))
            #expect(progress.steps == (testCase.kind == .sgd ? 0 : testCase.steps))
        }
    }

    /// Options in a file are ignored; where they differ the caller is told.
    @Test func otherOptionsAreToldOf() throws {
        let network = try makeNetwork()
        func warnings(
            _ name: String, _ kind: OptimizerOptions.Kind, groups: Bool = false,
            _ change: (inout OptimizerOptions) -> Void
        ) throws -> [String] {
            var options = try Self.options(kind, groups: groups)
            change(&options)
            let optimizer = try Optimizer(network, options, layoutID: 0, kernels: .portable)
            return try Self.warnings(Self.path(name), optimizer, network)
        }
        func line(_ key: String, _ saved: String, _ own: String, _ name: String = "conv1.weight") -> String {
            "the optimizer state was saved with \(key) \(saved) for '\(name)', and continues with \(own): options in files "
                + "are ignored"
        }
        #expect(try warnings("sgd-all", .sgd) { _ in } == [])
        // 0.9 as a Float, which a caller may have had.
        #expect(try warnings("sgd-all", .sgd) { $0.momentum = Double(Float(0.9)) } == [])
        let sgd = try warnings("sgd-all", .sgd) {
            $0.momentum = 0.5
            $0.isNesterov = true
            $0.weightDecay = 1e-4
        }
        #expect(
            sgd == [line("momentum", "0.9", "0.5"), line("nesterov", "0", "1"), line("weight_decay", "0", "0.0001")])
        let dampened = try warnings("sgd-all", .sgd) { $0.dampening = 0.25 }
        #expect(dampened == [line("dampening", "0", "0.25")])
        let adamW = try warnings("adamw-old", .adamW) {
            $0.beta1 = 0.8
            $0.beta2 = 0.99
            $0.epsilon = 1e-6
        }
        #expect(
            adamW == [line("betas", "0.9", "0.8"), line("betas", "0.999", "0.99"), line("eps", "1e-08", "1e-06")])
        // The decay of each group, of which the first is that of the norms, without any.
        #expect(try warnings("adamw-groups", .adamW, groups: true) { _ in } == [])
        let grouped = try warnings("adamw-groups", .adamW, groups: true) { $0.weightDecay = 0.5 }
        #expect(grouped == [line("weight_decay", "0.01", "0.5")])
    }

    /// Values that are not finite are a warning, since training may have made them.
    @Test func spoiledStatesAreToldOf() throws {
        var network = try makeNetwork()
        var optimizer = try Optimizer(network, Self.options(.adamW), layoutID: 0, kernels: .portable)
        try optimizer.steps(0..<1, &network)
        optimizer.state.averages.start[70] = .nan
        let path = Self.scratch("spoiled.pth")
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Self.save(optimizer, network, to: path)
        let name = network.graph.name(of: network.graph.entries[optimizer.state.layout.slots[3].entry])
        let warnings = try Self.warnings(path, optimizer, network)
        #expect(
            warnings == [
                "the optimizer state of '\(String(decoding: name, as: UTF8.self))' has NaN or infinities, which the next "
                    + "step would put into the weights; load an earlier file"
            ])
    }

    /// A file with the state of frozen parameters, or without that of some, fits too.
    @Test func statesOfOtherParametersAreSkipped() throws {
        var network = try makeNetwork()
        try network.freeze(0)
        var optimizer = try Optimizer(network, Self.options(.adamW), layoutID: 0, kernels: .portable)
        let note = try Self.load(Self.path("adamw-all"), &optimizer, network)
        #expect(
            note
                == "optimizer state of all 9 parameters, in the order of the state dict; that of 3 frozen ones was skipped"
        )
        let all = try Self.stepped(.adamW, steps: 3).averages
        #expect(array(optimizer.state.averages) == Array(all[60...]))

        try network.freeze(-1)
        optimizer = try Optimizer(network, Self.options(.sgd), layoutID: 0, kernels: .portable)
        let other = try Self.load(Self.path("sgd-frozen-all"), &optimizer, network)
        #expect(
            other
                == "optimizer state of the 9 trainable parameters, in the order of the state dict; 3 trainable ones have none"
        )
        #expect(
            (0..<9).map { optimizer.state.progress[$0].hasBuffer } == [false, false, false]
                + Array(repeating: true, count: 6))

        let plain = try Self.load(Self.path("sgd-plain"), &optimizer, network)
        #expect(plain.hasSuffix("; 9 trainable ones have none"))
    }

    struct Bad: Sendable {
        let name: String
        let kind: BackboneError.Kind
        let text: String
    }

    static let bad = [
        (
            "shape", .mismatch,
            "exp_avg of parameter 3 of its optimizer state has shape [3, 4, 1, 1], expected [4, 3, 1, 1], that of 'layer1.conv1.weight'"
        ),
        ("text", .badCheckpoint, "'3.exp_avg' of its optimizer state is a string"),
        ("none", .badCheckpoint, "no 'exp_avg' of parameter 3"),
        ("integers", .badCheckpoint, "'3.exp_avg' of its optimizer state is a tensor of int64"),
        ("step-nan", .badCheckpoint, "a step of its optimizer state is nan"),
        ("step-half", .badCheckpoint, "a step of its optimizer state is 1.5"),
        ("step-negative", .badCheckpoint, "a step of its optimizer state is -1"),
        ("step-huge", .badCheckpoint, "a step of its optimizer state is 4.6"),
        ("step-number", .badCheckpoint, "'3.step' of its optimizer state is a number"),
        ("step-shape", .badCheckpoint, "'3.step' of its optimizer state has shape [2]"),
        ("square", .badCheckpoint, "an exp_avg_sq of its optimizer state is -0.5, expected a mean of squares"),
        ("amsgrad", .mismatch, "has 'max_exp_avg_sq'"),
        ("lacking", .badCheckpoint, "no 'exp_avg_sq' of parameter 3"),
        ("entry", .badCheckpoint, "the state of parameter 3 is a list"),
        ("index-huge", .badCheckpoint, "a key of 'state' is a number, expected an integer of 64 bits"),
        ("index-other", .badCheckpoint, "values for parameter 10, which is in none"),
        ("index-negative", .badCheckpoint, "values for parameter -1, which is in none"),
        ("index-key", .badCheckpoint, "a key of 'state' is a string"),
        ("params-twice", .badCheckpoint, "parameter 3 twice"),
        ("params-text", .badCheckpoint, "group 0 of its optimizer state has a string"),
        ("params-more", .mismatch, "for 10 parameters in 1 groups, but the network has 9, of which 9 are trainable"),
        ("params-none", .badCheckpoint, "group 0 of its optimizer state has no list 'params'"),
        ("cycle", .badCheckpoint, "a key of 'state' is a string"),
        ("cycle-groups", .badCheckpoint, "group 1 of its optimizer state has no list 'params'"),
        ("list", .badCheckpoint, "its optimizer is a list, expected a dict"),
        ("nothing", .badCheckpoint, "it has no optimizer state"),
    ].map { (case_: (String, BackboneError.Kind, String)) in Bad(name: "bad-" + case_.0, kind: case_.1, text: case_.2) }

    @Test(arguments: bad) func hostileStatesAreRefusedAndChangeNothing(_ testCase: Bad) throws {
        var network = try makeNetwork()
        var optimizer = try Optimizer(network, Self.options(.adamW), layoutID: 0, kernels: .portable)
        try optimizer.steps(0..<1, &network)
        let (averages, squares) = (array(optimizer.state.averages), array(optimizer.state.squares))
        let error = failure { _ = try Self.load(Self.path(testCase.name), &optimizer, network) }
        #expect(
            error?.kind == testCase.kind && error?.text.contains(testCase.text) == true, "\(error?.text ?? "nothing")")
        #expect(error?.text.hasPrefix("/") == true)
        #expect(array(optimizer.state.averages) == averages && array(optimizer.state.squares) == squares)
        #expect(optimizer.state.progress[3].steps == 1)
    }

    @Test func otherOptimizersAreRefused() throws {
        let network = try makeNetwork()
        var sgd = try Optimizer(network, Self.options(.sgd), layoutID: 0, kernels: .portable)
        var error = failure { _ = try Self.load(Self.path("adamw-all"), &sgd, network) }
        #expect(error?.kind == .mismatch && error?.text.contains("has 'exp_avg', which SGD does not keep") == true)
        var adamW = try Optimizer(network, Self.options(.adamW), layoutID: 0, kernels: .portable)
        error = failure { _ = try Self.load(Self.path("sgd-all"), &adamW, network) }
        #expect(error?.kind == .mismatch && error?.text.contains("has 'momentum_buffer'") == true)
        // The groups of the file in another order than ours.
        error = failure { _ = try Self.load(Self.path("adamw-groups"), &adamW, network) }
        #expect(error?.kind == .mismatch && error?.text.contains("for 9 parameters in 3 groups") == true)
        error = failure { _ = try Self.load(Self.path("missing"), &adamW, network) }
        #expect(error?.kind == .fileNotFound)
        // Buffers without momentum have no use.
        var plain = try Optimizer(network, OptimizerOptions(.sgd), layoutID: 0, kernels: .portable)
        _ = try Self.load(Self.path("sgd-all"), &plain, network)
        #expect(plain.state.averages.count == 0 && !plain.state.progress[0].hasBuffer)
    }

    /// Beginnings of a file, and the file with one byte changed, are read or refused.
    @Test func damagedFilesAreReadOrRefused() throws {
        let network = try makeNetwork()
        let optimizer = try Optimizer(network, Self.options(.adamW), layoutID: 0, kernels: .portable)
        let pool = try ThreadPool(threads: 1)
        var succeeded = 0
        func read(_ bytes: [UInt8]) {
            let error = failure {
                try bytes.withUnsafeBytes {
                    let file = try OptimizerDict(memory: $0)
                    _ = try optimizer.readState(from: file, for: network, layoutID: 0, pool: pool)
                }
            }
            if error == nil { succeeded += 1 }
        }
        for name in ["adamw-old", "adamw-all"] {
            let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Self.path(name))))
            succeeded = 0
            read(whole)
            #expect(succeeded == 1)
            for count in stride(from: 0, to: whole.count, by: 23) { read(Array(whole[..<count])) }
            #expect(succeeded == 1, "a beginning of \(name) was read")
            var changed = whole
            for position in stride(from: 0, to: whole.count, by: 11) {
                changed[position] = ~whole[position]
                read(changed)
                changed[position] = whole[position]
            }
        }
    }

    // MARK: - Saving

    private static func scratch(_ name: String) -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("backbone-\(getpid())-\(name)").path
    }

    private static func save(
        _ optimizer: borrowing Optimizer, _ network: borrowing Network, to path: String
    ) throws {
        try optimizer.save(
            network, stateDict: stateDictSources(of: network), learningRate: 0.05, layoutID: optimizer.layoutID,
            to: path)
    }

    /// What is saved is the file that PyTorch was seen to read, byte for byte, and is read back.
    @Test(arguments: [OptimizerOptions.Kind.sgd, .adamW]) func statesAreSaved(_ kind: OptimizerOptions.Kind) throws {
        var network = try makeNetwork()
        var optimizer = try Optimizer(network, Self.options(kind, groups: true), layoutID: 0, kernels: .portable)
        try network.freeze(0)
        try optimizer.follow(network, layoutID: 0)
        try optimizer.steps(0..<2, &network)
        let name = kind == .sgd ? "saved-sgd" : "saved-adamw"
        let path = Self.scratch(name + ".pth")
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Self.save(optimizer, network, to: path)
        if ProcessInfo.processInfo.environment["BACKBONE_WRITE_FIXTURES"] == "1" {
            try? FileManager.default.removeItem(atPath: Self.path(name))
            try FileManager.default.copyItem(atPath: path, toPath: Self.path(name))
        }
        let isStored =
            try Data(contentsOf: URL(fileURLWithPath: path)) == Data(contentsOf: URL(fileURLWithPath: Self.path(name)))
        #expect(isStored)

        var other = try Optimizer(network, Self.options(kind, groups: true), layoutID: 0, kernels: .portable)
        let note = try Self.load(path, &other, network)
        #expect(note == "optimizer state of the 6 trainable parameters, by groups")
        #expect(array(other.state.averages) == array(optimizer.state.averages))
        #expect(array(other.state.squares) == array(optimizer.state.squares))
        // The weights are found among all dicts of the file.
        let dict = try StateDict(path: path, StateDictSelection(key: bytes(of: "state_dict")))
        #expect(dict.count == network.graph.entries.count)
        // Both go on in the same way.
        var copy = try makeNetwork()
        try copy.freeze(0)
        for index in 0..<network.graph.entries.count {
            let entry = network.graph.entries[index]
            copy.write(copy.graph.entries[index], from: network.address(of: entry))
        }
        try optimizer.steps(2..<4, &network)
        try other.steps(2..<4, &copy)
        let (first, second) = (try parameters(network), try parameters(copy))
        #expect(first == second)
    }

    @Test func savingIsChecked() throws {
        var network = try makeNetwork()
        let optimizer = try Optimizer(network, Self.options(.sgd), layoutID: 0, kernels: .portable)
        var error = failure { try Self.save(optimizer, network, to: Self.scratch("x.safetensors")) }
        #expect(error?.kind == .invalidArgument && error?.text.contains(".pth") == true)
        error = failure { try Self.save(optimizer, network, to: "/no/such/folder/x.pth") }
        #expect(error?.kind == .fileNotFound)
        // Before the first step the file has groups, but no state.
        let path = Self.scratch("before.pth")
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Self.save(optimizer, network, to: path)
        var other = try Optimizer(network, Self.options(.sgd), layoutID: 0, kernels: .portable)
        let note = try Self.load(path, &other, network)
        #expect(note.hasSuffix("9 trainable ones have none"))
        try network.freeze(0)
        error = failure { try Self.save(optimizer, network, to: path) }
        #expect(error?.kind == .stale)
    }

    @Test func aStateThatWasReadForAnotherLayoutIsStale() throws {
        var network = try makeNetwork()
        var optimizer = try Optimizer(network, Self.options(.sgd), layoutID: 0, kernels: .portable)
        let file = try OptimizerDict(path: Self.path("sgd-all"))
        let loaded = try optimizer.readState(from: file, for: network, layoutID: 0, pool: ThreadPool(threads: 1))
        try network.freeze(0)
        try optimizer.follow(network, layoutID: 1)
        do {
            try optimizer.check(loaded, network, layoutID: 1)
            Issue.record("a state of another layout was adopted")
        } catch {
            #expect((error as? BackboneError)?.kind == .stale)
        }
        #expect(optimizer.state.layout.count == 34)
    }
}
