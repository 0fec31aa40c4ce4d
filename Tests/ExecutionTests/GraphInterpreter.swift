// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Networks
import Runtime

/// Images in Double, in the order N, C, H, W.
struct Images {
    let count: Int
    let channels: Int
    let height: Int
    let width: Int
    var values: [Double]

    init(_ count: Int, _ channels: Int, _ height: Int, _ width: Int, fill: (Int, Int, Int, Int) -> Double) {
        (self.count, self.channels, self.height, self.width) = (count, channels, height, width)
        values = []
        values.reserveCapacity(count * channels * height * width)
        for n in 0..<count {
            for c in 0..<channels {
                for y in 0..<height { for x in 0..<width { values.append(fill(n, c, y, x)) } }
            }
        }
    }

    subscript(n: Int, c: Int, y: Int, x: Int) -> Double { values[((n * channels + c) * height + y) * width + x] }
}

/// Computes a graph node by node, by the definitions of PyTorch's functions: in Double, without a thought for speed.
struct GraphInterpreter {
    /// The results of all nodes.
    private(set) var results: [Images] = []
    /// Of each channel.
    typealias Statistics = (mean: [Double], variance: [Double])
    /// The running statistics of the BatchNorms, by node.
    private(set) var running: [Int: Statistics] = [:]
    /// In training, the statistics of the batch that they normalise with.
    private(set) var batch: [Int: Statistics] = [:]

    init(_ network: borrowing Network, _ image: Images, trains: Bool) {
        for index in 0..<network.graph.nodes.count {
            let node = network.graph.nodes[index]
            func values(_ role: StateEntry.Role) -> [Double] {
                guard let entry = network.graph.entry(role, ofNode: index) else { return [] }
                let start = network.floats(of: entry)
                return (0..<entry.elementCount).map { Double(start[$0]) }
            }
            let input = node.input < 0 ? image : results[node.input]
            let second = node.secondInput.map { results[$0] } ?? input
            switch node.operation {
            case .image: results.append(image)
            case .convolution(let convolution):
                results.append(Self.convolve(input, convolution, values(.weight), values(.bias)))
            case .batchNorm(let norm):
                let kept = (mean: values(.runningMean), variance: values(.runningVar))
                running[index] = kept
                if trains { batch[index] = Self.moments(input) }
                let (mean, variance) = batch[index] ?? kept
                let (weight, bias) = (values(.weight), values(.bias))
                results.append(
                    Self.mapped(input) { n, c, y, x in
                        (input[n, c, y, x] - mean[c]) / (variance[c] + norm.epsilon).squareRoot() * weight[c] + bias[c]
                    })
            case .groupNorm(let norm): results.append(Self.groupNorm(input, norm, values(.weight), values(.bias)))
            case .activation(let function):
                results.append(Self.mapped(input) { Self.apply(function, input[$0, $1, $2, $3]) })
            case .add:
                results.append(Self.mapped(input) { n, c, y, x in input[n, c, y, x] + second[n, c, y, x] })
            case .channelScale:
                results.append(Self.mapped(input) { n, c, y, x in input[n, c, y, x] * second[n, c, 0, 0] })
            case .maxPooling(let window):
                results.append(Self.pool(input, window) { values, _ in values.max() ?? -.infinity })
            case .averagePooling(let window, let countsPadding):
                results.append(
                    Self.pool(input, window) { values, padded in
                        values.reduce(0, +) / Double(countsPadding ? padded : values.count)
                    })
            case .globalPooling:
                results.append(
                    Images(input.count, input.channels, 1, 1) { n, c, _, _ in
                        var sum = 0.0
                        for y in 0..<input.height { for x in 0..<input.width { sum += input[n, c, y, x] } }
                        return sum / Double(input.height * input.width)
                    })
            case .subsample(let stride):
                let first = (node.channels - input.channels) / 2
                results.append(
                    Images(input.count, node.channels, (input.height - 1) / stride + 1, (input.width - 1) / stride + 1)
                    {
                        n, c, y, x in
                        (first..<first + input.channels).contains(c)
                            ? input[n, c - first, y * stride, x * stride] : 0
                    })
            case .blur(let window): results.append(Self.blur(input, window))
            case .channelConvolution(let size):
                let weight = values(.weight)
                results.append(
                    Images(input.count, input.channels, 1, 1) { n, c, _, _ in
                        (0..<size).reduce(0) { sum, offset in
                            let channel = c + offset - size / 2
                            guard (0..<input.channels).contains(channel) else { return sum }
                            return sum + weight[offset] * input[n, channel, 0, 0]
                        }
                    })
            case .linear(let linear):
                let (weight, bias) = (values(.weight), values(.bias))
                results.append(
                    Images(input.count, linear.outputChannels, 1, 1) { n, c, _, _ in
                        (0..<linear.inputChannels).reduce(bias[c]) {
                            $0 + weight[c * linear.inputChannels + $1] * input[n, $1, 0, 0]
                        }
                    })
            }
        }
    }

