// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A checkpoint described by a pickle, in any container: the pickle, and the positions of its storages'
/// values.
struct PickledCheckpoint: ~Copyable {
    let pickle: Pickle
    let places: StoragePlaces
    /// Whether the numbers of all storages are written with their most significant byte first.
    let isBigEndian: Bool
    /// Valid while the `ByteFile` it is from lives.
    let file: FileReference

    /// Reads everything except the values.
    ///
    /// - Parameter container: of a kind with a pickle: all except safetensors and the index of shards.
    /// - Throws: `badCheckpoint`, `io`, `outOfMemory`.
    init(_ file: FileReference, _ container: Container) throws(BackboneError) {
        switch container {
        case .zip: self = try readTorchZip(file)
        case .legacy: self = try readLegacyCheckpoint(file, 0..<file.size, mayEndInZeros: true)
        case .tar: self = try readTarCheckpoint(file)
        case .pickle, .safetensors, .index:
            // The last byte of a pickle is an instruction that is not zero.
            let pickle = try Unpickler.readOne(PickleReader(file, 0..<file.sizeWithoutTrailingZeros()))
            self.init(pickle, StoragePlaces(), file)
        }
    }

    init(
        _ pickle: consuming Pickle, _ places: consuming StoragePlaces, _ file: FileReference, isBigEndian: Bool = false
    ) {
        self.pickle = pickle
        self.places = places
        self.file = file
        self.isBigEndian = isBigEndian
    }
}
