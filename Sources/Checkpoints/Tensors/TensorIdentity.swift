// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Which bytes of a file a tensor is. Two names whose identities are equal have the same values: a module that is
/// registered under two names is saved with both, while its storages are saved once.
struct TensorIdentity: BitwiseCopyable, Equatable {
    /// Where its storage is.
    enum Source: BitwiseCopyable, Equatable {
        /// A place of the container, by its number.
        case place(Int)
        /// A text of the pickle, by its number.
        case text(UInt32)
    }

    let source: Source
    /// Nil if only the file in the source tells.
    let dtype: DType?
    /// Whether the bytes of each number are in the opposite order.
    let isReversed: Bool
    /// Of its first element in the storage, in elements.
    let offset: Int
    /// A digest of its sizes and its order. Tensors that share their first element may differ in these alone.
    let layout: UInt64
}
