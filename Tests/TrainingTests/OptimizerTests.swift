// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Networks
@testable import Runtime
@testable import Training

/// Groups, validation, freezing and errors.
@Suite struct OptimizerTests {
    private static let names = [
        "conv1.weight", "bn1.weight", "bn1.bias", "layer1.conv1.weight", "layer1.conv1.bias", "layer1.bn1.weight",
        "layer1.bn1.bias", "fc.weight", "fc.bias",
    ]

    private func names(_ network: borrowing Network, _ layout: borrowing TrainableLayout) -> [String] {
        (0..<layout.slots.count).map {
            String(decoding: network.graph.name(of: network.graph.entries[layout.slots[$0].entry]), as: UTF8.self)
        }
    }

    @Test func theLayoutHasTrainableEntriesInOrder() throws {
        var network = try makeNetwork()
        var layout = try TrainableLayout(network)
        var found = names(network, layout)
        #expect(found == Self.names)
        #expect((0..<9).map { layout.slots[$0].offset } == [0, 54, 57, 60, 72, 76, 80, 84, 92])
        #expect(layout.count == 94)
        #expect([0, 53, 54, 93].map { layout.slot(ofElement: $0) } == [0, 0, 1, 8])
        let fits = layout.fits(network)
        #expect(fits)
        try network.freeze(0)
        let fitsFrozen = layout.fits(network)
        #expect(!fitsFrozen)
        layout = try TrainableLayout(network)
        found = names(network, layout)
        #expect(found == Array(Self.names[3...]))
        #expect(layout.count == 34 && layout.slots[0].offset == 0)
        #expect(layout.slot(ofEntry: 0) == nil && layout.slot(ofEntry: layout.slots[5].entry) == 5)
        layout = try TrainableLayout(ofAllParametersOf: network)
        #expect(layout.count == 94)
    }

    @Test func entriesBelongToTheFirstGroupThatMatches() throws {
        func groups(_ list: [(prefix: String?, kinds: UInt32, factor: Double, decay: Double)]) throws -> [Int] {
            let network = try makeNetwork()
            let optimizer = try Optimizer(
                network, OptimizerOptions(.sgd, groups: list), layoutID: 0, kernels: .portable)
            return (0..<optimizer.state.progress.count).map { optimizer.state.progress[$0].group }
        }
        #expect(try groups([]) == Array(repeating: 0, count: 9))
        #expect(try groups([(nil, 0, 1, 0)]) == Array(repeating: 0, count: 9))
        #expect(try groups([(nil, 1, 1, 0)]) == [0, 1, 1, 0, 1, 1, 1, 0, 1])
        #expect(try groups([(nil, 2, 1, 0)]) == [1, 0, 0, 1, 1, 0, 0, 1, 1])
        #expect(try groups([(nil, 4, 1, 0)]) == [1, 1, 1, 1, 0, 1, 1, 1, 0])
        #expect(try groups([(nil, 6, 1, 0), ("fc.", 0, 1, 0)]) == [2, 0, 0, 2, 0, 0, 0, 1, 0])
        #expect(try groups([("layer1", 1, 1, 0), ("layer1", 0, 1, 0), ("", 0, 1, 0)]) == [2, 2, 2, 0, 1, 1, 1, 2, 2])
        #expect(try groups([("fc.", 0, 1, 0), ("fc.", 0, 1, 0)]) == [2, 2, 2, 2, 2, 2, 2, 0, 0])
        #expect(try groups([("fc.weights", 0, 1, 0)]) == Array(repeating: 1, count: 9))
    }

