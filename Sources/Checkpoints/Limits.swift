// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The bounds of what a checkpoint may hold. Every one is far above what any ResNet needs and keeps the time and memory
/// that a hostile file can ask for small: nothing is ever allocated because a file merely says that it is large.
enum Limits {
    /// Names in one state dict.
    static var tensors: Int { 65_536 }
    /// Bytes of one name.
    static var nameBytes: Int { 1024 }
    /// Dimensions of one tensor.
    static var dimensions: Int { 16 }
    /// Elements of one tensor as its shape counts them, which strides of zero make independent of the bytes stored.
    static var elements: Int { 1 << 40 }
    /// Members of a zip archive: a storage for each tensor, optimizer states, and a few records more.
    static var zipMembers: Int { 131_072 }
    /// Bytes of the central directory of a zip archive.
    static var zipDirectoryBytes: Int { 32 << 20 }
    /// Bytes of the pickle that describes a checkpoint. Offsets into it fit 32 bits.
    static var pickleBytes: Int { 64 << 20 }
    /// Instructions of a pickle. Each makes at most one value, so this bounds the memory of them all.
    static var pickleInstructions: Int { 1 << 21 }
    /// Bytes of the header of a safetensors file.
    static var safetensorsHeaderBytes: Int { 16 << 20 }
    /// Bytes of a file that are read, checked and used while they are in the second-level cache.
    static var chunkBytes: Int { 128 << 10 }
}
