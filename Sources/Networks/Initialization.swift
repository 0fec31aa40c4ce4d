// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

extension Network {
    /// Sets all values to those of a seed; cancelled, it leaves them as they are.
    package mutating func initializeWeights(seed: UInt64, _ cancellation: Cancellation = .none) throws(BackboneError) {
        let fresh = try makeValues()
        try initialize(fresh, seed: seed, cancellation)
        replaceValues(fresh)
    }

    /// Writes the initial values of all units.
    func initialize(
        _ values: borrowing NetworkValues, seed: UInt64, _ cancellation: Cancellation
    ) throws(BackboneError) {
        for unit in 0..<units.count {
            initialize(unit: unit, values, seed: seed, cancellation)
            try cancellation.check()
        }
    }

    /// Writes one entry's initial value for seed 0, for a checkpoint that lacks it.
    package func initialize(_ entry: StateEntry, _ values: borrowing NetworkValues) {
        let out = address(of: entry, in: values)
        switch entry.role {
        case .convolutionWeight: initializeConvolution(unit: entry.unit, values, seed: 0, .none)
        case .normWeight: fill(out, entry, with: initialNormWeight(units[entry.unit]))
        case .normBias, .runningMean: fill(out, entry, with: 0)
        case .runningVar: fill(out, entry, with: 1)
        case .batchesTracked: values.batchesTracked.start[entry.unit] = 0
        }
    }

    /// The value of a statistic with which a BatchNorm computes exactly `weight * x + bias`; nil for other entries.
    package func affineStatistic(_ entry: StateEntry) -> Float? {
        switch entry.role {
        case .runningMean: 0
        case .runningVar: Float(1 - configuration.normEpsilon)
        default: nil
        }
    }

    /// Writes that value to some values of this network.
    package func writeAffineStatistic(_ entry: StateEntry, to values: borrowing NetworkValues) {
        if let value = affineStatistic(entry) { fill(address(of: entry, in: values), entry, with: value) }
    }

    private func fill(_ out: UnsafeMutableRawPointer, _ entry: StateEntry, with value: Float) {
        out.assumingMemoryBound(to: Float.self).update(repeating: value, count: entry.elementCount)
    }

    private func initialNormWeight(_ unit: ConvolutionUnit) -> Float {
        configuration.zeroInitResidual && unit.endsResidualBranch ? 0 : 1
    }

    private func initialize(
        unit index: Int, _ values: borrowing NetworkValues, seed: UInt64, _ cancellation: Cancellation
    ) {
        let unit = units[index]
        let floats = values.floats.start
        initializeConvolution(unit: index, values, seed: seed, cancellation)
        (floats + unit.normWeightOffset).update(repeating: initialNormWeight(unit), count: unit.outputChannels)
        (floats + unit.normBiasOffset).update(repeating: 0, count: unit.outputChannels)
        (floats + unit.runningMeanOffset).update(repeating: 0, count: unit.outputChannels)
        (floats + unit.runningVarOffset).update(repeating: 1, count: unit.outputChannels)
        values.batchesTracked.start[index] = 0
    }

    /// Kaiming initialisation (He et al. 2015, arXiv:1502.01852, equation 14): normal with standard deviation
    /// `sqrt(2 / (outputChannels * kernelSize^2))`.
    ///
    /// Every unit has a stream of its own, so its weights depend on the seed and its place alone.
    /// Cancelled, it may end at any of them.
    private func initializeConvolution(
        unit index: Int, _ values: borrowing NetworkValues, seed: UInt64, _ cancellation: Cancellation
    ) {
        let unit = units[index]
        let fanOut = unit.outputChannels * unit.kernelSize * unit.kernelSize
        let deviation = (2 / Double(fanOut)).squareRoot()
        var random = NormalGenerator(seed: seed, stream: UInt64(index))
        let out = values.floats.start + unit.valueOffset
        for element in 0..<unit.weightCount {
            // Some milliseconds.
            if element & 0xffff == 0, cancellation.isCancelled { return }
            out[element] = Float(random.next() * deviation)
        }
    }
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
