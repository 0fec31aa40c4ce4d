// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

extension Network {
    /// Sets all values to those of a seed; cancelled, it leaves them unchanged.
    package mutating func initializeWeights(seed: UInt64, _ cancellation: Cancellation = .none) throws(BackboneError) {
        let fresh = try graph.makeValues()
        try graph.initialize(fresh, seed: seed, cancellation)
        replaceValues(fresh)
    }
}

extension Graph {
    /// Writes the initial values of all entries, or of the wanted ones.
    ///
    /// Each node whose weights are drawn has a stream of random numbers of its own, so they depend on the seed and its
    /// position alone.
    func initialize(
        _ values: borrowing NetworkValues, seed: UInt64, _ cancellation: Cancellation,
        where isWanted: (_ entry: Int) -> Bool = { _ in true }
    ) throws(BackboneError) {
        var stream: UInt64 = 0
        for index in 0..<entries.count {
            let entry = entries[index]
            if isWanted(index) { initialize(entry, values, seed: seed, stream: stream, cancellation) }
            if entry.role == .weight && nodes[entry.node].operation.isDrawn { stream += 1 }
            try cancellation.check()
        }
    }

    /// The value of a statistic with which a BatchNorm computes exactly `weight * x + bias`; nil for other entries.
    package func affineStatistic(_ entry: StateEntry) -> Float? {
        guard case .batchNorm(let norm) = nodes[entry.node].operation else { return nil }
        return switch entry.role {
        case .runningMean: 0
        case .runningVar: Float(1 - norm.epsilon)
        case .weight, .bias, .batchesTracked: nil
        }
    }

    /// Writes that value to some entries of a network.
    package func writeAffineStatistic(_ entry: StateEntry, to values: borrowing NetworkValues) {
        if let value = affineStatistic(entry) { fill(entry, values, with: value) }
    }

    private func fill(_ entry: StateEntry, _ values: borrowing NetworkValues, with value: Float) {
        (values.floats.start + entry.valueOffset).update(repeating: value, count: entry.elementCount)
    }

    private func initialize(
        _ entry: StateEntry, _ values: borrowing NetworkValues, seed: UInt64, stream: UInt64,
        _ cancellation: Cancellation
    ) {
        switch (entry.role, nodes[entry.node].operation) {
        case (.weight, .convolution(let convolution)):
            draw(entry, values, deviation: convolution.initialDeviation, seed: seed, stream: stream, cancellation)
        case (.weight, .linear(let linear)):
            draw(entry, values, deviation: linear.initialDeviation, seed: seed, stream: stream, cancellation)
        case (.weight, .channelConvolution(let size)):
            let deviation = (1 / (3 * Double(size))).squareRoot()
            draw(entry, values, deviation: deviation, seed: seed, stream: stream, cancellation)
        case (.weight, .batchNorm(let norm)): fill(entry, values, with: norm.initialWeight)
        case (.weight, .groupNorm(let norm)): fill(entry, values, with: norm.initialWeight)
        case (.batchesTracked, _): values.counters.start[entry.valueOffset] = 0
        case (.runningVar, _): fill(entry, values, with: 1)
        case (.weight, _), (.bias, _), (.runningMean, _): fill(entry, values, with: 0)
        }
    }

    /// Draws normally distributed weights. Cancelled, it may stop at any of them.
    private func draw(
        _ entry: StateEntry, _ values: borrowing NetworkValues, deviation: Double, seed: UInt64, stream: UInt64,
        _ cancellation: Cancellation
    ) {
        var random = NormalGenerator(seed: seed, stream: stream)
        let out = values.floats.start + entry.valueOffset
        for element in 0..<entry.elementCount {
            // A few milliseconds.
            if element & 0xffff == 0, cancellation.isCancelled { return }
            out[element] = Float(random.next() * deviation)
        }
    }
}

extension Operation {
    /// Whether its weights are random at first.
    fileprivate var isDrawn: Bool {
        switch self {
        case .convolution, .linear, .channelConvolution: true
        default: false
        }
    }
}

extension Convolution {
    /// Kaiming initialisation (He et al. 2015, arXiv:1502.01852, equation 14) as PyTorch's `kaiming_normal_` with
    /// `fan_out`, which groups do not divide: `sqrt(2 / (outputChannels * size^2))`.
    fileprivate var initialDeviation: Double {
        switch initialWeights {
        case .kaiming: (2 / Double(outputChannels * window.size * window.size)).squareRoot()
        case .zero: 0
        case .narrow: 0.01
        }
    }
}

extension Linear {
    /// The deviation of PyTorch's `nn.Linear`, whose weights are uniform up to `1 / sqrt(inputChannels)`.
    fileprivate var initialDeviation: Double { (1 / (3 * Double(inputChannels))).squareRoot() }
}

/// Normally distributed numbers: SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195) through the
/// transformation of Box and Muller (1958, doi:10.1214/aoms/1177706645), which gives them in pairs.
struct NormalGenerator {
    private var state: UInt64
    private var spare: Double?

    init(seed: UInt64, stream: UInt64) {
        // One step of the generator spreads neighbouring seeds and streams over all states.
        state = seed
        state = nextBits() ^ (stream &* 0xD1B5_4A32_D192_ED03)
        state = nextBits()
    }

    private mutating func nextBits() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// Uniform in (0, 1]: 53 bits, never zero, so that its logarithm is finite.
    private mutating func nextUniform() -> Double {
        Double((nextBits() >> 11) + 1) * 0x1p-53
    }

    mutating func next() -> Double {
        if let spare {
            self.spare = nil
            return spare
        }
        let radius = (-2 * log(nextUniform())).squareRoot()
        let angle = 2 * Double.pi * nextUniform()
        spare = radius * sin(angle)
        return radius * cos(angle)
    }
}
