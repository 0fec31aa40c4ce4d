// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The computation of a network: its operations in order. Entries of the state dict, shapes, initial values, freezing
/// and outputs derive from them.
package struct Graph: ~Copyable {
    /// The first is the image.
    package let nodes: UniqueArray<Node>
    /// Entries of the state dict, in PyTorch's order of registration.
    package let entries: UniqueArray<StateEntry>
    package let outputs: UniqueArray<GraphOutput>
    /// Floats of all entries together, those of parameters among them, and counters.
    package let valueCount: Int
    package let parameterCount: Int
    package let counterCount: Int
    /// Consecutive nodes between two points where a single result is alive: the unit that is kept in a cache together.
    package let segmentCount: Int
    /// The last freeze group that has a BatchNorm.
    let lastNormGroup: Int

    /// Names, each with a terminating zero.
    let text: UniqueArray<UInt8>
    /// The shapes of the entries, four sizes each.
    let sizes: UniqueArray<Int64>
    /// The windows before each output.
    let windows: UniqueArray<Window>

    /// The most outputs of a network.
    package static var mostOutputs: Int { 8 }
}

/// A result that a caller can request.
package struct GraphOutput: BitwiseCopyable, Sendable {
    package let node: Int
    /// "C2".
    package let name: StaticString
    /// The windows of `Graph.windows` that change the size of an image before this output.
    fileprivate let firstWindow: Int
    fileprivate let windowCount: Int

    init(node: Int, name: StaticString, windows: Range<Int>) {
        self.node = node
        self.name = name
        firstWindow = windows.lowerBound
        windowCount = windows.count
    }
}

extension Graph {
    /// Channels of the image.
    package var inputChannels: Int { nodes[0].channels }

    /// The name of a node's module; empty where it has none.
    package func name(ofNode node: Int) -> Bytes { text.elements.slice(nodes[node].name) }

    package func name(of entry: StateEntry) -> Bytes { text.elements.slice(entry.name) }

    /// The sizes in use of an entry's shape; none for num_batches_tracked.
    package func shape(ofEntry index: Int) -> UnsafeBufferPointer<Int64> {
        let start = entries[index].shapeOffset
        return UnsafeBufferPointer(rebasing: sizes.elements[start..<start + entries[index].dimensions])
    }

    /// The index of the entry with a zero-terminated name, nil for unknown names.
    package func entryIndex(named name: UnsafePointer<CChar>) -> Int? {
        for index in 0..<entries.count {
            let candidate = self.name(of: entries[index])
            var position = 0
            while position < candidate.count && candidate[position] == UInt8(bitPattern: name[position]) {
                position += 1
            }
            if position == candidate.count && name[position] == 0 { return index }
        }
        return nil
    }

    /// Whether an entry belongs to a classifier, which computes from pooled features. Those are the last entries.
    package func isHead(_ entry: StateEntry) -> Bool { nodes[entry.node].freezeGroup == Node.headGroup }

    package func isNorm(node: Int) -> Bool {
        switch nodes[node].operation {
        case .batchNorm, .groupNorm: true
        default: false
        }
    }

    /// A node's entry of a role; nil if it has none.
    package func entry(_ role: StateEntry.Role, ofNode node: Int) -> StateEntry? {
        entryIndex(role, ofNode: node).map { entries[$0] }
    }

    package func entryIndex(_ role: StateEntry.Role, ofNode node: Int) -> Int? {
        let node = nodes[node]
        for index in node.firstEntry..<node.firstEntry + node.entryCount where entries[index].role == role {
            return index
        }
        return nil
    }

    /// The channels, rows and columns of an output for an image of some size; no rows or columns if a window before it
    /// does not fit.
    package func shape(ofOutput index: Int, height: Int, width: Int) -> (channels: Int, height: Int, width: Int) {
        let output = outputs[index]
        var (height, width) = (height, width)
        for index in output.firstWindow..<output.firstWindow + output.windowCount {
            height = height == 0 ? 0 : windows[index].outputSize(height)
            width = width == 0 ? 0 : windows[index].outputSize(width)
        }
        return (nodes[output.node].channels, height, width)
    }
}

extension Operation {
    /// Its name for people.
    package var name: StaticString {
        switch self {
        case .image: "input"
        case .convolution: "convolution"
        case .batchNorm: "batch_norm"
        case .groupNorm: "group_norm"
        case .activation(.relu): "relu"
        case .activation(.silu): "silu"
        case .activation(.sigmoid): "sigmoid"
        case .add: "add"
        case .channelScale: "channel_scale"
        case .maxPooling: "max_pool"
        case .averagePooling: "avg_pool"
        case .globalPooling: "global_pool"
        case .subsample: "subsample"
        case .blur: "blur"
        case .linear: "linear"
        case .channelConvolution: "channel_convolution"
        }
    }

    /// Its window; nil if each pixel of the result comes from the same pixel, or from all.
    package var window: Window? {
        switch self {
        case .convolution(let convolution): convolution.window
        case .maxPooling(let window), .averagePooling(let window, _), .blur(let window): window
        case .subsample(let stride): Window(size: 1, stride: stride)
        case .image, .batchNorm, .groupNorm, .activation, .add, .channelScale, .globalPooling, .linear,
            .channelConvolution:
            nil
        }
    }
}
