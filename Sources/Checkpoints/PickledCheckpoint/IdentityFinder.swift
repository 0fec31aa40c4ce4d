// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Finds the identities of tensors. It remembers the place of each storage in the container, since many tensors may
/// look up one key.
struct IdentityFinder: ~Copyable {
    /// The container's place of each text of the pickle that is a key, `absent`, or `unknown`.
    private var places = UniqueArray<Int32>()
    private static var unknown: Int32 { -1 }
    private static var absent: Int32 { -2 }

    init() {}

    /// The identity of a value; nil if it is not a tensor, or the container lacks its storage.
    mutating func identity(
        of value: UInt32, in checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> TensorIdentity? {
        guard checkpoint.pickle[value].kind == .tensor else { return nil }
        let tensor = checkpoint.pickle.tensors[Int(checkpoint.pickle[value].first)]
        let storage = checkpoint.pickle.storages[Int(tensor.storage)]
        switch storage.source {
        case .place(let index): return TensorIdentity(tensor, storage, in: .place(index), checkpoint.pickle)
        case .bytes(let text), .file(let text):
            return TensorIdentity(tensor, storage, in: .text(text), checkpoint.pickle)
        case .key(let text):
            guard let index = try place(ofKey: text, in: checkpoint) else { return nil }
            return TensorIdentity(tensor, storage, in: .place(index), checkpoint.pickle)
        }
    }

    private mutating func place(
        ofKey text: UInt32, in checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> Int? {
        if places.isEmpty {
            places = try UniqueArray(repeating: IdentityFinder.unknown, count: checkpoint.pickle.texts.count)
        }
        if places[Int(text)] == IdentityFinder.unknown {
            let key = checkpoint.pickle.texts[Int(text)].value.map { checkpoint.pickle.text($0) }
            let found = key.flatMap { checkpoint.places.find($0) }
            places[Int(text)] = found.map { Int32($0) } ?? IdentityFinder.absent
        }
        return places[Int(text)] < 0 ? nil : Int(places[Int(text)])
    }
}
