// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Execution
import Networks
import Runtime

/// Reports on an open checkpoint as if it were loaded into the network that it describes.
package func inspect(
    _ stateDict: borrowing StateDict, _ request: LoadRequest, _ out: UnsafeMutablePointer<OpaquePointer?>
) throws(BackboneError) {
    let network = try Network(try stateDict.describedConfiguration())
    var modules = try ForeignModules(stateDict, network.configuration)
    let matching = try Matching(stateDict, network, &modules, request)
    let (outline, foreign) = (matching.outline, matching.foreign)
    try withReport(of: matching.report, out) { report throws(BackboneError) in
        try report.pointee.describe(stateDict, outline)
        try Verdict(request).check(report.pointee, outline, foreign, stateDict)
        try report.pointee.warn(ofIgnored: foreign, stateDict)
        let scale = try stemScale(stateDict, network, report.pointee)
        try report.pointee.set(.style, "\(FileCharacter(stateDict, outline, scale).styleName)")
        try report.pointee.renderJSON()
    }
}

/// Creates the network that an open checkpoint describes, and loads it.
///
/// - Parameter makeSession: creates a network of the described depth, width and input channels.
package func create(
    _ stateDict: borrowing StateDict, _ request: LoadRequest, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    makeSession: (_ described: Configuration) throws(BackboneError) -> Session
) throws(BackboneError) -> Session {
    let session = try makeSession(try stateDict.describedConfiguration())
    do throws(BackboneError) {
        try load(stateDict, request, session, out)
    } catch {
        session.destroy()
        throw error
    }
    return session
}

extension StateDict {
    /// The network that names and shapes describe, up to its deepest stage. What of it cannot be read, or is not computed
    /// here, is for the load to say.
    ///
    /// - Throws: `badCheckpoint` if it is none that is built here.
    fileprivate borrowing func describedConfiguration() throws(BackboneError) -> Configuration {
        let outline = NetworkOutline(self)
        var deepest = 0
        for index in 0..<4 where outline.blockCounts[index] > 0 { deepest = index + 1 }
        // One that has nothing of a ResNet is compared with the usual one, for the reasons that a load gives.
        guard let depth = deepest == 0 ? .resnet50 : outline.depth else {
            throw located(BackboneError(.badCheckpoint, unknownDepth(outline)))
        }
        if deepest == 0 && outline.stem != nil {
            throw located(BackboneError(.badCheckpoint, "it has a stem and no blocks, which tells no depth"))
        }
        if deepest > 0 && deepest < 4, let hint = pathHint() { throw located(BackboneError(.badCheckpoint, hint)) }
        // Without a stem of one convolution the first stage tells its width.
        let width = outline.stem?.outputs ?? outline.stageInputs ?? 64
        do throws(BackboneError) {
            return try Configuration(
                depth: depth.rawValue, inChannels: Int32(clamping: outline.stem?.inputs ?? 3),
                baseChannels: Int32(clamping: width),
                outStages: UInt32(1) << UInt32(deepest == 0 ? 4 : deepest) - 1, normEval: 0, zeroInitResidual: 0)
        } catch {
            throw located(BackboneError(.badCheckpoint, "its stem is none that is built here: \(error.message)"))
        }
    }

    private borrowing func unknownDepth(_ outline: NetworkOutline) -> Message {
        let counts = outline.blockCounts
        let kind: StaticString = outline.isBottleneck ? "Bottlenecks" : "BasicBlocks"
        let message: Message = """
            expected a ResNet of depth 18, 34, 50, 101 or 152, but its layer1 to layer4 have \(counts[0]), \(counts[1]), \
            \(counts[2]) and \(counts[3]) \(kind)
            """
        return pathHint().map { "\(message); \($0)" } ?? message
    }

    private borrowing func pathHint() -> Message? { location.elements.baseAddress.flatMap { shardHint($0) } }
}

/// The scale of the stem of a file of which nothing has been read; unknown if it is not whole.
private func stemScale(
    _ stateDict: borrowing StateDict, _ network: borrowing Network, _ report: borrowing LoadReport
) throws(BackboneError) -> StemScale {
    let unit = network.units[0]
    let floats = try Buffer<Float>(count: unit.valueCount)
    var destinations = UniqueArray<TensorDestination>()
    var parts = Reparametrisation()
    var isLoaded = try UniqueArray<Bool>(repeating: false, count: network.entries.count)
    for index in 0..<report.count(of: .loaded) {
        let match = report.match(index)
        let entry = network.entries[match.expected]
        guard entry.unit == 0, let offset = unit.offset(of: entry.role) else { continue }
        // Converted stems have another size than the network's.
        guard stateDict.elementCount(match.tensor) == entry.elementCount else { return .unknown }
        isLoaded[match.expected] = true
        try destinations.append(TensorDestination(tensor: match.tensor, float32: floats.start + offset))
        try parts.add(match, floats.start + offset, stateDict, &destinations)
    }
    for index in 0..<report.defaultCount {
        let entry = network.entries[report.expectedDefault(index)]
        guard entry.unit == 0, let offset = unit.offset(of: entry.role) else { continue }
        isLoaded[report.expectedDefault(index)] = true
        (floats.start + offset).update(
            repeating: network.affineStatistic(entry) ?? 0, count: unit.outputChannels)
    }
    guard network.hasStem(isLoaded) else { return .unknown }
    try stateDict.read(destinations)
    parts.compute(stateDict)
    return StemScale(
        weights: floats.start + unit.valueOffset, normWeight: floats.start + unit.normWeightOffset,
        variance: floats.start + unit.runningVarOffset, outputs: unit.outputChannels,
        count: unit.weightCount / unit.outputChannels, epsilon: network.configuration.normEpsilon)
}

extension ConvolutionUnit {
    /// Where the values of an entry of this unit lie; nil for num_batches_tracked, which lies elsewhere.
    fileprivate func offset(of role: StateEntry.Role) -> Int? {
        switch role {
        case .convolutionWeight: valueOffset
        case .normWeight: normWeightOffset
        case .normBias: normBiasOffset
        case .runningMean: runningMeanOffset
        case .runningVar: runningVarOffset
        case .batchesTracked: nil
        }
    }
}
