// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension TensorIdentity {
    init(_ tensor: Pickle.Tensor, _ storage: Pickle.Storage, in source: Source, _ pickle: borrowing Pickle) {
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
        // The offset wraps only if reading the tensor will refuse it.
        self.init(
            source: source, dtype: tensor.dtype ?? storage.dtype, isReversed: storage.isReversed,
            offset: (storage.view?.start ?? 0) &+ tensor.offset, layout: digest.value)
    }
}

/// FNV-1a over 64-bit numbers. In a file made to collide, two of its own tensors count as one; nothing else can happen.
private struct Digest {
    var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ number: UInt64) { value = (value ^ number) &* 0x100_0000_01b3 }

    mutating func add(tuple index: UInt32, of pickle: borrowing Pickle) {
        let tuple = pickle[index]
        // Reading the tensor refuses more dimensions.
        for position in 0..<min(Int(tuple.second), Limits.dimensions) {
            let item = pickle.items[Int(tuple.first) + position]
            add(pickle.integer(item).map { UInt64(bitPattern: Int64($0)) } ?? .max)
        }
        add(UInt64(tuple.second))
    }
}
