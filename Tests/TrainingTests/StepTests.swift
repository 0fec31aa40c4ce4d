// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels
@testable import Networks
@testable import Runtime
@testable import Training

/// Steps against stored ones of PyTorch.
@Suite struct StepTests {
    struct Case: Sendable {
        let name: String
        var decay: Double
        var momentum = 0.0
        var dampening = 0.0
        var isNesterov = false
        let parameters: [UInt32]
        var buffers: [UInt32] = []
    }

    static let sgd: [Case] = [
        Case(name: "plain", decay: 0, parameters: PyTorchSteps.plainParameters),
        Case(name: "decay", decay: 1e-2, parameters: PyTorchSteps.decayParameters),
        Case(
            name: "momentum", decay: 0, momentum: 0.9, parameters: PyTorchSteps.momentumParameters,
            buffers: PyTorchSteps.momentumBuffers),
        Case(
            name: "dampening", decay: 1e-2, momentum: 0.9, dampening: 0.3, parameters: PyTorchSteps.dampeningParameters,
            buffers: PyTorchSteps.dampeningBuffers),
        Case(
            name: "nesterov", decay: 1e-2, momentum: 0.9, isNesterov: true, parameters: PyTorchSteps.nesterovParameters,
            buffers: PyTorchSteps.nesterovBuffers),
    ]

    @Test(arguments: sgd) func sgdHasPyTorchsBits(_ testCase: Case) throws {
        for kernels in allKernels() {
            for threads in [1, 2] {
                var network = try makeNetwork()
                let options = try OptimizerOptions(.sgd) {
                    $0.weightDecay = testCase.decay
                    $0.momentum = testCase.momentum
                    $0.dampening = testCase.dampening
                    $0.isNesterov = testCase.isNesterov
                }
                var optimizer = try Optimizer(network, options, layoutID: 0, kernels: kernels)
                try optimizer.steps(0..<3, &network, threads: threads)
                let actual = try differences(parameters(network), testCase.parameters)
                #expect(actual == [], "\(testCase.name), \(kernels.sgdStep.name)")
                let buffers = differences(array(optimizer.state.averages), testCase.buffers)
                #expect(buffers == [], "\(testCase.name), \(kernels.sgdStep.name)")
            }
        }
    }

    private func checkAdamW(
        _ name: String, parameters expected: [UInt32], averages: [UInt32], squares: [UInt32],
        _ change: (inout OptimizerOptions) -> Void
    ) throws {
        for kernels in allKernels() {
            var network = try makeNetwork()
            var optimizer = try Optimizer(
                network, OptimizerOptions(.adamW, change), layoutID: 0, kernels: kernels)
            try optimizer.steps(0..<5, &network)
            // The averages do not depend on square roots.
            #expect(differences(array(optimizer.state.averages), averages) == [], "\(name)")
            #expect(differences(array(optimizer.state.squares), squares) == [], "\(name)")
            let actual = try parameters(network)
            // 2 units a step, of the parameter or of what is added to it, whichever is larger.
            let start = try parameters(makeNetwork())
            for index in actual.indices {
                let wanted = Float(bitPattern: expected[index])
                let unit = max(wanted.ulp, start[index].ulp, Float(0.05).ulp)
                #expect(abs(actual[index] - wanted) <= 10 * unit, "\(name), parameter \(index)")
            }
            let close = actual.indices.filter { distance(actual[$0], Float(bitPattern: expected[$0])) <= 2 }
            #expect(close.count >= actual.count - 6, "\(name)")
        }
    }

    @Test func adamWIsWithinTwoUnitsOfPyTorch() throws {
        try checkAdamW(
            "defaults", parameters: PyTorchSteps.defaultsParameters, averages: PyTorchSteps.defaultsAverages,
            squares: PyTorchSteps.defaultsSquares
        ) { _ in }
        try checkAdamW(
            "options", parameters: PyTorchSteps.optionsParameters, averages: PyTorchSteps.optionsAverages,
            squares: PyTorchSteps.optionsSquares
        ) {
            ($0.beta1, $0.beta2, $0.epsilon, $0.weightDecay) = (0.4, 0.95, 1e-4, 0.1)
        }
        try checkAdamW(
            "no decay", parameters: PyTorchSteps.noDecayParameters, averages: PyTorchSteps.noDecayAverages,
            squares: PyTorchSteps.noDecaySquares
        ) { $0.weightDecay = 0 }
    }

    static let torchGroups: [(prefix: String?, kinds: UInt32, factor: Double, decay: Double)] = [
        (nil, ParameterGroups.norms, 1, 0), ("fc.", 0, 10, 1e-2),
    ]

    @Test func groupsHaveRatesAndDecaysOfTheirOwn() throws {
        var network = try makeNetwork()
        let options = try OptimizerOptions(.sgd, groups: Self.torchGroups) {
            $0.momentum = 0.9
            $0.weightDecay = 1e-2
        }
        var optimizer = try Optimizer(network, options, layoutID: 0, kernels: .portable)
        try optimizer.steps(0..<3, &network)
        let actual = try differences(parameters(network), PyTorchSteps.groupsParameters)
        #expect(actual == [])
    }

    @Test func clippingIsPyTorchs() throws {
        let pool = try ThreadPool(threads: 2)
        for kernels in allKernels() {
            var values = gradients(PyTorchSteps.clippedGradients.count, step: 0)
            let norm = try clipGradients(&values, count: values.count, maxNorm: 0.5, kernels: kernels, pool: pool)
            #expect(abs(norm - PyTorchSteps.gradientNorm) <= 1e-6 * norm)
            for (value, bits) in zip(values, PyTorchSteps.clippedGradients) {
                // The factor may differ by a unit: PyTorch adds in Float.
                #expect(distance(value, Float(bitPattern: bits)) <= 3)
            }
        }
    }

    @Test func clippingLeavesWhatIsSmallEnough() throws {
        let pool = try ThreadPool(threads: 1)
        let original = gradients(50_000, step: 0)
        var values = original
        for maxNorm in [1e9, .infinity] {
            _ = try clipGradients(&values, count: values.count, maxNorm: maxNorm, kernels: .portable, pool: pool)
            #expect(values == original)
        }
        let norms = try allKernels().flatMap { kernels in
            try [1, 2, 3].map { threads in
                try clipGradients(
                    &values, count: values.count, maxNorm: .infinity, kernels: kernels,
                    pool: ThreadPool(threads: threads))
            }
        }
        #expect(Set(norms).count == 1)
        _ = try clipGradients(&values, count: values.count, maxNorm: 0, kernels: .portable, pool: pool)
        #expect(values.allSatisfy { $0 == 0 })
    }

    @Test func clippingGoesOnWithoutFiniteNorms() throws {
        let pool = try ThreadPool(threads: 1)
        var values: [Float] = [1, .infinity, -2]
        var norm = try clipGradients(&values, count: 3, maxNorm: 1, kernels: .portable, pool: pool)
        #expect(norm == .infinity && values[0] == 0 && values[1].isNaN && values[2] == 0)
        values = [1, .nan, -2]
        norm = try clipGradients(&values, count: 3, maxNorm: 1, kernels: .portable, pool: pool)
        #expect(norm.isNaN && values.allSatisfy { $0.isNaN })
        values = [1, 2, 3]
        for maxNorm: Double in [-1, .nan, -.infinity] {
            let error = failure {
                _ = try clipGradients(&values, count: 3, maxNorm: maxNorm, kernels: .portable, pool: pool)
            }
            #expect(error?.kind == .invalidArgument && error?.text.hasPrefix("max_norm is ") == true)
            #expect(values == [1, 2, 3])
        }
    }
}
