// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The named tensors of a checkpoint that is open for reading: names, shapes and positions are known and checked; the
/// values are still in the file, which may be in memory.
// Public: see UniqueArray.
public struct StateDict: ~Copyable {
    /// One file, or all files of an index of shards.
    let files: UniqueArray<ByteFile>
    let catalog: TensorCatalog
    /// Our names for the catalog's entries.
    private let names: NameMap
    /// The path, or "memory of N bytes": for messages, with a terminating zero.
    package let location: UniqueArray<CChar>

    package let container: Container
    /// The keys that lead to the dict of tensors, joined by dots; empty for the object itself.
    let wrapper: UniqueArray<UInt8>
    /// The prefix of the network's names in the file that `name` does not include.
    let prefix: UniqueArray<UInt8>
    /// The index of the grammar of its names among the given ones.
    package let grammar: Int
    package let grammarName: StaticString
    package let origin: Origin

    /// Opens a checkpoint and reads all of it except the values. The path of an index of shards opens all of them.
    ///
    /// - Parameters:
    ///   - path: of a file, or of a stream, which is read to its end.
    ///   - selection: the wanted state dict of the file.
    ///   - grammars: of the known names, in the order of preference; none for a checkpoint of any content.
    ///   - maxStreamBytes: the largest number of bytes of a stream.
    ///   - cancellation: ends all reads of the file, now and later.
    /// - Throws: `fileNotFound`, `io`, `badCheckpoint`, `outOfMemory`, `cancelled`, and `invalidArgument` if the
    ///   selection is missing; the message begins with the path.
    package init(
        path: UnsafePointer<CChar>, _ selection: StateDictSelection = StateDictSelection(),
        grammars: borrowing UniqueArray<NameGrammar> = UniqueArray(), maxStreamBytes: Int = Limits.streamBytes,
        _ cancellation: Cancellation = .none
    ) throws(BackboneError) {
        do throws(BackboneError) {
            let rules = try StateDict.rules(grammars)
            let file = try ByteFile(checkpoint: path, maxStreamBytes: maxStreamBytes, cancellation)
            var location = UniqueArray<CChar>()
            try location.append(UnsafeBufferPointer(start: path, count: strlen(path) + 1))
            if try Container.recognize(file.reference) == .index {
                let shards = try ShardedCheckpoint(ShardIndex(file.reference), besides: path, cancellation)
                try self.init(shards, selection, rules, location)
            } else {
                try self.init(file, selection, rules, location)
            }
        } catch {
            throw error.located(in: path)
        }
    }

    /// Reads all of a checkpoint in memory except the values.
    ///
    /// - Parameters:
    ///   - memory: a whole checkpoint file. It is not copied and must live as long as this.
    ///   - selection: and `grammars` as above.
    /// - Throws: as above, except `fileNotFound` and `io`; the message begins with "memory of N bytes".
    package init(
        memory: UnsafeRawBufferPointer, _ selection: StateDictSelection = StateDictSelection(),
        grammars: borrowing UniqueArray<NameGrammar> = UniqueArray(),
        _ cancellation: Cancellation = .none
    ) throws(BackboneError) {
        let name: Message = "memory of \(memory.count) bytes"
        do throws(BackboneError) {
            let rules = try StateDict.rules(grammars)
            var location = UniqueArray<CChar>()
            for index in 0..<name.count { try location.append(CChar(bitPattern: name[index])) }
            try location.append(0)
            try self.init(ByteFile(memory: memory, cancellation), selection, rules, location)
        } catch {
            throw BackboneError(error.kind, "\(name): \(error.message)")
        }
    }

    /// The tensors of a catalog under its own names.
    init(
        _ file: consuming ByteFile, _ container: Container, _ catalog: consuming TensorCatalog,
        _ location: consuming UniqueArray<CChar>
    ) throws(BackboneError) {
        let names = try NameMap(catalog, prefix: Bytes(start: nil, count: 0), NameRules(.verbatim))
        var files = UniqueArray<ByteFile>()
        try files.append(file)
        self.files = files
        self.container = container
        self.location = location
        self.catalog = catalog
        self.names = names
        wrapper = UniqueArray()
        prefix = UniqueArray()
        grammar = 0
        grammarName = ""
        origin = .unknown
    }

    private static func rules(
        _ grammars: borrowing UniqueArray<NameGrammar>
    ) throws(BackboneError) -> UniqueArray<NameRules> {
        var rules = UniqueArray<NameRules>()
        for grammar in grammars.elements { try rules.append(try NameRules(grammar)) }
        if rules.isEmpty { try rules.append(try NameRules(.verbatim)) }
        return rules
    }

    private init(
        _ file: consuming ByteFile, _ selection: StateDictSelection, _ rules: borrowing UniqueArray<NameRules>,
        _ location: consuming UniqueArray<CChar>
    ) throws(BackboneError) {
        let container = try Container.recognize(file.reference)
        let chosen: Chosen
        switch container {
        case .safetensors: chosen = try StateDict.choose(from: SafetensorsHeader.read(file.reference), selection, rules)
        case .index:
            throw BackboneError(
                .badCheckpoint, "index of shards in memory; load it by its path, with the shards in its folder")
        default: chosen = try StateDict.choose(from: PickledCheckpoint(file.reference, container), selection, rules)
        }
        var files = UniqueArray<ByteFile>()
        try files.append(file)
        self.init(files, container, chosen, location)
    }

