// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Execution
import Networks
import Runtime

/// Writes all parameters and buffers of a session to a file.
///
/// - Parameter names: The dialect of the names to write, as in reports; nil for ours.
/// - Throws: `invalidArgument` naming a tensor that has no such name; what writing throws.
package func save(
    _ session: Session, to path: UnsafePointer<CChar>, names: UnsafePointer<CChar>?
) throws(BackboneError) {
    let grammar = try names.map { name throws(BackboneError) in try Dialect.grammar(named: name) }
    try session.readingValues { network throws(BackboneError) in
        var spelled = try SpelledNames(grammar ?? Dialect.torchvision.checkpointGrammar)
        if grammar != nil {
            for entry in network.graph.entries.elements {
                try spelled.append(network.graph.name(of: entry), mayBeAbsent: entry.role == .batchesTracked)
            }
            try spelled.checkLandmarks()
        }
        var sources = UniqueArray<TensorSource>()
        try sources.reserve(network.graph.entries.count)
        for index in 0..<network.graph.entries.count {
            let entry = network.graph.entries[index]
            let name = grammar == nil ? network.graph.name(of: entry) : spelled[index]
            if name.isEmpty { continue }
            let shape = network.graph.shape(ofEntry: index)
            let address = UnsafeRawPointer(network.address(of: entry))
            sources.appendReserved(
                entry.role == .batchesTracked
                    ? TensorSource(name: name, shape: shape, int64: address.assumingMemoryBound(to: Int64.self))
                    : TensorSource(name: name, shape: shape, float32: address.assumingMemoryBound(to: Float.self)))
        }
        try writeCheckpoint(sources, to: path)
    }
}

extension Dialect {
    /// The grammar of the first dialect with that name in reports.
    ///
    /// - Throws: `invalidArgument` that lists the valid names.
    fileprivate static func grammar(named name: UnsafePointer<CChar>) throws(BackboneError) -> NameGrammar {
        var message: Message = "names is '\(name)', expected one of"
        var last: StaticString = ""
        var number = 0
        while let dialect = Dialect(rawValue: number) {
            number += 1
            let grammar = dialect.grammar
            if equal(bytes(ofCString: name), grammar.name) { return dialect.checkpointGrammar }
            // Several in a row have one name.
            if equal(bytes(of: last), grammar.name) { continue }
            message = "\(message) \(grammar.name)"
            last = grammar.name
        }
        throw BackboneError(.invalidArgument, message)
    }
}
