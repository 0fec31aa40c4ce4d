// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

extension Dialect {
    /// The grammars of all dialects, for checkpoints; the position of each is its `rawValue`.
    static func grammars() throws(BackboneError) -> UniqueArray<NameGrammar> {
        var list = UniqueArray<NameGrammar>()
        var number = 0
        while let dialect = Dialect(rawValue: number) {
            try list.append(dialect.checkpointGrammar)
            number += 1
        }
        return list
    }

    /// The grammar of the names in checkpoints.
    var checkpointGrammar: NameGrammar {
        NameGrammar(name: grammar.name, table: grammar.table, shared: Grammar.shared)
    }

    init(of stateDict: borrowing StateDict) { self = Dialect(rawValue: stateDict.grammar) ?? .torchvision }
}

/// The network of a state dict by its names, shapes and types, whether its tensors can be read or not.
struct FileOutline: BitwiseCopyable {
    private(set) var network = NetworkOutline()
    /// The type of all convolutions' weights; nil if it has none.
    private(set) var dtype: DType?
    /// Whether they are of different types.
    private(set) var hasMixedTypes = false

    init(_ dict: borrowing StateDict) {
        network.foldsStatistics = Dialect(of: dict).foldsStatistics(isCaffe: dict.origin == .caffe)
        for index in 0..<dict.count {
            let shape = dict.shape(index)
            guard let name = dict.name(index), network.note(name, shape: shape), shape.count == 4,
                let type = dict.dtype(index)
            else { continue }
            if let dtype, dtype != type { hasMixedTypes = true }
            dtype = type
        }
    }
}
