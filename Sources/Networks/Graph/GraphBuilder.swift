// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Lists the nodes of a graph one after the other, with the entries that they have.
///
/// Modules are named below `path`. What is added belongs to the present segment and freeze group.
package struct GraphBuilder: ~Copyable {
    private var nodes = UniqueArray<Node>()
    private var entries = UniqueArray<StateEntry>()
    private var outputs = UniqueArray<GraphOutput>()
    private var text = UniqueArray<UInt8>()
    private var sizes = UniqueArray<Int64>()
    private var windows = UniqueArray<Window>()
    private var valueCount = 0
    private var parameterCount = 0
    private var counterCount = 0
    private var segment = 0
    private var freezeGroup = 0
    private var lastNormGroup = 0

    /// The prefix of module names: "layer1.0.".
    package var path = Message()

    package init(imageChannels: Int) throws(BackboneError) {
        try nodes.append(
            Node(
                operation: .image, input: -1, secondInput: nil, channels: imageChannels, segment: 0, freezeGroup: 0,
                name: TextRange(), firstEntry: 0, entryCount: 0))
    }

    /// The image.
    package var image: Int { 0 }

    package func channels(_ node: Int) -> Int { nodes[node].channels }

    /// Begins a segment, at a point where only the last node's result is alive.
    package mutating func beginSegment(freezeGroup: Int) {
        segment += 1
        self.freezeGroup = freezeGroup
    }

    package consuming func finish() -> Graph {
        Graph(
            nodes: nodes, entries: entries, outputs: outputs, valueCount: valueCount,
            parameterCount: parameterCount, counterCount: counterCount,
            segmentCount: segment + 1, lastNormGroup: lastNormGroup, text: text, sizes: sizes, windows: windows)
    }

    // MARK: - Nodes

    /// Adds a convolution.
    package mutating func convolution(
        _ name: StaticString, _ input: Int, to outputChannels: Int, _ window: Window, groups: Int = 1,
        hasBias: Bool = false, initialWeights: Convolution.InitialWeights = .kaiming
    ) throws(BackboneError) -> Int {
        let convolution = Convolution(
            inputChannels: channels(input), outputChannels: outputChannels, window: window, groups: groups,
            hasBias: hasBias, initialWeights: initialWeights)
        return try add(name, .convolution(convolution), input, channels: outputChannels)
    }

    package mutating func batchNorm(
        _ name: StaticString, _ input: Int, epsilon: Double, initialWeight: Float = 1
    ) throws(BackboneError) -> Int {
        lastNormGroup = max(lastNormGroup, freezeGroup)
        return try add(name, .batchNorm(BatchNorm(epsilon: epsilon, initialWeight: initialWeight)), input)
    }

    package mutating func groupNorm(
        _ name: StaticString, _ input: Int, groups: Int, epsilon: Double, initialWeight: Float = 1
    ) throws(BackboneError) -> Int {
        try add(name, .groupNorm(GroupNorm(groups: groups, epsilon: epsilon, initialWeight: initialWeight)), input)
    }

    package mutating func linear(
        _ name: StaticString, _ input: Int, to outputChannels: Int
    ) throws(BackboneError) -> Int {
        let linear = Linear(inputChannels: channels(input), outputChannels: outputChannels)
        return try add(name, .linear(linear), input, channels: outputChannels)
    }

    package mutating func channelConvolution(
        _ name: StaticString, _ input: Int, size: Int
    ) throws(BackboneError) -> Int { try add(name, .channelConvolution(size: size), input) }

    package mutating func activation(_ function: Nonlinearity, _ input: Int) throws(BackboneError) -> Int {
        try add("", .activation(function), input)
    }

    package mutating func add(_ input: Int, _ secondInput: Int) throws(BackboneError) -> Int {
        try add("", .add, input, secondInput: secondInput)
    }

    package mutating func channelScale(_ input: Int, by scale: Int) throws(BackboneError) -> Int {
        try add("", .channelScale, input, secondInput: scale)
    }

    package mutating func maxPooling(
        _ name: StaticString, _ input: Int, _ window: Window
    ) throws(BackboneError) -> Int { try add(name, .maxPooling(window), input) }

    package mutating func averagePooling(
        _ input: Int, _ window: Window, countsPadding: Bool
    ) throws(BackboneError) -> Int { try add("", .averagePooling(window, countsPadding: countsPadding), input) }

    package mutating func globalPooling(_ input: Int) throws(BackboneError) -> Int {
        try add("", .globalPooling, input)
    }

    package mutating func subsample(_ input: Int, to outputChannels: Int, stride: Int) throws(BackboneError) -> Int {
        try add("", .subsample(stride: stride), input, channels: outputChannels)
    }

    package mutating func blur(_ input: Int, _ window: Window) throws(BackboneError) -> Int {
        let reflecting = Window(size: window.size, stride: window.stride, padding: window.padding, reflects: true)
        return try add("", .blur(reflecting), input)
    }

    /// Makes a node's result an output.
    package mutating func output(_ name: StaticString, _ node: Int) throws(BackboneError) {
        let first = windows.count
        var current = node
        // This loop goes from the output back to the image; both inputs of a sum have the same size.
        while current > 0 {
            if case .globalPooling = nodes[current].operation {
                // Whatever the size was before, it is 1 now.
                try windows.append(.whole)
                break
            }
            if let window = nodes[current].operation.window, !window.keepsSize { try windows.append(window) }
            current = nodes[current].input
        }
        let list = windows.mutableElements
        for offset in 0..<(windows.count - first) / 2 { list.swapAt(first + offset, windows.count - 1 - offset) }
        try outputs.append(GraphOutput(node: node, name: name, windows: first..<windows.count))
    }

    private mutating func add(
        _ name: StaticString, _ operation: Operation, _ input: Int, secondInput: Int? = nil, channels: Int? = nil
    ) throws(BackboneError) -> Int {
        let moduleName: Message = name.utf8CodeUnitCount == 0 ? "" : "\(path)\(name)"
        let range = try addText(moduleName)
        let firstEntry = entries.count
        let channels = channels ?? nodes[input].channels
        try addEntries(operation, moduleName, channels: Int64(channels))
        try nodes.append(
            Node(
                operation: operation, input: input, secondInput: secondInput, channels: channels, segment: segment,
                freezeGroup: freezeGroup, name: range, firstEntry: firstEntry, entryCount: entries.count - firstEntry))
        return nodes.count - 1
    }

    // MARK: - Entries

    /// Adds the entries that an operation has: those of PyTorch's module, in its order.
    private mutating func addEntries(
        _ operation: Operation, _ module: Message, channels: Int64
    ) throws(BackboneError) {
        switch operation {
        case .convolution(let convolution):
            let size = Int64(convolution.window.size)
            let depth = Int64(convolution.inputChannels / convolution.groups)
            try addEntry(.weight, module, dimensions: 4, (channels, depth, size, size))
            if convolution.hasBias { try addEntry(.bias, module, dimensions: 1, (channels, 1, 1, 1)) }
        case .batchNorm:
            try addEntry(.weight, module, dimensions: 1, (channels, 1, 1, 1))
            try addEntry(.bias, module, dimensions: 1, (channels, 1, 1, 1))
            try addEntry(.runningMean, module, dimensions: 1, (channels, 1, 1, 1))
            try addEntry(.runningVar, module, dimensions: 1, (channels, 1, 1, 1))
            try addEntry(.batchesTracked, module, dimensions: 0, (1, 1, 1, 1))
        case .groupNorm:
            try addEntry(.weight, module, dimensions: 1, (channels, 1, 1, 1))
            try addEntry(.bias, module, dimensions: 1, (channels, 1, 1, 1))
        case .linear(let linear):
            try addEntry(.weight, module, dimensions: 2, (channels, Int64(linear.inputChannels), 1, 1))
            try addEntry(.bias, module, dimensions: 1, (channels, 1, 1, 1))
        case .channelConvolution(let size): try addEntry(.weight, module, dimensions: 3, (1, 1, Int64(size), 1))
        case .image, .activation, .add, .channelScale, .maxPooling, .averagePooling, .globalPooling, .subsample, .blur:
            break
        }
    }

    /// Adds an entry of the next node.
    private mutating func addEntry(
        _ role: StateEntry.Role, _ module: Message, dimensions: Int, _ shape: (Int64, Int64, Int64, Int64)
    ) throws(BackboneError) {
        let shapeOffset = sizes.count
        try sizes.append(shape.0)
        try sizes.append(shape.1)
        try sizes.append(shape.2)
        try sizes.append(shape.3)
        let entry = StateEntry(
            role: role, node: nodes.count, name: try addText("\(module)\(role.suffix)"), dimensions: dimensions,
            shape: shape, shapeOffset: shapeOffset, valueOffset: role == .batchesTracked ? counterCount : valueCount,
            parametersBefore: parameterCount)
        try entries.append(entry)
        if role == .batchesTracked {
            counterCount += 1
        } else {
            guard let sum = checkedSum(valueCount, entry.elementCount) else {
                throw BackboneError(.invalidArgument, "the network has more values than any memory")
            }
            valueCount = sum
            if role.isParameter { parameterCount += entry.elementCount }
        }
    }

    private mutating func addText(_ message: Message) throws(BackboneError) -> TextRange {
        let start = text.count
        try text.append(message: message)
        try text.append(0)
        return TextRange(start: UInt32(start), count: UInt32(message.count))
    }
}
