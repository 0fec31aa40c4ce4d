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
    /// The catalog's entries in the order of their names, without those that lack the prefix.
    private let order: UniqueArray<Int32>
    /// For messages, with a terminating zero.
    let path: UniqueArray<CChar>

    package let container: Container
    /// The key of the outer dict under which the state dict was found; "" if there is no outer dict.
    package let wrapper: StaticString
    /// What all names in the file begin with and `name` does not tell: "module." of `DataParallel`, or "".
    package let prefix: StaticString

    /// Opens a checkpoint and reads all of it but the numbers.
    ///
    /// - Throws: `fileNotFound`, `io`, `badCheckpoint`, `outOfMemory`; the message begins with the path.
    package init(path: UnsafePointer<CChar>) throws(BackboneError) {
        do throws(BackboneError) {
            let file = try ByteFile(path: path)
            let container = try Container.recognize(file.reference)
            if container == .safetensors {
                let catalog = try SafetensorsHeader.read(file.reference)
                try self.init(file, catalog, container, wrapper: "", path: path)
            } else {
                let checkpoint = try PickledCheckpoint(file.reference, container)
                let chosen = try checkpoint.chooseStateDict(checkpoint.candidates())
                let catalog = try checkpoint.catalog(of: chosen.candidate)
                try self.init(file, catalog, container, wrapper: chosen.wrapper, path: path)
            }
        } catch {
            throw error.located(in: path)
        }
    }

    private init(
        _ file: consuming ByteFile, _ catalog: consuming TensorCatalog, _ container: Container, wrapper: StaticString,
        path: UnsafePointer<CChar>
    ) throws(BackboneError) {
        let prefix = StateDict.commonPrefix(of: catalog)
        let order = try StateDict.orderedByName(catalog, prefix: prefix)
        var ownPath = UniqueArray<CChar>()
        try ownPath.append(UnsafeBufferPointer(start: path, count: strlen(path) + 1))
        self.file = file
        self.catalog = catalog
        self.order = order
        self.container = container
        self.wrapper = wrapper
        self.prefix = prefix
        self.path = ownPath
    }

    /// "module." if the names of all tensors begin with it.
    private static func commonPrefix(of catalog: borrowing TensorCatalog) -> StaticString {
        let prefix: StaticString = "module."
        var count = 0
        for index in 0..<catalog.entries.count where catalog.entries[index].isTensor {
            guard catalog.name(index).hasPrefix(prefix) else { return "" }
            count += 1
        }
        return count > 0 ? prefix : ""
    }

    private static func orderedByName(
        _ catalog: borrowing TensorCatalog, prefix: StaticString
    ) throws(BackboneError) -> UniqueArray<Int32> {
        var order = UniqueArray<Int32>()
        try order.reserve(catalog.entries.count)
        for index in 0..<catalog.entries.count where catalog.name(index).hasPrefix(prefix) {
            try order.append(Int32(index))
        }
        // The prefix is common to all, so it does not change their order.
        sort(order.mutableElements) { compare(catalog.name(Int($0)), catalog.name(Int($1))) < 0 }
        for position in 1..<max(order.count, 1) {
            let name = catalog.name(Int(order[position]))
            if equal(name, catalog.name(Int(order[position - 1]))) {
                throw BackboneError(.badCheckpoint, "it has two tensors '\(name)'")
            }
        }
        return order
    }

    /// How many names there are, in the order of the file.
    package var count: Int { catalog.entries.count }

    /// The name of tensor `index` without the prefix; valid as long as this lives.
    package func name(_ index: Int) -> Bytes {
        let name = catalog.name(index)
        guard name.hasPrefix(prefix) else { return name }
        return name.slice(prefix.utf8CodeUnitCount, name.count - prefix.utf8CodeUnitCount)
    }

    /// The name of tensor `index` as the file spells it.
    package func nameInFile(_ index: Int) -> Bytes { catalog.name(index) }

    /// The type of tensor `index`; nil if what has that name is no tensor that can be read.
    package func dtype(_ index: Int) -> DType? {
        catalog.entries[index].isTensor ? catalog.entries[index].dtype : nil
    }

    /// The shape of tensor `index`; valid as long as this lives.
    package func shape(_ index: Int) -> UnsafeBufferPointer<Int64> { catalog.shape(index) }

    /// The index of the tensor with that name, without the prefix.
    package func find(_ name: Bytes) -> Int? {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            let comparison = compare(self.name(Int(order[middle])), name)
            if comparison == 0 { return Int(order[middle]) }
            if comparison < 0 { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    /// An error with the path in front.
    func located(_ error: BackboneError) -> BackboneError {
        path.elements.baseAddress.map { error.located(in: $0) } ?? error
    }
}
