// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

/// An open checkpoint compared with a network, name by name, before any of its values is read.
struct Matching: ~Copyable {
    let report: LoadReport
    let outline: FileOutline
    /// Modules of the file's network that this network does not compute.
    let foreign: ForeignModules.Finding?

    /// - Parameter modules: for this state dict and this network.
    init(
        _ stateDict: borrowing StateDict, _ graph: borrowing Graph, _ modules: inout ForeignModules,
        _ request: LoadRequest
    ) throws(BackboneError) {
        let outline = FileOutline(stateDict)
        var expected = UniqueArray<ExpectedTensor>()
        try expected.reserve(graph.entries.count)
        // Limits a file's classes to those that a network may have.
        let mostChannels = request.conversion.isExact ? nil : Int64(Configuration.maximumInChannels)
        for index in 0..<graph.entries.count {
            let entry = graph.entries[index]
            // The last ones.
            if request.keepsHead && graph.isHead(entry) { break }
            let isCount = entry.role == .batchesTracked
            expected.appendReserved(
                ExpectedTensor(
                    name: graph.name(of: entry), shape: graph.shape(ofEntry: index),
                    dtype: isCount ? .int64 : .float32, mayBeMissing: isCount,
                    isStatistic: graph.affineStatistic(entry) != nil,
                    mostChannels: graph.imageConvolution(entry) != nil ? mostChannels : nil))
        }
        let hasDefaults = outline.network.foldsStatistics && !outline.network.hasStatistics
        report = try stateDict.match(expected, hasDefaults: hasDefaults) { index throws(BackboneError) in
            try modules.classify(index, stateDict)
        }
        self.outline = outline
        foreign = modules.finding
    }
}

/// Calls `body` with a report, and then passes it to a caller that wants one, also if `body` failed.
func withReport(
    of report: consuming LoadReport, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ body: (UnsafeMutablePointer<LoadReport>) throws(BackboneError) -> Void
) throws(BackboneError) {
    let report = try Heap.make(report)
    var isWanted = false
    defer { if isWanted { out?.pointee = OpaquePointer(report) } else { Heap.destroy(report) } }
    do throws(BackboneError) {
        try body(report)
    } catch {
        if out != nil && error.kind == .mismatch {
            try report.pointee.renderJSON()
            isWanted = true
        }
        throw error
    }
    isWanted = out != nil
}
