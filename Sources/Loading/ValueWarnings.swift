// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

extension LoadReport {
    /// Warns, by name, of loaded values that make features NaN.
    ///
    /// - Parameter faults: for each loaded name.
    mutating func warn(
        ofValues values: borrowing NetworkValues, _ faults: borrowing UniqueArray<ValueFaults>, _ graph: borrowing Graph
    ) throws(BackboneError) {
        let all = ValueFault.all
        for number in 0..<all.count {
            let fault = all[number]
            var message = Message()
            var count = 0
            for index in 0..<self.count(of: .loaded) {
                guard let name = entry(.loaded, index)?.name else { continue }
                let entry = graph.entries[match(index).expected]
                guard fault.concerns(faults[index], entry, values.address(of: entry)) else { continue }
                count += 1
                if count <= 6 { message = count == 1 ? "\(name)" : "\(message), \(name)" }
            }
            if count == 0 { continue }
            if count > 6 { message = "\(message) and \(count - 6) more" }
            try warn("values of the file \(fault.words): \(message)")
        }
    }
}

private enum ValueFault {
    case nan, infinity, overflow, negativeVariance

    static var all: [4 of ValueFault] { [.nan, .infinity, .overflow, .negativeVariance] }

    var words: StaticString {
        switch self {
        case .nan: "are NaN, which makes features NaN"
        case .infinity: "are infinite"
        case .overflow: "are float64 beyond float32 and become infinite"
        case .negativeVariance: "are negative variances, which makes features NaN"
        }
    }

    func concerns(_ seen: ValueFaults, _ entry: StateEntry, _ address: UnsafeMutableRawPointer) -> Bool {
        switch self {
        case .nan: return seen.hasNaN
        case .infinity: return seen.hasInfinity
        case .overflow: return seen.hasOverflow
        case .negativeVariance:
            guard entry.role == .runningVar else { return false }
            let variances = address.assumingMemoryBound(to: Float.self)
            for channel in 0..<entry.elementCount where variances[channel] < 0 { return true }
            return false
        }
    }
}
