// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Execution
import Networks
import Runtime

/// Loads an open checkpoint into a session.
///
/// - Parameters:
///   - isDescribed: Whether the file describes the session: the report then lists the assumptions.
///   - isNamed: Whether the caller still named its architecture.
///   - describe: adds to the report other facts from the same file.
///   - out: receives the report if it is wanted, also the report of a failure.
///   - adopt: replaces the session's values: the last thing that can fail.
package func load(
    _ stateDict: borrowing StateDict, _ request: LoadRequest, _ session: Session, isDescribed: Bool = false,
    isNamed: Bool = false, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    describe: (inout LoadReport) throws(BackboneError) -> Void = { _ in },
    adopt: (consuming NetworkValues, borrowing UniqueArray<Bool>) throws(BackboneError) -> Void
) throws(BackboneError) {
    try request.conversion.check(networkChannels: session.configuration.inChannels)
    var modules = try ForeignModules(stateDict, session.configuration)
    let matching = try session.withGraph { graph throws(BackboneError) in
        try Matching(stateDict, graph, &modules, request)
    }
    let (outline, foreign) = (matching.outline, matching.foreign)
    try withReport(of: matching.report, out) { report throws(BackboneError) in
        try report.pointee.describe(stateDict, outline)
        try describe(&report.pointee)
        if isDescribed { try report.pointee.setAssumptions(session.configuration, isNamed: isNamed) }
        try Verdict(request).check(report.pointee, outline, foreign, stateDict)
        try report.pointee.warn(ofIgnored: foreign, stateDict)
        if request.keepsHead { try report.pointee.warn(ofKeptHead: outline, session.configuration) }
        let loader = Loader(report: report, session: session, conversion: request.conversion, outline: outline)
        try loader.load(stateDict, isReportWanted: out != nil, adopt: adopt)
    }
}

/// The same, replacing the values alone.
package func load(
    _ stateDict: borrowing StateDict, _ request: LoadRequest, _ session: Session, isDescribed: Bool = false,
    isNamed: Bool = false, _ out: UnsafeMutablePointer<OpaquePointer?>?
) throws(BackboneError) {
    let cancellation = stateDict.cancellation
    try load(
        stateDict, request, session, isDescribed: isDescribed, isNamed: isNamed, out,
        adopt: { values, isLoaded throws(BackboneError) in
            try session.adopt(values, isLoaded: isLoaded, cancellation)
        })
}

/// Reads the matching tensors into separate memory, and then replaces the network's values.
private struct Loader {
    let report: UnsafeMutablePointer<LoadReport>
    let session: Session
    let conversion: InputConversion
    let outline: FileOutline

    func load(
        _ stateDict: borrowing StateDict, isReportWanted: Bool,
        adopt: (consuming NetworkValues, borrowing UniqueArray<Bool>) throws(BackboneError) -> Void
    ) throws(BackboneError) {
        var isLoaded = UniqueArray<Bool>()
        var destinations = UniqueArray<TensorDestination>()
        var stem = ConvertedStem()
        var parts = Reparametrisation()
        var faults = try UniqueArray(repeating: ValueFaults(), count: report.pointee.count(of: .loaded))
        let seen = faults.mutableElements
        let values = try session.withGraph { graph throws(BackboneError) in
            let values = try graph.makeValues()
            isLoaded = try UniqueArray(repeating: false, count: graph.entries.count)
            for index in 0..<seen.count {
                let match = report.pointee.match(index)
                let entry = graph.entries[match.expected]
                let address = values.address(of: entry)
                isLoaded[match.expected] = true
                if entry.role == .batchesTracked {
                    try destinations.append(
                        TensorDestination(tensor: match.tensor, int64: address.assumingMemoryBound(to: Int64.self)))
                    continue
                }
                var memory = address.assumingMemoryBound(to: Float.self)
                if let convolution = graph.imageConvolution(entry) {
                    let shape = stateDict.shape(match.tensor)
                    memory =
                        try stem.prepare(conversion, fileChannels: Int(shape[1]), convolution, entry) ?? memory
                }
                let faults = seen.baseAddress.map { $0 + index }
                try destinations.append(TensorDestination(tensor: match.tensor, float32: memory, faults: faults))
                try parts.add(match, memory, stateDict, &destinations, faults: faults)
            }
            for index in 0..<report.pointee.defaultCount {
                let position = report.pointee.expectedDefault(index)
                graph.writeAffineStatistic(graph.entries[position], to: values)
                isLoaded[position] = true
            }
            return values
        }
        // Forward passes continue meanwhile: the lock is only taken to replace the values.
        try session.sharing { pool throws(BackboneError) in try stateDict.read(destinations, pool) }
        parts.compute(stateDict)
        let scale = try session.withGraph { graph throws(BackboneError) -> StemScale in
            var scale = StemScale.unknown
            if let own = graph.stem, graph.hasStem(isLoaded) { scale = stem.scale(own, values) }
            stem.convert(conversion, values)
            try report.pointee.warn(ofValues: values, faults, graph)
            return scale
        }
        if stem.isConverted { try report.pointee.set(.inputConversion, "\(conversion.name)") }
        let character = FileCharacter(stateDict, outline, scale)
        try report.pointee.compare(character, with: session.configuration)
        try report.pointee.compareInputs(character, with: session)
        // The last thing that can fail, so that a failure has changed nothing.
        if isReportWanted { try report.pointee.renderJSON() }
        try adopt(values, isLoaded)
        if let expectsPixels = character.expectsPixels { session.noteExpectedScale(pixels: expectsPixels) }
    }
}
