// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Which bytes of a file a tensor is. Two names whose identities are equal have the same values: a module that is
/// registered under two names is saved with both, while its storages are saved once.
struct TensorIdentity: BitwiseCopyable, Equatable {
    /// Where its storage is: a place of the container, or a text of the pickle.
    private enum Source: UInt8 {
        case place, text
    }

    private let source: Source
    private let dtype: DType?
    private let isReversed: Bool
    private let index: UInt32
    /// Of its first element in the storage, in elements.
    private let offset: Int
    /// Of its sizes and its order. Tensors that share their first element may differ in these alone.
    private let layout: UInt64

    fileprivate init(
        _ tensor: Pickle.Tensor, _ storage: Pickle.Storage, inPlace place: Int, _ pickle: borrowing Pickle
    ) {
        self.init(tensor, storage, .place, UInt32(place), pickle)
    }

    fileprivate init(
        _ tensor: Pickle.Tensor, _ storage: Pickle.Storage, inText text: UInt32, _ pickle: borrowing Pickle
    ) {
        self.init(tensor, storage, .text, text, pickle)
    }

    private init(
        _ tensor: Pickle.Tensor, _ storage: Pickle.Storage, _ source: Source, _ index: UInt32,
        _ pickle: borrowing Pickle
    ) {
        self.source = source
        self.index = index
        dtype = tensor.dtype ?? storage.dtype
        isReversed = storage.isReversed
        // Wraps only for offsets that are refused when the tensor is read.
        offset = (storage.view?.start ?? 0) &+ tensor.offset
        var digest = Digest()
        digest.add(tuple: tensor.sizes, of: pickle)
        switch tensor.order {
        case .strides(let tuple):
            digest.add(0)
            digest.add(tuple: tuple, of: pickle)
        case .rowMajor: digest.add(1)
        case .columnMajor: digest.add(2)
        case .transposed(let tuple):
            digest.add(3)
            digest.add(tuple: tuple, of: pickle)
        }
        layout = digest.value
    }

    /// FNV-1a over 64-bit numbers. A file that is made to collide has its own two tensors taken for one, no more.
    private struct Digest {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325

        mutating func add(_ number: UInt64) { value = (value ^ number) &* 0x100_0000_01b3 }

        mutating func add(tuple index: UInt32, of pickle: borrowing Pickle) {
            let tuple = pickle[index]
            // More dimensions are refused when the tensor is read.
            for position in 0..<min(Int(tuple.second), Limits.dimensions) {
                let item = pickle.items[Int(tuple.first) + position]
                add(pickle.integer(item).map { UInt64(bitPattern: Int64($0)) } ?? .max)
            }
            add(UInt64(tuple.second))
        }
    }
}

/// Finds the identities of tensors. It remembers where the container keeps each storage, since one key may be looked up
/// for many tensors.
struct IdentityFinder: ~Copyable {
    /// For each text of the pickle that is a key: the container's place, `absent`, or `unknown`.
    private var places = UniqueArray<Int32>()
    private static var unknown: Int32 { -1 }
    private static var absent: Int32 { -2 }

    init() {}

    /// What a value is; nil if it is not a tensor, or the container lacks its storage.
    mutating func identity(
        of value: UInt32, in checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> TensorIdentity? {
        guard checkpoint.pickle[value].kind == .tensor else { return nil }
        let tensor = checkpoint.pickle.tensors[Int(checkpoint.pickle[value].first)]
        let storage = checkpoint.pickle.storages[Int(tensor.storage)]
        switch storage.source {
        case .place(let index): return TensorIdentity(tensor, storage, inPlace: index, checkpoint.pickle)
        case .bytes(let text), .file(let text):
            return TensorIdentity(tensor, storage, inText: text, checkpoint.pickle)
        case .key(let text):
            guard let index = try place(ofKey: text, in: checkpoint) else { return nil }
            return TensorIdentity(tensor, storage, inPlace: index, checkpoint.pickle)
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
