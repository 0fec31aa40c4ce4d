// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The named tensors of a checkpoint file that is open for reading: names, shapes and places are known and checked, the
/// numbers are still in the file.
// Public: see UniqueArray.
public struct StateDict: ~Copyable {
    let file: ByteFile
    let catalog: TensorCatalog
    /// Our names for the catalog's entries.
    private let names: NameMap
    /// For messages, with a terminating zero.
    let path: UniqueArray<CChar>

    package let container: Container
    /// The keys that lead to the dict of tensors, joined by dots; empty for the object itself.
    let wrapper: UniqueArray<UInt8>
    /// What the backbone's names in the file begin with and `name` does not tell.
    let prefix: UniqueArray<UInt8>
    /// Whose names the file has.
    package let dialect: Dialect
    package let origin: Origin

    /// Opens a checkpoint and reads all of it but the numbers.
    ///
    /// - Parameter selection: which state dict of the file is wanted.
    /// - Throws: `fileNotFound`, `io`, `badCheckpoint`, `outOfMemory`, and `invalidArgument` if what was selected is not
    ///   there; the message begins with the path.
    package init(
        path: UnsafePointer<CChar>, _ selection: StateDictSelection = StateDictSelection()
    ) throws(BackboneError) {
        do throws(BackboneError) {
            let file = try ByteFile(path: path)
            let container = try Container.recognize(file)
            switch container {
            case .zip:
                let archive = try TorchZip(file)
                let found = try archive.findCandidates()
                let choice = try StateDictChoice.choose(from: found.list, selection)
                let catalog = try archive.catalog(of: found.values[choice.candidate])
                var key = UniqueArray<UInt8>()
                try key.append(found.list[choice.candidate].key.elements)
                try self.init(file, catalog, container, key: key, choice, archive.origin, path: path)
            case .safetensors:
                let catalog = try SafetensorsHeader.read(file)
                var candidates = UniqueArray<Candidate>()
                try candidates.append(try Candidate(catalog))
                let choice = try StateDictChoice.choose(from: candidates, selection)
                try self.init(file, catalog, container, key: UniqueArray(), choice, .unknown, path: path)
            }
        } catch {
            throw error.located(in: path)
        }
    }

    private init(
        _ file: consuming ByteFile, _ catalog: consuming TensorCatalog, _ container: Container,
        key: consuming UniqueArray<UInt8>, _ choice: borrowing StateDictChoice, _ origin: Origin,
        path: UnsafePointer<CChar>
    ) throws(BackboneError) {
        let names = try NameMap(catalog, prefix: choice.prefix.elements, choice.dialect)
        var ownPrefix = UniqueArray<UInt8>()
        try ownPrefix.append(choice.prefix.elements)
        var ownPath = UniqueArray<CChar>()
        try ownPath.append(UnsafeBufferPointer(start: path, count: strlen(path) + 1))
        self.file = file
        self.catalog = catalog
        self.names = names
        self.container = container
        self.origin = origin
        wrapper = key
        prefix = ownPrefix
        dialect = choice.dialect
        self.path = ownPath
    }

    /// How many names there are, in the order of the file.
    package var count: Int { catalog.entries.count }

    /// Our name of tensor `index`, nil if it does not belong to the backbone; valid as long as this lives.
    package func name(_ index: Int) -> Bytes? { names.name(index) }

    /// The name of tensor `index` as the file spells it.
    package func nameInFile(_ index: Int) -> Bytes { catalog.name(index) }

    /// The type of tensor `index`; nil if what has that name is no tensor that can be read.
    package func dtype(_ index: Int) -> DType? {
        catalog.entries[index].isTensor ? catalog.entries[index].dtype : nil
    }

    /// The shape of tensor `index`; valid as long as this lives.
    package func shape(_ index: Int) -> UnsafeBufferPointer<Int64> { catalog.shape(index) }

    /// The index of the tensor with one of our names.
    package func find(_ name: Bytes) -> Int? { names.find(name) }

    /// Whether tensor `index` belongs to another part of the model: its name lacks the backbone's prefix.
    func isOutside(_ index: Int) -> Bool { !nameInFile(index).hasPrefix(prefix.elements) }

    /// Whether tensor `index` is one that files of this dialect have and nobody needs.
    func isIgnorable(_ index: Int) -> Bool {
        let name = nameInFile(index)
        return dialect.isIgnorable(name.slice(prefix.count, name.count - prefix.count))
    }

    /// An error with the path in front.
    package func located(_ error: BackboneError) -> BackboneError {
        path.elements.baseAddress.map { error.located(in: $0) } ?? error
    }
}