    private init(
        _ shards: consuming ShardedCheckpoint, _ selection: StateDictSelection,
        _ rules: borrowing UniqueArray<NameRules>, _ location: consuming UniqueArray<CChar>
    ) throws(BackboneError) {
        let container = shards.container
        let chosen = try StateDict.choose(from: shards.catalog, selection, rules)
        self.init(shards.files, container, chosen, location)
    }

    private init(
        _ files: consuming UniqueArray<ByteFile>, _ container: Container, _ chosen: consuming Chosen,
        _ location: consuming UniqueArray<CChar>
    ) {
        self.files = files
        self.container = container
        self.location = location
        catalog = chosen.catalog
        names = chosen.names
        wrapper = chosen.key
        prefix = chosen.prefix
        grammar = chosen.grammar
        grammarName = chosen.grammarName
        origin = chosen.origin
    }

    /// Whether the load of this state dict was cancelled.
    package var cancellation: Cancellation { files[0].reference.cancellation }

    /// The number of names.
    package var count: Int { catalog.entries.count }

    /// The number of readable tensors among them.
    var tensorCount: Int {
        var count = 0
        for entry in catalog.entries.elements where entry.isTensor { count += 1 }
        return count
    }

    /// Our name of tensor `index`, nil if it does not belong to the network; valid as long as this lives.
    package func name(_ index: Int) -> Bytes? { names.name(index) }

    /// The name of tensor `index` as the file spells it.
    package func nameInFile(_ index: Int) -> Bytes { catalog.name(index) }

    /// The type of tensor `index`; nil if the value of that name is not a readable tensor.
    package func dtype(_ index: Int) -> DType? {
        catalog.entries[index].isTensor ? catalog.entries[index].dtype : nil
    }

    /// The shape of tensor `index`; valid as long as this lives.
    package func shape(_ index: Int) -> UnsafeBufferPointer<Int64> { catalog.shape(index) }

    /// The index of the tensor with one of our names.
    package func find(_ name: Bytes) -> Int? { names.find(name) }

    /// The file that has a storage.
    func file(of storage: TensorCatalog.Storage) -> FileReference { files[Int(storage.file)].reference }

    /// The value of a name that is not a readable tensor.
    package func obstacle(_ index: Int) -> Bytes { catalog.obstacle(index) }

    /// Whether tensor `index` belongs to another part of the model: its name lacks the network's prefix.
    package func isOutside(_ index: Int) -> Bool { !nameInFile(index).hasPrefix(prefix.elements) }

    /// Whether tensor `index` is one that files of this grammar have and that is not needed.
    package func isDropped(_ index: Int) -> Bool { names.isDropped(index) }

    /// An error prefixed with the path, or "memory of N bytes".
    package func located(_ error: BackboneError) -> BackboneError {
        location.elements.baseAddress.map { error.located(in: $0) } ?? error
    }
}

// MARK: - Opening

extension StateDict {
    /// The chosen state dict of a file, before it takes over the file.
    fileprivate struct Chosen: ~Copyable {
        let catalog: TensorCatalog
        let names: NameMap
        let key: UniqueArray<UInt8>
        let prefix: UniqueArray<UInt8>
        let grammar: Int
        let grammarName: StaticString
        let origin: Origin

        init(
            _ catalog: consuming TensorCatalog, key: Bytes, _ choice: borrowing StateDictChoice,
            _ rules: borrowing UniqueArray<NameRules>, _ origin: Origin
        ) throws(BackboneError) {
            let names = try NameMap(catalog, prefix: choice.prefix.elements, rules[choice.grammar])
            var ownKey = UniqueArray<UInt8>()
            var ownPrefix = UniqueArray<UInt8>()
            try ownKey.append(key)
            try ownPrefix.append(choice.prefix.elements)
            self.catalog = catalog
            self.names = names
            self.key = ownKey
            prefix = ownPrefix
            grammar = choice.grammar
            grammarName = rules[choice.grammar].grammar.name
            self.origin = origin
        }
    }

    fileprivate static func choose(
        from checkpoint: borrowing PickledCheckpoint, _ selection: StateDictSelection,
        _ rules: borrowing UniqueArray<NameRules>
    ) throws(BackboneError) -> Chosen {
        let found = try checkpoint.candidates()
        var named = UniqueArray<Candidate>()
        var listing = CandidateListing()
        for candidate in found.list.elements {
            var key = UniqueArray<UInt8>()
            try key.append(found.path(candidate))
            let tensors = try checkpoint.tensors(of: candidate, &listing)
            try named.append(try Candidate(key: key, tensors: tensors))
        }
        let choice = try StateDictChoice.choose(from: named, selection, rules)
        let candidate = found.list.elements[choice.candidate]
        let catalog = try checkpoint.catalog(of: candidate)
        return try Chosen(catalog, key: found.path(candidate), choice, rules, checkpoint.origin)
    }

    fileprivate static func choose(
        from catalog: consuming TensorCatalog, _ selection: StateDictSelection,
        _ rules: borrowing UniqueArray<NameRules>
    ) throws(BackboneError) -> Chosen {
        var candidates = UniqueArray<Candidate>()
        try candidates.append(try Candidate(catalog))
        let choice = try StateDictChoice.choose(from: candidates, selection, rules)
        return try Chosen(catalog, key: candidates[0].key.elements, choice, rules, .unknown)
    }
}
