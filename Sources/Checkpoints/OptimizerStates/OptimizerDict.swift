// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The state dict of a PyTorch optimizer in a checkpoint that is open for reading: its parameters, and the tensors of
/// each.
///
/// Parameters are identified by their position in all groups together, as PyTorch numbers them; versions before 1.4
/// wrote identities instead of numbers.
// Public: see UniqueArray.
public struct OptimizerDict: ~Copyable {
    /// Tensors, and any other values under a name, as `POSITION.KEY`: "3.exp_avg".
    package let tensors: StateDict
    /// The number of parameters of each group.
    package let groups: UniqueArray<Int>
    /// The options of each group.
    package let options: UniqueArray<OptimizerGroupOptions>
    /// One for each parameter.
    package let entries: UniqueArray<Entry>

    /// The state of a parameter other than tensors.
    package struct Entry: BitwiseCopyable, Sendable {
        /// Whether it holds anything.
        package var isPresent = false
        /// A step that is not a tensor, as PyTorch wrote it before 1.12.
        package var step: Int?
    }

    /// Opens a checkpoint and reads the optimizer's state except the values of tensors.
    ///
    /// - Throws: `fileNotFound`, `io`, `badCheckpoint`, `outOfMemory`, `cancelled`; the message begins with the path.
    package init(path: UnsafePointer<CChar>, _ cancellation: Cancellation = .none) throws(BackboneError) {
        do throws(BackboneError) {
            var location = UniqueArray<CChar>()
            try location.append(UnsafeBufferPointer(start: path, count: strlen(path) + 1))
            try self.init(
                ByteFile(checkpoint: path, maxStreamBytes: Limits.streamBytes, cancellation), location)
        } catch {
            throw error.located(in: path)
        }
    }

    /// The same for a whole file in memory, which is not copied and must live as long as this.
    package init(memory: UnsafeRawBufferPointer, _ cancellation: Cancellation = .none) throws(BackboneError) {
        let name: Message = "memory of \(memory.count) bytes"
        do throws(BackboneError) {
            var location = UniqueArray<CChar>()
            for index in 0..<name.count { try location.append(CChar(bitPattern: name[index])) }
            try location.append(0)
            try self.init(ByteFile(memory: memory, cancellation), location)
        } catch {
            throw BackboneError(error.kind, "\(name): \(error.message)")
        }
    }

    /// The same for the file of a state dict, which must live as long as this: both read one file, even if it is
    /// replaced meanwhile.
    package init(besides stateDict: borrowing StateDict) throws(BackboneError) {
        do throws(BackboneError) {
            guard stateDict.files.count == 1 else {
                throw BackboneError(
                    .badCheckpoint, "a checkpoint in shards has no optimizer state; load a file of torch.save")
            }
            var location = UniqueArray<CChar>()
            try location.append(stateDict.location.elements)
            try self.init(ByteFile(sharing: stateDict.files[0].reference), location)
        } catch {
            throw stateDict.located(error)
        }
    }

    private init(
        _ file: consuming ByteFile, _ location: consuming UniqueArray<CChar>
    ) throws(BackboneError) {
        let container = try Container.recognize(file.reference)
        guard container != .safetensors && container != .index else {
            throw BackboneError(.badCheckpoint, "a safetensors file has no optimizer state; load a file of torch.save")
        }
        let checkpoint = try PickledCheckpoint(file.reference, container)
        let members = try OptimizerMembers(checkpoint.pickle)
        var builder = try CatalogBuilder(checkpoint)
        var entries = UniqueArray<Entry>()
        try entries.reserve(members.values.count)
        for position in 0..<members.values.count {
            entries.appendReserved(try members.addEntry(position, checkpoint, to: &builder))
        }
        let tensors = try StateDict(file, container, builder.finish(), location)
        groups = members.groups
        options = members.options
        self.entries = entries
        self.tensors = tensors
    }

    /// The index of a parameter's tensor in `tensors`; nil if it has none of that key.
    package func find(_ position: Int, _ key: StaticString) throws(BackboneError) -> Int? {
        var name = UniqueArray<UInt8>()
        try name.append(message: "\(position).\(key)")
        return tensors.find(name.elements)
    }

    /// An error prefixed with the path, or "memory of N bytes".
    package func located(_ error: BackboneError) -> BackboneError { tensors.located(error) }
}
