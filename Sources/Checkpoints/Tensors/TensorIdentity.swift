// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Identifies the bytes of a tensor in a file. Two names with equal identities have the same values: a module
/// registered under two names is saved under both, while its storages are saved once.
struct TensorIdentity: BitwiseCopyable, Equatable {
    /// The place of its storage.
    enum Source: BitwiseCopyable, Equatable {
        /// A place of the container, by its number.
        case place(Int)
        /// A text of the pickle, by its number.
        case text(UInt32)
    }

    let source: Source
    /// Nil if only the file in the source records it.
    let dtype: DType?
    /// Whether the bytes of each number are in the opposite order.
    let isReversed: Bool
    /// Offset of its first element in the storage, in elements.
    let offset: Int
    /// A digest of its sizes and its order. Tensors that share their first element may differ only in these.
    let layout: UInt64
}