    /// Each wrong value is named, with what was expected.
    @Test func optionsAreChecked() throws {
        func check(
            _ kind: OptimizerOptions.Kind, _ text: String,
            groups: [(prefix: String?, kinds: UInt32, factor: Double, decay: Double)] = [],
            _ change: (inout OptimizerOptions) -> Void = { _ in }, line: SourceLocation = #_sourceLocation
        ) throws {
            let network = try makeNetwork()
            let error = failure {
                _ = try Optimizer(
                    network, OptimizerOptions(kind, groups: groups, change), layoutID: 0, kernels: .portable)
            }
            #expect(
                error?.kind == .invalidArgument && error?.text.contains(text) == true, "\(error?.text ?? "nothing")",
                sourceLocation: line)
        }
        for wrong in [-0.1, .nan, .infinity, 1e39] {
            try check(.sgd, "momentum is ") { $0.momentum = wrong }
            try check(.sgd, "weight_decay is ") { $0.weightDecay = wrong }
            try check(.adamW, "weight_decay is ") { $0.weightDecay = wrong }
            try check(.adamW, "epsilon is ") { $0.epsilon = wrong }
            try check(.sgd, "group 1: learning_rate_factor is ", groups: [(nil, 0, 1, 0), ("fc.", 0, wrong, 0)])
            try check(.adamW, "group 0: weight_decay is ", groups: [(nil, 0, 1, wrong)])
        }
        for wrong in [-0.1, 1, .nan, .infinity] {
            try check(.adamW, "beta1 is ") { $0.beta1 = wrong }
            try check(.adamW, "beta2 is ") { $0.beta2 = wrong }
        }
        try check(.sgd, "dampening is nan") { $0.dampening = .nan }
        try check(.sgd, "momentum is -0.1, expected a finite number that is at least 0") { $0.momentum = -0.1 }
        try check(.sgd, "nesterov is 1") { $0.isNesterov = true }
        try check(.sgd, "but momentum is 0.9 and dampening is 0.5") {
            ($0.isNesterov, $0.momentum, $0.dampening) = (true, 0.9, 0.5)
        }
        try check(.sgd, "kinds of group 0 is 8", groups: [(nil, 8, 1, 0)])
        // What the other kind of optimiser uses is not looked at.
        let network = try makeNetwork()
        _ = try Optimizer(network, OptimizerOptions(.sgd) { $0.beta1 = 2 }, layoutID: 0, kernels: .portable)
        _ = try Optimizer(network, OptimizerOptions(.adamW) { $0.momentum = -1 }, layoutID: 0, kernels: .portable)
    }

    @Test func aNetworkWithoutTrainableParametersIsRefused() throws {
        let configuration = try Configuration(
            depth: 18, inChannels: 3, baseChannels: 1, outStages: 15, normEval: 0, zeroInitResidual: 0)
        var network = try Network(configuration)
        try network.freeze(4)
        let error = failure {
            _ = try Optimizer(network, OptimizerOptions(.sgd), layoutID: 0, kernels: .portable)
        }
        #expect(error?.kind == .invalidArgument && error?.text.contains("no parameter is trainable") == true)
    }

    /// A step that fails changes nothing.
    @Test func stepsAreChecked() throws {
        var network = try makeNetwork()
        var optimizer = try Optimizer(
            network, OptimizerOptions(.sgd, groups: [("fc.", 0, 1e30, 0)]) { $0.momentum = 0.9 }, layoutID: 7,
            kernels: .portable)
        let pool = try ThreadPool(threads: 1)
        let before = try parameters(network)
        let revisions = network.revisions.elements.map { $0 }
        func check(
            _ kind: BackboneError.Kind, _ text: String, _ values: [Float]? = nil, count: Int = 94, rate: Double = 0.1,
            id: UInt64 = 7, line: SourceLocation = #_sourceLocation
        ) throws {
            let error = failure {
                try optimizer.step(
                    &network, gradients: values ?? gradients(94, step: 0), count: count, learningRate: rate,
                    layoutID: id, pool: pool)
            }
            #expect(
                error?.kind == kind && error?.text.contains(text) == true, "\(error?.text ?? "nothing")",
                sourceLocation: line)
            let after = try parameters(network)
            #expect(after == before)
            #expect(network.revisions.elements.map { $0 } == revisions)
            #expect(optimizer.state.progress[0].steps == 0 && !optimizer.state.progress[0].hasBuffer)
        }
        try check(.invalidArgument, "count is 93, expected 94 gradients", count: 93)
        try check(.invalidArgument, "count is -1, expected", count: -1)
        for rate in [-1, Double.nan, .infinity, 1e39] { try check(.invalidArgument, "learning_rate is ", rate: rate) }
        try check(.invalidArgument, "learning_rate is 1e+20, which the factor of group 0", rate: 1e20)
        try check(.stale, "call backbone_optimizer_follow", id: 8)
        for wrong in [Float.nan, .infinity, -.infinity] {
            var values = gradients(94, step: 0)
            values[93] = wrong
            values[61] = wrong
            try check(.notFinite, "the gradient of 'layer1.conv1.weight' is \(wrong) at element 1,", values)
        }
        try network.freeze(0)
        try check(.stale, "call backbone_optimizer_follow")
    }

    @Test func gradientsThatAreNotFiniteMayBeAllowed() throws {
        var network = try makeNetwork()
        var optimizer = try Optimizer(network, OptimizerOptions(.sgd), layoutID: 0, kernels: .portable)
        var values = gradients(94, step: 0)
        values[61] = .nan
        try optimizer.step(
            &network, gradients: values, count: 94, learningRate: 0.1, allowNotFinite: true, layoutID: 0,
            pool: ThreadPool(threads: 1))
        let wrong = try parameters(network).enumerated().filter { $0.element.isNaN }.map(\.offset)
        #expect(wrong == [61])
    }

    /// Nodes with parameters that a step changes are marked as changed, and no others.
    @Test func stepsChangeRevisions() throws {
        var network = try makeNetwork()
        try network.freeze(0)
        var optimizer = try Optimizer(network, OptimizerOptions(.sgd), layoutID: 0, kernels: .portable)
        let before = network.revisions.elements.map { $0 }
        try optimizer.steps(0..<1, &network)
        for index in 0..<network.graph.entries.count {
            let entry = network.graph.entries[index]
            #expect(
                (network.revisions[entry.node] > before[entry.node])
                    == (network.graph.nodes[entry.node].freezeGroup > 0))
        }
    }

    /// A stage that is unfrozen later has a buffer that begins at its first gradient, and the others keep theirs.
    @Test func anOptimizerFollowsAFreeze() throws {
        for kind in [OptimizerOptions.Kind.sgd, .adamW] {
            var network = try makeNetwork()
            try network.freeze(0)
            var optimizer = try Optimizer(
                network, OptimizerOptions(kind) { $0.momentum = 0.9 }, layoutID: 0, kernels: .portable)
            try optimizer.steps(0..<2, &network)
            let averages = array(optimizer.state.averages)
            try network.freeze(-1)
            try optimizer.follow(network, layoutID: 1)
            #expect(optimizer.layoutID == 1 && optimizer.state.layout.count == 94)
            #expect(array(optimizer.state.averages) == Array(repeating: 0, count: 60) + averages)
            #expect((0..<9).map { optimizer.state.progress[$0].steps } == [0, 0, 0, 2, 2, 2, 2, 2, 2])
            try optimizer.steps(2..<3, &network)
            #expect((0..<9).map { optimizer.state.progress[$0].steps } == [1, 1, 1, 3, 3, 3, 3, 3, 3])
            if kind == .sgd {
                #expect(Array(array(optimizer.state.averages)[..<60]) == Array(gradients(94, step: 2)[..<60]))
            }
        }
    }
}
