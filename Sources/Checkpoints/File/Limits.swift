// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The bounds of what a checkpoint may hold. Every one is far above what networks need and keeps the time and memory that
/// a hostile file can ask for small: nothing is ever allocated because a file merely says that it is large.
package enum Limits {
    /// Names in one state dict.
    static var tensors: Int { 65_536 }
    /// Bytes of one name.
    static var nameBytes: Int { 1024 }
    /// Dimensions of one tensor.
    static var dimensions: Int { 16 }
    /// Elements of one tensor as its shape counts them, which strides of zero make independent of the bytes stored.
    static var elements: Int { 1 << 40 }
    /// Bytes of a stream, unless the caller sets another limit; and bytes of one that does not begin as a checkpoint, which
    /// are enough to tell what it is.
    package static var streamBytes: Int { 4 << 30 }
    static var foreignStreamBytes: Int { 16 << 20 }
    /// Zero bytes after the end of a checkpoint: what tapes, disks and transfers fill up a block with.
    static var trailingZeros: Int { 64 << 20 }
    /// Members of a zip archive: a storage for each tensor, optimizer states, and a few records more.
    static var zipMembers: Int { 131_072 }
    /// Bytes of the central directory of a zip archive.
    static var zipDirectoryBytes: Int { 32 << 20 }
    /// Bytes that a deflated byte can become: two bits for each 258 (RFC 1951: the longest match, in codes of one bit).
    static var inflation: Int { 1032 }
    /// Bytes that a load may unpack from deflated members, and as many more for each byte of the tensors that it needs.
    static var inflatedBytes: Int { 64 << 20 }
    static var inflatedBytesForEachNeeded: Int { 8 }
    /// Bytes that a deflated pickle may become: the pickle of a network has some ten thousand.
    static var inflatedPickleBytes: Int { 16 << 20 }
    /// Members of a tar archive; a checkpoint has four, and each may have a header of attributes.
    static var tarMembers: Int { 64 }
    /// Bytes of the extended attributes of one member of a tar archive.
    static var tarAttributeBytes: Int { 64 << 10 }
    /// Bytes of a pickle in a zip archive that is read whole; and of the texts of any pickle. Offsets into them fit
    /// 32 bits.
    static var pickleBytes: Int { 64 << 20 }
    /// Bytes of a text of a pickle that are kept; only the place of longer ones is. Longer than any name that is read.
    static var pickleTextBytes: Int { 4096 }
    /// Instructions of all pickles of a checkpoint. Each makes at most one value, so this bounds the memory of them all.
    static var pickleInstructions: Int { 1 << 20 }
    /// How many dicts, lists and objects deep state dicts are looked for.
    static var candidateDepth: Int { 8 }
    /// State dicts of a checkpoint among which one is chosen.
    static var candidates: Int { 256 }
    /// Of those, how many hold only names of a single part, as what an optimizer keeps for each parameter.
    static var plainCandidates: Int { 64 }
    /// Items of all tuples that are looked into for state dicts: a file can have many tuples of the same items.
    static var candidateTupleItems: Int { 1 << 22 }
    /// Bytes of what a message says of an entry that is not a tensor.
    static var obstacleBytes: Int { 256 }
    /// Groups of an optimizer's parameters, and options of a group or values of a parameter. Some have a group for each.
    static var optimizerGroups: Int { 16_384 }
    static var optimizerOptions: Int { 64 }
    /// Modules inside each other.
    static var moduleDepth: Int { 64 }
    /// Modules of a network, each counted wherever it is used, and attributes of one.
    static var modules: Int { 16_384 }
    static var moduleAttributes: Int { 1024 }
    /// Parameters, buffers and names of buffers of all modules that are looked at.
    static var moduleEntries: Int { 1 << 20 }
    /// Bytes of the names that the tensors of all modules get, which are longer than those in the file.
    static var moduleNameBytes: Int { 16 << 20 }
    /// Files of a checkpoint that was saved in several.
    static var shards: Int { 256 }
    /// Bytes of the header of a safetensors file, and of the index of shards.
    static var safetensorsHeaderBytes: Int { 16 << 20 }
    /// Bytes of a storage that are held while tensors of any strides are gathered from them. A multiple of `chunkBytes`;
    /// more than the largest tensor of most networks has.
    static var gatheredBytes: Int { 16 << 20 }
    /// Bytes of a file that are read, checked and used while they are in the second-level cache.
    static var chunkBytes: Int { 128 << 10 }
}
