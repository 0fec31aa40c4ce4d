// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Checkpoints
import Execution
import Networks
import Runtime

@_cdecl("backbone_inspect") @implementation
public func backbone_inspect(
    _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<backbone_load_options>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let out = try require(out_report, "out_report")
        out.pointee = nil
        let path = try require(path, "path")
        let request = try LoadRequest(options)
        try inspect(try request.open(path), request, out)
    }
}

@_cdecl("backbone_inspect_memory") @implementation
public func backbone_inspect_memory(
    _ data: UnsafeRawPointer!, _ size: Int, _ options: UnsafePointer<backbone_load_options>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let out = try require(out_report, "out_report")
        out.pointee = nil
        let memory = try requireMemory(data, size)
        let request = try LoadRequest(options)
        try inspect(try StateDict(memory: memory, request.selection), request, out)
    }
}

@_cdecl("backbone_create_from_file") @implementation
public func backbone_create_from_file(
    _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<backbone_options>!,
    _ load_options: UnsafePointer<backbone_load_options>!, _ out: UnsafeMutablePointer<OpaquePointer?>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        out_report?.pointee = nil
        let out = try require(out, "out")
        out.pointee = nil
        let path = try require(path, "path")
        let options = try optionsOrDefaults(options)
        let request = try LoadRequest(load_options)
        out.pointee = try create(try request.open(path), options, request, out_report)
    }
}

@_cdecl("backbone_create_from_memory") @implementation
public func backbone_create_from_memory(
    _ data: UnsafeRawPointer!, _ size: Int, _ options: UnsafePointer<backbone_options>!,
    _ load_options: UnsafePointer<backbone_load_options>!, _ out: UnsafeMutablePointer<OpaquePointer?>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        out_report?.pointee = nil
        let out = try require(out, "out")
        out.pointee = nil
        let memory = try requireMemory(data, size)
        let options = try optionsOrDefaults(options)
        let request = try LoadRequest(load_options)
        out.pointee = try create(try StateDict(memory: memory, request.selection), options, request, out_report)
    }
}

private func optionsOrDefaults(
    _ options: UnsafePointer<backbone_options>?
) throws(BackboneError) -> backbone_options {
    guard let options else { return .defaults }
    return try backbone_options(options)
}

/// Reports on an open checkpoint as if it were loaded into the network that it describes.
private func inspect(
    _ stateDict: borrowing StateDict, _ request: LoadRequest, _ out: UnsafeMutablePointer<OpaquePointer?>
) throws(BackboneError) {
    let network = try Network(try stateDict.describedConfiguration())
    try withReport(of: try match(stateDict, network, request), out) { report throws(BackboneError) in
        try report.pointee.describe(stateDict)
        try report.pointee.verdict(strict: request.isStrict)
        let character = FileCharacter(stateDict, try stemScale(stateDict, network, report.pointee))
        try report.pointee.set(.style, "\(character.styleName)")
        try report.pointee.renderJSON()
    }
}

/// Creates the network that an open checkpoint describes, and loads it.
private func create(
    _ stateDict: borrowing StateDict, _ options: backbone_options, _ request: LoadRequest,
    _ outReport: UnsafeMutablePointer<OpaquePointer?>?
) throws(BackboneError) -> OpaquePointer {
    var options = options
    let described = try stateDict.describedConfiguration()
    options.depth = described.depth.rawValue
    options.base_channels = Int32(described.baseChannels)
    let channels = Int32(described.inChannels)
    if request.conversion.isExact && options.in_channels != channels {
        // The caller's arrays have as many values as the caller's options say.
        guard options.mean == nil && options.std_dev == nil else {
            throw BackboneError(
                .invalidArgument,
                "in_channels is \(options.in_channels) and mean or std_dev is set, but the stem in the file has \(channels)"
            )
        }
        options.in_channels = channels
    }
    let session = try makeSession(options)
    do throws(BackboneError) {
        try load(stateDict, request, session, outReport)
    } catch {
        session.destroy()
        throw error
    }
    return session.handle
}

extension StateDict {
    /// The network that names and shapes describe, up to its deepest stage.
    ///
    /// - Throws: `badCheckpoint` if it is none that is built here.
    fileprivate borrowing func describedConfiguration() throws(BackboneError) -> Configuration {
        let outline = self.outline
        let counts = outline.blockCounts
        var deepest = 0
        for index in 0..<4 where counts[index] > 0 { deepest = index + 1 }
        let stemText: StaticString = outline.stem == nil ? "it has no stem" : "it has a stem"
        guard let depth = Depth.matching(counts, isBottleneck: outline.isBottleneck), let stem = outline.stem else {
            throw located(
                BackboneError(
                    .badCheckpoint,
                    """
                    its names describe no ResNet of depth 18, 34, 50, 101 or 152: \
                    \(stemText), and layer1 to layer4 have \
                    \(counts[0]), \(counts[1]), \(counts[2]) and \(counts[3]) blocks
                    """))
        }
        do throws(BackboneError) {
            return try Configuration(
                depth: depth.rawValue, inChannels: Int32(clamping: stem.inputs),
                baseChannels: Int32(clamping: stem.outputs), outStages: UInt32(1) << UInt32(deepest) - 1, normEval: 0,
                zeroInitResidual: 0)
        } catch {
            throw located(BackboneError(.badCheckpoint, "its stem is none that is built here: \(error.message)"))
        }
    }
}

/// The scale of the stem of a file of which nothing has been read; unknown if it is not whole.
private func stemScale(
    _ stateDict: borrowing StateDict, _ network: borrowing Network, _ report: borrowing LoadReport
) throws(BackboneError) -> StemScale {
    let unit = network.units[0]
    let floats = try Buffer<Float>(count: unit.valueCount)
    var destinations = UniqueArray<TensorDestination>()
    var isLoaded = try UniqueArray<Bool>(repeating: false, count: network.entries.count)
    for index in 0..<report.count(of: .loaded) {
        let match = report.match(index)
        let entry = network.entries[match.expected]
        guard entry.unit == 0, let offset = unit.offset(of: entry.role) else { continue }
        isLoaded[match.expected] = true
        try destinations.append(TensorDestination(tensor: match.tensor, float32: floats.start + offset))
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
