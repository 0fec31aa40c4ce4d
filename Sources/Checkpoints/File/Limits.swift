// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The limits of a checkpoint. Each is far above the needs of networks and bounds the time and memory that a hostile
/// file can cost: allocations are bounded by the actual file size, not by declared sizes.
package enum Limits {
    /// Names in one state dict.
    static var tensors: Int { 65_536 }
    /// Bytes of one name.
    static var nameBytes: Int { 1024 }
    /// Dimensions of one tensor.
    static var dimensions: Int { 16 }
    /// Elements of one tensor by its shape; with strides of zero they do not depend on the stored bytes.
    static var elements: Int { 1 << 40 }
    /// Bytes of a stream, unless the caller sets another limit; and bytes of one that does not begin like a checkpoint,
    /// enough to detect its format.
    package static var streamBytes: Int { 4 << 30 }
    static var foreignStreamBytes: Int { 16 << 20 }
    /// Zero bytes after the end of a checkpoint, with which tapes, disks and transfers fill up blocks.
    static var trailingZeros: Int { 64 << 20 }
    /// Members of a zip archive: a storage for each tensor, optimizer states, and a few records more.
    static var zipMembers: Int { 131_072 }
    /// Bytes of the central directory of a zip archive.
    static var zipDirectoryBytes: Int { 32 << 20 }
    /// Bytes that a deflated byte can expand to: two bits for each 258 (RFC 1951: the longest match, in codes of one
    /// bit).
    static var inflation: Int { 1032 }
    /// Bytes that a load may unpack from deflated members, and as many more for each byte of the tensors that it needs.
    static var inflatedBytes: Int { 64 << 20 }
    static var inflatedBytesForEachNeeded: Int { 8 }
    /// Bytes of an inflated pickle: that of a network has about ten thousand.
    static var inflatedPickleBytes: Int { 16 << 20 }
    /// Members of a tar archive; a checkpoint has four, and each may have a header of attributes.
    static var tarMembers: Int { 64 }
    /// Bytes of the extended attributes of one member of a tar archive.
    static var tarAttributeBytes: Int { 64 << 10 }
    /// Bytes of a pickle in a zip archive that is read whole; and of the texts of any pickle. Offsets into them fit
    /// 32 bits.
    static var pickleBytes: Int { 64 << 20 }
    /// Bytes of a stored text of a pickle; of longer ones only the position is kept. Longer than any used name.
    static var pickleTextBytes: Int { 4096 }
    /// Instructions of all pickles of a checkpoint. Each makes at most one value, so this bounds the memory of them all.
    static var pickleInstructions: Int { 1 << 20 }
    /// Nesting depth of dicts, lists and objects in the search for state dicts.
    static var candidateDepth: Int { 8 }
    /// Candidate state dicts of a checkpoint.
    static var candidates: Int { 256 }
    /// Candidates with only names of a single part, such as an optimizer's state of each parameter.
    static var plainCandidates: Int { 64 }
    /// Items of all tuples in the search for state dicts: a file can have many tuples of the same items.
    static var candidateTupleItems: Int { 1 << 22 }
    /// Bytes of a message's description of an entry that is not a tensor.
    static var obstacleBytes: Int { 256 }
    /// Groups of an optimizer's parameters, and options of a group or values of a parameter. Some have a group for each.
    static var optimizerGroups: Int { 16_384 }
    static var optimizerOptions: Int { 64 }
    /// Modules inside each other.
    static var moduleDepth: Int { 64 }
    /// Modules of a network, each counted wherever it is used, and attributes of one.
    static var modules: Int { 16_384 }
    static var moduleAttributes: Int { 1024 }
    /// Parameters, buffers and names of buffers of all visited modules.
    static var moduleEntries: Int { 1 << 20 }
    /// Bytes of the names that the tensors of all modules get, which are longer than those in the file.
    static var moduleNameBytes: Int { 16 << 20 }
    /// Files of a checkpoint that was saved in several.
    static var shards: Int { 256 }
    /// Bytes of the header of a safetensors file, and of the index of shards.
    static var safetensorsHeaderBytes: Int { 16 << 20 }
    /// Bytes of a storage in memory while tensors of any strides are gathered from them. A multiple of `chunkBytes`;
    /// larger than the largest tensor of most networks.
    static var gatheredBytes: Int { 16 << 20 }
    /// Bytes of a file that are read, checked and used while they are in the second-level cache.
    static var chunkBytes: Int { 128 << 10 }
}
