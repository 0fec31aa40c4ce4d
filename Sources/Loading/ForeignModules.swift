// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Checkpoints
import Networks
import Runtime

/// Looks for modules inside the stem or the blocks of a file's network that this network does not compute. With them
/// the file's features are those of another network, even if all other tensors fit.
struct ForeignModules: ~Copyable {
    /// A kind of module that was found: its first tensor, and the number of its tensors.
    struct Finding: BitwiseCopyable {
        let kind: ForeignKind
        let tensor: Int
        var count: Int
    }

    /// The most certain one; nil if it has none.
    private(set) var finding: Finding?
    private let names: ForeignNames
    /// Whether each tensor of the file is a bias of zeros.
    private let isZeroBias: UniqueArray<Bool>

    /// - Throws: what reading biases throws.
    init(_ stateDict: borrowing StateDict, _ configuration: Configuration) throws(BackboneError) {
        let stem = stateDict.find(bytes(of: ForeignNames.stemName))
        let names = try ForeignNames(configuration, stemShape: stem.map { stateDict.shape($0) })
        let isZeroBias = try ForeignModules.findZeroBiases(stateDict, names)
        self.isZeroBias = isZeroBias
        self.names = names
    }

    /// The class of a tensor that is not loaded.
    mutating func classify(
        _ index: Int, _ stateDict: borrowing StateDict
    ) throws(BackboneError) -> LoadReport.NameClass {
        if isZeroBias[index] { return .ignorable }
        let name = stateDict.name(index) ?? stateDict.nameInFile(index)
        switch names.read(name, rank: stateDict.shape(index).count) {
        case .ignorable: return .ignorable
        case .unexpected: return .unexpected
        case .foreign(let kind):
            note(kind, index)
            return .unexpected
        }
    }

    private mutating func note(_ kind: ForeignKind, _ index: Int) {
        guard let found = finding else {
            finding = Finding(kind: kind, tensor: index, count: 1)
            return
        }
        if kind.isCertain && !found.kind.isCertain {
            finding = Finding(kind: kind, tensor: index, count: 1)
        } else if equal(kind.words, found.kind.words) {
            finding?.count += 1
        }
    }
}
