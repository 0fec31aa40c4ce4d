// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The files of a checkpoint that was saved in several, with one catalog of their tensors.
struct ShardedCheckpoint: ~Copyable {
    var catalog = TensorCatalog()
    var files = UniqueArray<ByteFile>()
    /// The container of the first file.
    private(set) var container = Container.safetensors

    /// Opens all files of an index.
    ///
    /// - Parameters:
    ///   - path: of the index; the files are in its folder.
    ///   - cancellation: ends whatever reads the files, now and later.
    /// - Throws: what opening and reading a file throws, with its path; `badCheckpoint` naming a tensor that is missing
    ///   in its file.
    init(
        _ index: borrowing ShardIndex, besides path: UnsafePointer<CChar>, _ cancellation: Cancellation
    ) throws(BackboneError) {
        for number in 0..<index.fileCount {
            let location = try ShardedCheckpoint.path(of: index.file(number), besides: path)
            let start = location.elements.baseAddress.unsafelyUnwrapped
            do throws(BackboneError) {
                let file = try ByteFile(checkpoint: start, cancellation)
                try add(file.reference, number, index)
                try files.append(file)
            } catch {
                throw error.located(in: start)
            }
        }
    }

    private static func path(
        of file: Bytes, besides index: UnsafePointer<CChar>
    ) throws(BackboneError) -> UniqueArray<CChar> {
        var folder = strlen(index)
        while folder > 0 && index[folder - 1] != CChar(bitPattern: UInt8(ascii: "/")) { folder -= 1 }
        var path = UniqueArray<CChar>()
        try path.append(UnsafeBufferPointer(start: index, count: folder))
        for byte in file { try path.append(CChar(bitPattern: byte)) }
        try path.append(0)
        return path
    }

    /// Adds the tensors that the index expects in a file.
    private mutating func add(
        _ file: FileReference, _ number: Int, _ index: borrowing ShardIndex
    ) throws(BackboneError) {
        let container = try Container.recognize(file)
        if number == 0 { self.container = container }
        let shard = try ShardedCheckpoint.catalog(of: file, container)
        var taken = try TakenTensors(shard)
        for position in 0..<index.count where index[position].file == number {
            let name = index[position].name
            guard let tensor = taken.find(name, in: shard) else {
                throw BackboneError(
                    .badCheckpoint, "it lacks '\(name)', which the index expects in it; download it again")
            }
            try catalog.take(tensor, from: shard, file: Int32(number), &taken)
        }
    }

    private static func catalog(
        of file: FileReference, _ container: Container
    ) throws(BackboneError) -> TensorCatalog {
        if container == .safetensors { return try SafetensorsHeader.read(file) }
        return try PickledCheckpoint(file, container).firstCatalog()
    }
}

extension PickledCheckpoint {
    /// The tensors of the outermost candidate: shards hold theirs at the root.
    fileprivate func firstCatalog() throws(BackboneError) -> TensorCatalog {
        let found = try candidates()
        let first = found.list.elements[0]
        return try catalog(of: first)
    }
}

/// The parts of a shard's catalog copied so far, with a search for a tensor by its name in the file.
struct TakenTensors: ~Copyable {
    /// Tensors in the order of their names.
    private let order: UniqueArray<Int32>
    /// The number of each of the shard's storages in the joint catalog; -1 if not needed so far.
    fileprivate var storages: UniqueArray<Int32>
    /// The offset of the shard's memory in that of all; nil if not needed so far.
    fileprivate var memoryStart: Int?

    init(_ shard: borrowing TensorCatalog) throws(BackboneError) {
        let order = try shard.sortedByName()
        storages = try UniqueArray(repeating: -1, count: shard.storages.count)
        self.order = order
    }

    func find(_ name: Bytes, in shard: borrowing TensorCatalog) -> Int? {
        search(order.elements) { compare(shard.name(Int($0)), name) }
    }
}

extension TensorCatalog {
    /// Adds a tensor of another file's catalog, with its storage.
    fileprivate mutating func take(
        _ index: Int, from shard: borrowing TensorCatalog, file: Int32, _ taken: inout TakenTensors
    ) throws(BackboneError) {
        let entry = shard.entries[index]
        guard entry.isTensor else { return try addUnreadable(name: shard.name(index), obstacle: shard.obstacle(index)) }
        if taken.storages[Int(entry.storage)] < 0 {
            var storage = shard.storages[Int(entry.storage)]
            storage.file = file
            if case .memory = storage.place {
                if taken.memoryStart == nil {
                    taken.memoryStart = memory.count
                    try memory.append(shard.memory.elements)
                }
                storage.position += taken.memoryStart ?? 0
            }
            taken.storages[Int(entry.storage)] = try addStorage(storage)
        }
        try add(
            name: shard.name(index), dtype: entry.dtype, storage: taken.storages[Int(entry.storage)],
            offset: entry.offset, shape: shard.shape(index), strides: shard.strides(index))
    }
}
