// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The conversion of a file's stem for another number of input channels than the network's.
package enum InputConversion {
    /// The same number as the network. A network that a file describes has the file's number.
    case exact
    /// The same number as the network, which the caller chooses.
    case fixed
    /// One channel: the sum over the file's.
    case sum
    /// The file's channels repeated, scaled so that the sum over all channels is unchanged.
    case `repeat`
    /// The file's channel for each channel of the network, -1 for zeros.
    case map(UnsafeBufferPointer<Int32>)

    var name: StaticString {
        switch self {
        case .exact, .fixed: ""
        case .sum: "sum"
        case .repeat: "repeat"
        case .map: "map"
        }
    }

    /// Whether the stem must have the network's channels.
    package var isExact: Bool {
        switch self {
        case .exact, .fixed: true
        case .sum, .repeat, .map: false
        }
    }

    /// Whether a network that a file describes has the file's number of input channels.
    var takesFileChannels: Bool {
        if case .exact = self { return true }
        return false
    }

    /// Checks that this makes sense for a network of so many input channels.
    func check(networkChannels: Int) throws(BackboneError) {
        switch self {
        case .sum where networkChannels != 1:
            throw BackboneError(
                .invalidArgument,
                "input_channels is 1 (sum), but in_channels of the network is \(networkChannels), expected 1")
        case .map(let map) where map.count != networkChannels:
            throw BackboneError(
                .invalidArgument,
                "channel_map_length is \(map.count), expected \(networkChannels), the in_channels of the network")
        default: return
        }
    }

    /// Checks a map against the channels that the file has.
    func check(fileChannels: Int) throws(BackboneError) {
        guard case .map(let map) = self else { return }
        for index in 0..<map.count where map[index] < -1 || Int(map[index]) >= fileChannels {
            throw BackboneError(
                .invalidArgument,
                "channel_map[\(index)] is \(map[index]), expected -1 to \(fileChannels - 1): channels of the file")
        }
    }

    /// Whether weights for that many channels stay unchanged.
    func keeps(fileChannels: Int, networkChannels: Int) -> Bool {
        if case .map = self { return false }
        return fileChannels == networkChannels
    }

    /// Writes the weights of a stem.
    ///
    /// - Parameters:
    ///   - source: (outputs, fileChannels, area), checked by `check(fileChannels:)`.
    ///   - out: (outputs, networkChannels, area).
    func convert(
        _ source: UnsafePointer<Float>, fileChannels: Int, to out: UnsafeMutablePointer<Float>, networkChannels: Int,
        outputs: Int, area: Int
    ) {
        for output in 0..<outputs {
            let weights = source + output * fileChannels * area
            for channel in 0..<networkChannels {
                let row = out + (output * networkChannels + channel) * area
                for index in 0..<area {
                    row[index] = value(
                        channel, of: weights + index, stride: area, fileChannels: fileChannels,
                        networkChannels: networkChannels)
                }
            }
        }
    }

    /// The weight of one channel at one place: `weights[c * stride]` is that of channel c of the file.
    private func value(
        _ channel: Int, of weights: UnsafePointer<Float>, stride: Int, fileChannels: Int, networkChannels: Int
    ) -> Float {
        switch self {
        case .exact, .fixed: return weights[channel * stride]
        case .sum:
            var sum = 0.0
            for index in 0..<fileChannels { sum += Double(weights[index * stride]) }
            return Float(sum)
        case .repeat:
            let factor = Double(fileChannels) / Double(networkChannels)
            return Float(Double(weights[channel % fileChannels * stride]) * factor)
        case .map(let map):
            let index = Int(map[channel])
            return index < 0 ? 0 : weights[index * stride]
        }
    }
}
