// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Execution
import Networks
import Runtime

/// What the numbers of a stem say of the inputs that it was trained for.
///
/// A stem whose BatchNorm uses its running statistics computes `x -> weight * gamma / sqrt(var + eps) * x + ...`. Features
/// behind it are of about the same size in all trained networks, so the gain, the root mean square over output channels
/// of the length of their folded kernels, is inverse to the deviation of the inputs: around 0.4 for torchvision's inputs
/// of deviation 1 (and 0.3 for new weights), around 0.007 for pixels less their mean, of deviation 58. Between these the
/// limit is the geometric mean.
struct StemScale {
    private let gain: Double

    /// Of a stem that is not known as a whole.
    static var unknown: StemScale { StemScale(gain: 0) }

    private init(gain: Double) { self.gain = gain }

    private static var limit: Double { 0.05 }

    /// - Parameters:
    ///   - weights: (outputs, count) with `count` weights for each output channel.
    ///   - normWeight: and `variance`, one value for each output channel.
    init(
        weights: UnsafePointer<Float>, normWeight: UnsafePointer<Float>, variance: UnsafePointer<Float>, outputs: Int,
        count: Int, epsilon: Double
    ) {
        var total = 0.0
        for output in 0..<outputs {
            var sum = 0.0
            for index in 0..<count {
                let weight = Double(weights[output * count + index])
                sum += weight * weight
            }
            let gamma = Double(normWeight[output])
            total += sum * gamma * gamma / (Double(variance[output]) + epsilon)
        }
        gain = (total / Double(max(outputs, 1))).squareRoot()
    }

    /// Whether the inputs were pixels that nothing divides; nil if the weights are unknown, no numbers, or all zero.
    var expectsPixels: Bool? { gain.isFinite && gain > 0 ? gain < StemScale.limit : nil }
}

/// What a file is, as far as it can be told: where the stride of its Bottlenecks sat, and what its inputs were.
struct FileCharacter {
    let style: Style?
    /// Why, for a message.
    let reason: StaticString
    let expectsPixels: Bool?

    init(_ stateDict: borrowing StateDict, _ outline: NetworkOutline, _ scale: StemScale) {
        expectsPixels = scale.expectsPixels
        if stateDict.origin == .caffe {
            (style, reason) = (.caffe, "its author is MSRA, Caffe2 or Detectron")
        } else if Dialect(of: stateDict) == .caffe2 {
            (style, reason) = (.caffe, "its names are Caffe2's")
        } else if stateDict.origin == .pytorch {
            (style, reason) = (.pytorch, "its author is torchvision or timm")
        } else if expectsPixels == true {
            (style, reason) = (.caffe, "its stem expects pixels less their mean, not divided")
        } else if expectsPixels == false && outline.hasCounts {
            (style, reason) = (.pytorch, "its stem expects inputs of deviation 1, and its norms were PyTorch's")
        } else {
            (style, reason) = (nil, "")
        }
    }

    var styleName: StaticString {
        switch style {
        case .caffe: "caffe"
        case .pytorch: "pytorch"
        case nil: ""
        }
    }
}

extension StateDict {
    /// The name of a convolution in a head of a segmentation network of torchvision (`classifier`, `aux_classifier`) or
    /// mmsegmentation (`decode_head`, `auxiliary_head`); nil if there is none.
    fileprivate var dilatingHead: Bytes? {
        for index in 0..<count where shape(index).count == 4 {
            let name = nameInFile(index)
            if hasPart(name, "classifier.") || hasPart(name, "aux_classifier.") || hasPart(name, "decode_head.")
                || hasPart(name, "auxiliary_head.")
            {
                return name
            }
        }
        return nil
    }

    /// Whether a name begins with a module, or has it behind "module." or "model.".
    private func hasPart(_ name: Bytes, _ module: StaticString) -> Bool {
        var rest = name
        for _ in 0..<3 where !rest.isEmpty {
            if rest.hasPrefix(module) { return true }
            _ = rest.takePart(before: UInt8(ascii: "."))
        }
        return false
    }
}

extension LoadReport {
    /// Sets what the file's names tell of its network, and warns of what they make doubtful.
    mutating func describe(_ stateDict: borrowing StateDict, _ outline: NetworkOutline) throws(BackboneError) {
        if let stem = outline.stem {
            try set(.baseChannels, "\(stem.outputs)")
            try set(.inputChannels, "\(stem.inputs)")
        }
        if let dtype = outline.dtype { try set(.dtype, outline.hasMixedTypes ? "mixed" : "\(dtype.name)") }
        if let depth = outline.depth { try set(.depth, "\(depth.rawValue)") }
        if defaultCount > 0 {
            try warn(
                "its BatchNorms have no running statistics: means are 0 and variances 1 - norm_eps, so that they are affine"
            )
        }
        if let head = stateDict.dilatingHead {
            try warn(
                """
                it has '\(head)', as networks for segmentation have: most of them are trained with dilated layer3 and \
                layer4 (stride 8), which no weight tells and this network does not compute
                """)
        }
    }

    /// Warns of modules that are left out because the caller wants it so.
    mutating func warn(
        ofIgnored foreign: ForeignModules.Finding?, _ stateDict: borrowing StateDict
    ) throws(BackboneError) {
        guard let foreign else { return }
        try warn(
            "ignored \(foreign.count) tensors like '\(stateDict.nameInFile(foreign.tensor))': \(foreign.kind.words)")
    }

    /// Sets what the file's character is, and warns where it contradicts the network that it is loaded into.
    mutating func compare(_ character: FileCharacter, with network: Configuration) throws(BackboneError) {
        try set(.style, "\(character.styleName)")
        guard let style = character.style, network.depth.blockKind == .bottleneck, style != network.style else {
            return
        }
        let other: StaticString = network.style == .caffe ? "caffe" : "pytorch"
        try warn(
            "the weights seem to be of style \(character.styleName), as \(character.reason); the network's style is \(other)"
        )
    }

    /// Warns where what a session does to uint8 inputs contradicts the file's character.
    mutating func compareInputs(_ character: FileCharacter, with session: Session) throws(BackboneError) {
        let channels = session.configuration.inChannels
        let (means, deviations) = (session.means, session.standardDeviations)
        // Large ones are on the scale of pixels from 0 to 255.
        var (hasMeans, divides) = (false, false)
        for channel in 0..<channels {
            if abs(means[channel]) > 10 { hasMeans = true }
            if deviations[channel] > 10 { divides = true }
        }
        if character.expectsPixels == true && divides {
            try warn(
                "the stem seems to expect pixels less their mean, not divided, but std_dev of the network divides them")
        }
        if character.expectsPixels == false && hasMeans && !divides {
            try warn(
                "the stem seems to expect inputs of deviation 1, but std_dev of the network does not divide pixels")
        }
        // ImageNet's mean is highest in red. Means are in the order of the network's channels.
        guard channels == 3, hasMeans, let style = character.style else { return }
        let difference = means[0] - means[2]
        if style == .caffe && difference > 5 {
            try warn(
                "weights of style caffe expect BGR, but mean of the network is highest in its first channel, as of RGB")
        }
        if style == .pytorch && difference < -5 {
            try warn(
                "weights of style pytorch expect RGB, but mean of the network is highest in its last channel, as of BGR"
            )
        }
    }
}
