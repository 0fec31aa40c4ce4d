// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Execution
import Networks
import Runtime

/// Loads an open checkpoint into a session.
///
/// - Parameter out: receives the report if it is wanted, also where that says why nothing was loaded.
package func load(
    _ stateDict: borrowing StateDict, _ request: LoadRequest, _ session: Session,
    _ out: UnsafeMutablePointer<OpaquePointer?>?
) throws(BackboneError) {
    try request.conversion.check(networkChannels: session.configuration.inChannels)
    var modules = try ForeignModules(stateDict, session.configuration)
    let matching = try session.reading { network throws(BackboneError) in
        try Matching(stateDict, network, &modules, request)
    }
    let (outline, foreign) = (matching.outline, matching.foreign)
    try withReport(of: matching.report, out) { report throws(BackboneError) in
        try report.pointee.describe(stateDict, outline)
        try Verdict(request).check(report.pointee, outline, foreign, stateDict)
        try report.pointee.warn(ofIgnored: foreign, stateDict)
        let loader = Loader(report: report, session: session, conversion: request.conversion, outline: outline)
        try loader.load(stateDict, isReportWanted: out != nil)
    }
}

/// Reads what matches beside the network's values, and then puts it in their place.
private struct Loader {
    let report: UnsafeMutablePointer<LoadReport>
    let session: Session
    let conversion: InputConversion
    let outline: NetworkOutline

    func load(_ stateDict: borrowing StateDict, isReportWanted: Bool) throws(BackboneError) {
        var isLoaded = UniqueArray<Bool>()
        var destinations = UniqueArray<TensorDestination>()
        var stem = ConvertedStem()
        var parts = Reparametrisation()
        var faults = try UniqueArray(repeating: ValueFaults(), count: report.pointee.count(of: .loaded))
        let seen = faults.mutableElements
        let values = try session.reading { network throws(BackboneError) in
            let values = try network.makeValues()
            isLoaded = try UniqueArray(repeating: false, count: network.entries.count)
            for index in 0..<seen.count {
                let match = report.pointee.match(index)
                let entry = network.entries[match.expected]
                let address = network.address(of: entry, in: values)
                isLoaded[match.expected] = true
                if entry.role == .batchesTracked {
                    try destinations.append(
                        TensorDestination(tensor: match.tensor, int64: address.assumingMemoryBound(to: Int64.self)))
                    continue
                }
                var memory = address.assumingMemoryBound(to: Float.self)
                if entry.isStemWeight {
                    let shape = stateDict.shape(match.tensor)
                    memory = try stem.prepare(conversion, fileChannels: Int(shape[1]), network.units[0]) ?? memory
                }
                let faults = seen.baseAddress.map { $0 + index }
                try destinations.append(TensorDestination(tensor: match.tensor, float32: memory, faults: faults))
                try parts.add(match, memory, stateDict, &destinations, faults: faults)
            }
            for index in 0..<report.pointee.defaultCount {
                let position = report.pointee.expectedDefault(index)
                network.writeAffineStatistic(network.entries[position], to: values)
                isLoaded[position] = true
            }
            return values
        }
        // Without the lock: forwards go on meanwhile.
        try session.sharing { pool throws(BackboneError) in try stateDict.read(destinations, pool) }
        parts.compute(stateDict)
        let scale = try session.reading { network throws(BackboneError) -> StemScale in
            let scale = network.hasStem(isLoaded) ? stem.scale(network, values) : .unknown
            stem.convert(conversion, network.units[0], values)
            try report.pointee.warn(ofValues: values, isLoaded, faults, network)
            return scale
        }
        if stem.isConverted { try report.pointee.set(.inputConversion, "\(conversion.name)") }
        let character = FileCharacter(stateDict, outline, scale)
        try report.pointee.compare(character, with: session.configuration)
        try report.pointee.compareInputs(character, with: session)
        // The last thing that can fail, so that a failure has changed nothing.
        if isReportWanted { try report.pointee.renderJSON() }
        try session.adopt(values, isLoaded: isLoaded, stateDict.cancellation)
        if let expectsPixels = character.expectsPixels { session.noteExpectedScale(pixels: expectsPixels) }
    }
}
