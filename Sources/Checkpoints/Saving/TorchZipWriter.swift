// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Writes tensors to a file as `torch.save(model.state_dict(), path)` does, for PyTorch 1.6 and later.
///
/// The folder in the archive is called `archive` whatever the path: the same weights are the same bytes.
///
/// - Throws: `fileNotFound` for a missing folder, `io`, `outOfMemory`, `invalidArgument` for more than 4 GB; an
///   existing file is then unchanged.
func writeTorchZip(
    _ tensors: UnsafeBufferPointer<TensorSource>, to path: UnsafePointer<CChar>
) throws(BackboneError) {
    var pickle = try PickleWriter()
    try pickle.write(stateDict: tensors)
    var archive = try TorchArchive(path: path, pickle.finish())
    for index in 0..<tensors.count { try archive.add(tensors[index]) }
    try archive.finish()
}

/// A file of `torch.save`; storages are added one by one.
struct TorchArchive: ~Copyable {
    private var archive: StoredZipWriter
    private var storageCount = 0

    init(path: UnsafePointer<CChar>, _ pickle: borrowing UniqueArray<UInt8>) throws(BackboneError) {
        var archive = try StoredZipWriter(path: path)
        try archive.add("archive/data.pkl", pickle.elements)
        try archive.add("archive/byteorder", bytes(of: "little"))
        self.archive = archive
    }

    /// Adds the storage with the next number, which holds one tensor.
    mutating func add(_ tensor: TensorSource) throws(BackboneError) {
        var name = UniqueArray<UInt8>()
        try name.append("archive/data/")
        try name.append(message: "\(storageCount)")
        try archive.add(name.elements, tensor.memory, count: tensor.size ?? 0)
        storageCount += 1
    }

    mutating func finish() throws(BackboneError) {
        try archive.add("archive/version", bytes(of: "3\n"))
        try archive.finish()
    }
}

extension StoredZipWriter {
    fileprivate mutating func add(_ name: StaticString, _ data: Bytes) throws(BackboneError) {
        guard let start = data.baseAddress else { return }
        try add(bytes(of: name), start, count: data.count)
    }
}

extension PickleWriter {
    /// An ordered dict of tensors in the order given, each alone in the storage of its number.
    mutating func write(stateDict tensors: UnsafeBufferPointer<TensorSource>) throws(BackboneError) {
        try writeOrderedDict()
        try write(.mark)
        for index in 0..<tensors.count {
            try write(text: tensors[index].name)
            try write(tensors[index], storage: index)
        }
        try write(.setItems)
        try writeMetadata(of: tensors)
    }

    /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, backward_hooks)`
    mutating func write(_ tensor: TensorSource, storage number: Int) throws(BackboneError) {
        guard let count = tensor.elementCount else { throw tooLarge(tensor) }
        var key = UniqueArray<UInt8>()
        try key.append(message: "\(number)")
        try write(.rebuildTensor)
        try write(.mark)

        try write(.mark)
        try write(.storage)
        try write(tensor.dtype == .int64 ? .longStorage : .floatStorage)
        try write(text: key.elements)
        try write(.cpu)
        try write(natural: count)
        try write(.tuple)
        try write(.binPersistentID)

        try write(natural: 0)
        try write(.mark)
        for axis in 0..<tensor.shape.count { try write(natural: Int(tensor.shape[axis])) }
        try write(.tuple)
        try write(.mark)
        for axis in 0..<tensor.shape.count {
            var stride: Int? = 1
            for inner in axis + 1..<tensor.shape.count {
                stride = checkedProduct(stride, max(Int(tensor.shape[inner]), 1))
            }
            guard let stride else { throw tooLarge(tensor) }
            try write(natural: stride)
        }
        try write(.tuple)
        try write(.newFalse)
        try writeOrderedDict()

        try write(.tuple)
        try write(.reduce)
    }

    private func tooLarge(_ tensor: TensorSource) -> BackboneError {
        BackboneError(.invalidArgument, "tensor '\(tensor.name)' is too large for the format")
    }

    /// The attribute `_metadata` of a state dict. `load_state_dict` looks into it for the version of a BatchNorm's
    /// state: since version 2 that has num_batches_tracked. The versions of other modules do not matter.
    private mutating func writeMetadata(of tensors: UnsafeBufferPointer<TensorSource>) throws(BackboneError) {
        let suffix: StaticString = ".num_batches_tracked"
        try write(.emptyDict)
        try write(text: Runtime.bytes(of: "_metadata"))
        try writeOrderedDict()
        try write(.mark)
        for index in 0..<tensors.count where tensors[index].name.hasSuffix(suffix) {
            let name = tensors[index].name
            try write(text: name.slice(0, name.count - suffix.utf8CodeUnitCount))
            try write(.emptyDict)
            try write(.version)
            try write(natural: 2)
            try write(.setItem)
        }
        try write(.setItems)
        try write(.setItem)
        try write(.build)
    }
}