    private static func mapped(_ images: Images, _ value: (Int, Int, Int, Int) -> Double) -> Images {
        Images(images.count, images.channels, images.height, images.width, fill: value)
    }

    private static func apply(_ function: Nonlinearity, _ x: Double) -> Double {
        switch function {
        case .relu: max(x, 0)
        case .silu: x / (1 + exp(-x))
        case .sigmoid: 1 / (1 + exp(-x))
        }
    }

    private static func convolve(
        _ input: Images, _ convolution: Convolution, _ weight: [Double], _ bias: [Double]
    ) -> Images {
        let window = convolution.window
        let depth = convolution.inputChannels / convolution.groups
        let perGroup = convolution.outputChannels / convolution.groups
        return Images(
            input.count, convolution.outputChannels, window.outputSize(input.height), window.outputSize(input.width)
        ) { n, c, y, x in
            var sum = bias.isEmpty ? 0 : bias[c]
            for i in 0..<depth {
                for ky in 0..<window.size {
                    for kx in 0..<window.size {
                        let (row, column) = (
                            y * window.stride - window.padding + ky * window.dilation,
                            x * window.stride - window.padding + kx * window.dilation
                        )
                        guard (0..<input.height).contains(row), (0..<input.width).contains(column) else { continue }
                        sum +=
                            weight[((c * depth + i) * window.size + ky) * window.size + kx]
                            * input[n, c / perGroup * depth + i, row, column]
                    }
                }
            }
            return sum
        }
    }

    /// The mean and the biased variance of each channel.
    private static func moments(_ input: Images) -> Statistics {
        var (means, variances): ([Double], [Double]) = ([], [])
        for c in 0..<input.channels {
            var values: [Double] = []
            for n in 0..<input.count {
                for y in 0..<input.height { for x in 0..<input.width { values.append(input[n, c, y, x]) } }
            }
            let mean = values.reduce(0, +) / Double(values.count)
            means.append(mean)
            variances.append(values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
        }
        return (means, variances)
    }

    private static func groupNorm(_ input: Images, _ norm: GroupNorm, _ weight: [Double], _ bias: [Double]) -> Images {
        let size = input.channels / norm.groups
        return mapped(input) { n, c, y, x in
            var values: [Double] = []
            for member in c / size * size..<(c / size + 1) * size {
                for row in 0..<input.height {
                    for column in 0..<input.width { values.append(input[n, member, row, column]) }
                }
            }
            let mean = values.reduce(0, +) / Double(values.count)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
            return (input[n, c, y, x] - mean) / (variance + norm.epsilon).squareRoot() * weight[c] + bias[c]
        }
    }

    /// - Parameter combine: gets the pixels of a window, and how many elements it has with the padding.
    private static func pool(_ input: Images, _ window: Window, _ combine: ([Double], Int) -> Double) -> Images {
        Images(input.count, input.channels, window.outputSize(input.height), window.outputSize(input.width)) {
            n, c, y, x in
            func range(_ index: Int, _ size: Int) -> Range<Int> {
                let start = index * window.stride - window.padding
                return start..<min(start + window.size, size + window.trailingPadding)
            }
            let (rows, columns) = (range(y, input.height), range(x, input.width))
            var values: [Double] = []
            for row in rows where (0..<input.height).contains(row) {
                for column in columns where (0..<input.width).contains(column) {
                    values.append(input[n, c, row, column])
                }
            }
            return combine(values, rows.count * columns.count)
        }
    }

    private static func blur(_ input: Images, _ window: Window) -> Images {
        var row = [1.0]
        for _ in 1..<window.size { row = zip(row + [0], [0] + row).map { $0 + $1 } }
        let total = row.reduce(0, +)
        func reflected(_ index: Int, _ size: Int) -> Int {
            index < 0 ? -index : index >= size ? 2 * size - 2 - index : index
        }
        return Images(input.count, input.channels, window.outputSize(input.height), window.outputSize(input.width)) {
            n, c, y, x in
            var sum = 0.0
            for ky in 0..<window.size {
                for kx in 0..<window.size {
                    sum +=
                        row[ky] * row[kx] / total / total
                        * input[
                            n, c, reflected(y * window.stride - window.padding + ky, input.height),
                            reflected(x * window.stride - window.padding + kx, input.width)]
                }
            }
            return sum
        }
    }
}
