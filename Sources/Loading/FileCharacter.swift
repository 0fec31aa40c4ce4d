// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Execution
import Networks
import Runtime

/// Infers from the weights of a stem the inputs that it was trained for.
///
/// A stem whose BatchNorm uses its running statistics computes `x -> weight * gamma / sqrt(var + eps) * x + ...`.
/// Features after it have about the same size in all trained networks, so the gain, the root mean square over output
/// channels of the length of their folded kernels, is inverse to the deviation of the inputs: around 0.4 for
/// torchvision's inputs of deviation 1 (and 0.3 for new weights), around 0.007 for pixels minus their mean, of
/// deviation 58. Between these the limit is the geometric mean.
struct StemScale {
    private let gain: Double

    /// The scale of an incomplete stem.
    static var unknown: StemScale { StemScale(gain: 0) }

    private init(gain: Double) { self.gain = gain }

    private static var limit: Double { 0.05 }

    /// - Parameters:
    ///   - floats: Of a network, as far as the stem goes.
    ///   - weights: Those of the file for so many input channels, where they are not the network's.
    init(_ stem: Stem, _ floats: UnsafePointer<Float>, weights: UnsafePointer<Float>? = nil, channels: Int? = nil) {
        let convolution = stem.convolution
        let count = convolution.window.size * convolution.window.size * (channels ?? convolution.inputChannels)
        let weights = weights ?? floats + stem.weight.valueOffset
        var total = 0.0
        for output in 0..<convolution.outputChannels {
            var sum = 0.0
            for index in 0..<count {
                let weight = Double(weights[output * count + index])
                sum += weight * weight
            }
            let gamma = Double(floats[stem.normWeight.valueOffset + output])
            total += sum * gamma * gamma / (Double(floats[stem.runningVar.valueOffset + output]) + stem.epsilon)
        }
        gain = (total / Double(max(convolution.outputChannels, 1))).squareRoot()
    }

    /// Whether the inputs were pixels not divided by a deviation; nil if the weights are unknown, not finite, or all
    /// zero.
    var expectsPixels: Bool? { gain.isFinite && gain > 0 ? gain < StemScale.limit : nil }
}

/// The inferred character of a file: which convolution of its Bottlenecks had the stride, and what its inputs were.
struct FileCharacter {
    let style: Style?
    /// Why, for a message.
    let reason: StaticString
    let expectsPixels: Bool?

    init(_ stateDict: borrowing StateDict, _ outline: FileOutline, _ scale: StemScale) {
        expectsPixels = scale.expectsPixels
        if stateDict.origin == .caffe {
            (style, reason) = (.caffe, "its author is MSRA, Caffe2 or Detectron")
        } else if Dialect(of: stateDict) == .caffe2 {
            (style, reason) = (.caffe, "it has Caffe2's names")
        } else if stateDict.origin == .pytorch {
            (style, reason) = (.pytorch, "its author is torchvision or timm")
        } else if expectsPixels == true {
            (style, reason) = (.caffe, "its stem expects pixels minus their mean, not divided")
        } else if expectsPixels == false && outline.network.hasCounts {
            (style, reason) = (.pytorch, "its stem expects inputs of deviation 1, and its norms were PyTorch's")
        } else {
            (style, reason) = (nil, "")
        }
    }

    var styleName: StaticString { style?.name ?? "" }
}

extension StateDict {
    /// The name of a convolution in a head of a network for segmentation; nil if it has none.
    fileprivate var segmentationHead: Bytes? {
        for index in 0..<count where shape(index).count == 4 {
            if SegmentationHead.contains(nameInFile(index)) { return nameInFile(index) }
        }
        return nil
    }
}

extension LoadReport {
    /// Reports what the file's names say about its network, and warns of doubts.
    mutating func describe(_ stateDict: borrowing StateDict, _ outline: FileOutline) throws(BackboneError) {
        let architecture = outline.network.architecture
        if let base = outline.network.stemChannels(of: architecture) { try set(.baseChannels, "\(base)") }
        if let inputs = outline.network.inputChannels { try set(.inputChannels, "\(inputs)") }
        if let dtype = outline.dtype { try set(.dtype, outline.hasMixedTypes ? "mixed" : "\(dtype.name)") }
        if let architecture { try set(.architecture, "\(architecture.cName)") }
        if let depth = architecture?.depth, depth != 0 { try set(.depth, "\(depth)") }
        if let classes = outline.network.classes { try set(.classes, "\(classes)") }
        if defaultCount > 0 {
            try warn(
                """
                its BatchNorms have no running statistics: means are 0 and variances 1 - norm_eps, so that they are \
                affine
                """
            )
        }
        if let head = stateDict.segmentationHead { try warn("it has '\(head)', \(SegmentationHead.doubt)") }
    }

    /// Warns of modules that are left out at the caller's request.
    mutating func warn(
        ofIgnored foreign: ForeignModules.Finding?, _ stateDict: borrowing StateDict
    ) throws(BackboneError) {
        guard let foreign else { return }
        try warn(
            "ignored \(foreign.count) tensors like '\(stateDict.nameInFile(foreign.tensor))': \(foreign.kind.words)")
    }

    /// Warns that the file's classifier is left out at the caller's request.
    mutating func warn(
        ofKeptHead outline: FileOutline, _ network: Configuration
    ) throws(BackboneError) {
        guard network.outputs.hasLogits, let classes = outline.network.classes else { return }
        try warn(
            """
            the head of the file, of \(classes) classes, is ignored: that of the network, of \(network.classes), keeps \
            its values
            """
        )
    }

    /// Reports the file's character, and warns if it contradicts the network that it is loaded into.
    mutating func compare(_ character: FileCharacter, with network: Configuration) throws(BackboneError) {
        try set(.style, "\(character.styleName)")
        guard let style = character.style, network.architecture.hasStyles, style != network.style else { return }
        try warn(
            """
            the weights seem to be of style \(character.styleName), as \(character.reason); the network's style is \
            \(network.style.name)
            """
        )
    }

    /// Warns if a session's normalisation of uint8 inputs contradicts the file's character.
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
                """
                the stem seems to expect pixels minus their mean, not divided, but std_dev of the network divides \
                them; set std_dev to 1
                """
            )
        }
        if character.expectsPixels == false && hasMeans && !divides {
            try warn(
                """
                the stem seems to expect inputs of deviation 1, but std_dev of the network does not divide pixels; set \
                std_dev
                """
            )
        }
        // ImageNet's mean is highest in red. Means are in the order of the network's channels.
        guard channels == 3, hasMeans, let style = character.style else { return }
        let difference = means[0] - means[2]
        if style == .caffe && difference > 5 {
            try warn(
                """
                weights of style caffe expect BGR, but mean of the network is highest in its first channel, as for \
                RGB; reverse mean
                """
            )
        }
        if style == .pytorch && difference < -5 {
            try warn(
                """
                weights of style pytorch expect RGB, but mean of the network is highest in its last channel, as for \
                BGR; reverse mean
                """
            )
        }
    }
}
