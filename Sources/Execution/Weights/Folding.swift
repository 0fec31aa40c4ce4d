// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

/// The factors and biases of a convolution that includes the BatchNorm after it, in Double and rounded once:
/// `weight * gamma / sqrt(var + epsilon)` and `beta + (bias - mean) * gamma / sqrt(var + epsilon)`.
///
/// Before a norm that uses the statistics of the batch, and without a norm, weights and bias stay unchanged.
struct Folding {
    private struct Norm {
        let weight: UnsafePointer<Float>
        let bias: UnsafePointer<Float>
        let statistics: Statistics
        let epsilon: Double
    }

    private enum Statistics {
        /// Statistics of the present network.
        case running(mean: UnsafePointer<Float>, variance: UnsafePointer<Float>)
        /// Statistics of an earlier state of the network, kept by a caller.
        case kept(KeptStatistics)

        func mean(_ channel: Int) -> Double {
            switch self {
            case .running(let mean, _): Double(mean[channel])
            case .kept(let statistics): statistics.mean[channel]
            }
        }

        func variance(_ channel: Int) -> Double {
            switch self {
            case .running(_, let variance): Double(variance[channel])
            case .kept(let statistics): statistics.variance[channel]
            }
        }
    }

    let weights: UnsafePointer<Float>
    private let bias: UnsafePointer<Float>?
    private let norm: Norm?
    private let channels: Int

    /// Whether the running statistics of a norm are part of it.
    var isFolded: Bool { norm != nil }

    /// The values of the network must exist.
    init(_ convolution: FusedConvolution, _ network: borrowing Network) {
        guard let node = convolution.norm, !network.usesBatchStatistics(node: node) else {
            self.init(convolution, network, nil as Statistics?)
            return
        }
        self.init(
            convolution, network,
            .running(
                mean: network.values(.runningMean, ofNode: node),
                variance: network.values(.runningVar, ofNode: node)))
    }

    /// Earlier statistics of a norm, one of each for each channel.
    struct KeptStatistics {
        let mean: UnsafePointer<Double>
        let variance: UnsafePointer<Double>
    }

    /// - Parameter kept: The running statistics of the norm, nil if it uses those of the batch.
    init(_ convolution: FusedConvolution, _ network: borrowing Network, kept: KeptStatistics?) {
        self.init(convolution, network, kept.map { Statistics.kept($0) })
    }

    private init(_ convolution: FusedConvolution, _ network: borrowing Network, _ statistics: Statistics?) {
        channels = convolution.definition.outputChannels
        weights = network.values(.weight, ofNode: convolution.node)
        bias = convolution.definition.hasBias ? network.values(.bias, ofNode: convolution.node) : nil
        guard let statistics, let node = convolution.norm,
            case .batchNorm(let definition) = network.graph.nodes[node].operation
        else {
            norm = nil
            return
        }
        norm = Norm(
            weight: network.values(.weight, ofNode: node), bias: network.values(.bias, ofNode: node),
            statistics: statistics, epsilon: definition.epsilon)
    }

    /// Writes the bias of each output channel, and returns the factors of its weights, written to `scales`;
    /// nil for 1.
    func compute(
        scales: UnsafeMutablePointer<Double>, bias out: UnsafeMutablePointer<Float>
    ) -> UnsafePointer<Double>? {
        for channel in 0..<channels {
            let own = bias?[channel] ?? 0
            guard let norm else {
                out[channel] = own
                continue
            }
            let scale = Double(norm.weight[channel]) / (norm.statistics.variance(channel) + norm.epsilon).squareRoot()
            scales[channel] = scale
            out[channel] = Float(Double(norm.bias[channel]) - (norm.statistics.mean(channel) - Double(own)) * scale)
        }
        return norm == nil ? nil : UnsafePointer(scales)
    }
}
