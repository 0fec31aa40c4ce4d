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
    let configuration = try stateDict.describedConfiguration(nil)
    let graph = try configuration.makeGraph(try stateDict.blockWidths(configuration))
    var modules = try ForeignModules(stateDict, configuration)
    let matching = try Matching(stateDict, graph, &modules, request)
    let (outline, foreign) = (matching.outline, matching.foreign)
    try withReport(of: matching.report, out) { report throws(BackboneError) in
        try report.pointee.describe(stateDict, outline)
        try report.pointee.setAssumptions(configuration, isNamed: false)
        try Verdict(request).check(report.pointee, outline, foreign, stateDict)
        try report.pointee.warn(ofIgnored: foreign, stateDict)
        let scale = try stemScale(stateDict, graph, report.pointee)
        try report.pointee.set(.style, "\(FileCharacter(stateDict, outline, scale).styleName)")
        try report.pointee.renderJSON()
    }
}

/// Creates the network that an open checkpoint describes, with the caller's other options, and loads it.
package func create(
    _ stateDict: borrowing StateDict, _ network: NetworkRequest, _ request: LoadRequest,
    _ out: UnsafeMutablePointer<OpaquePointer?>?
) throws(BackboneError) -> Session {
    let named = try network.namedArchitecture()
    let described = try network.describing(try stateDict.describedConfiguration(named), request)
    let session = try described.makeSession(widths: try stateDict.blockWidths(try described.configuration()))
    do throws(BackboneError) {
        try load(stateDict, request, session, isDescribed: true, isNamed: named != nil, out)
    } catch {
        session.destroy()
        throw error
    }
    return session
}

extension StateDict {
    /// The channels of the blocks of the file's network, if they do not follow the rules.
    ///
    /// - Throws: `badCheckpoint` if they do not fit together.
    fileprivate borrowing func blockWidths(_ configuration: Configuration) throws(BackboneError) -> BlockWidths {
        guard configuration.architecture.isCustom else { return BlockWidths() }
        let widths = try readWidths(configuration)
        if widths.isEmpty { return widths }
        do throws(BackboneError) {
            try configuration.checkDescribed(widths)
        } catch {
            throw located(error)
        }
        return widths
    }

    /// The network that names and shapes describe, up to its deepest stage.
    ///
    /// - Parameter architecture: The known architecture.
    /// - Throws: `badCheckpoint` if it is not supported.
    fileprivate borrowing func describedConfiguration(
        _ architecture: Architecture?
    ) throws(BackboneError) -> Configuration {
        let outline = FileOutline(self).network
        let hint = location.elements.baseAddress.flatMap { shardHint($0) }
        let described: Configuration
        do throws(BackboneError) {
            if let architecture {
                described = try outline.configuration(architecture)
            } else {
                described = try outline.configuration()
            }
        } catch {
            throw located(hint.map { BackboneError(error.kind, "\(error.message); \($0)") } ?? error)
        }
        if outline.isPartial, let hint { throw located(BackboneError(.badCheckpoint, hint)) }
        if architecture != nil { return described }
        return try hasOwnWidths(described) ? described.unnamed : described
    }

    /// Whether the file is of a network of the table with other channels in its later blocks, as a pruned one may be.
    /// If the tensors do not agree on those, one of them is wrong, which a load reports.
    private borrowing func hasOwnWidths(_ configuration: Configuration) throws(BackboneError) -> Bool {
        if configuration.architecture.isCustom { return false }
        let widths = try readWidths(configuration)
        if widths.isEmpty { return false }
        do throws(BackboneError) {
            return agrees(with: try configuration.makeGraph(widths))
        } catch {
            guard error.kind == .invalidArgument else { throw error }
            return false
        }
    }

    /// Whether all tensors that a graph has, but for counters, have its shapes.
    private borrowing func agrees(with graph: borrowing Graph) -> Bool {
        for index in 0..<graph.entries.count {
            let entry = graph.entries[index]
            guard entry.role != .batchesTracked, let tensor = find(graph.name(of: entry)) else { continue }
            if !sameSizes(shape(tensor), graph.shape(ofEntry: index)) { return false }
        }
        return true
    }

    private borrowing func readWidths(_ configuration: Configuration) throws(BackboneError) -> BlockWidths {
        var reader = try WidthReader(configuration)
        for index in 0..<count {
            if let name = name(index) { reader.note(name, shape: shape(index)) }
        }
        return try reader.finish()
    }
}

/// The scale of the stem of a file that has not been read; unknown if the stem is incomplete.
private func stemScale(
    _ stateDict: borrowing StateDict, _ graph: borrowing Graph, _ report: borrowing LoadReport
) throws(BackboneError) -> StemScale {
    guard let stem = graph.stem else { return .unknown }
    let floats = try Buffer<Float>(count: stem.valueEnd)
    var destinations = UniqueArray<TensorDestination>()
    var parts = Reparametrisation()
    var isLoaded = try UniqueArray<Bool>(repeating: false, count: graph.entries.count)
    for index in 0..<report.count(of: .loaded) {
        let match = report.match(index)
        let entry = graph.entries[match.expected]
        guard stem.contains(entry), entry.role != .batchesTracked else { continue }
        // Converted stems have another size than the network's.
        guard stateDict.elementCount(match.tensor) == entry.elementCount else { return .unknown }
        isLoaded[match.expected] = true
        let memory = floats.start + entry.valueOffset
        try destinations.append(TensorDestination(tensor: match.tensor, float32: memory))
        try parts.add(match, memory, stateDict, &destinations)
    }
    for index in 0..<report.defaultCount {
        let entry = graph.entries[report.expectedDefault(index)]
        guard stem.contains(entry), let value = graph.affineStatistic(entry) else { continue }
        isLoaded[report.expectedDefault(index)] = true
        (floats.start + entry.valueOffset).update(repeating: value, count: entry.elementCount)
    }
    guard graph.hasStem(isLoaded) else { return .unknown }
    try stateDict.read(destinations)
    parts.compute(stateDict)
    return StemScale(stem, UnsafePointer(floats.start))
}
