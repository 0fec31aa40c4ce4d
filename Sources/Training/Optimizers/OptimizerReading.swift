// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

/// Fills a state from a file.
struct OptimizerReading: ~Copyable {
    private var state: OptimizerState
    private let kind: OptimizerOptions.Kind
    private var destinations = UniqueArray<TensorDestination>()
    /// The steps that are tensors of the file, for each slot, by type.
    private let floatSteps: Buffer<Float>
    private let integerSteps: Buffer<Int64>
    /// Which of the two has the step of a slot.
    private var sources: UniqueArray<StepSource>
    /// The faults of the values of a slot.
    private let faults: Buffer<ValueFaults>
    private var skippedCount = 0

    private enum StepSource: BitwiseCopyable {
        case none, float, integer
    }

    init(_ network: borrowing Network, _ options: borrowing OptimizerOptions) throws(BackboneError) {
        let state = try OptimizerState(network, options)
        let floatSteps = try Buffer<Float>(count: state.layout.slots.count)
        let integerSteps = try Buffer<Int64>(count: state.layout.slots.count)
        let sources = try UniqueArray<StepSource>(repeating: .none, count: state.layout.slots.count)
        let faults = try Buffer<ValueFaults>(count: state.layout.slots.count)
        for slot in 0..<state.layout.slots.count { faults.start[slot] = ValueFaults() }
        self.state = state
        self.faults = faults
        self.floatSteps = floatSteps
        self.integerSteps = integerSteps
        self.sources = sources
        kind = options.kind
    }

    /// Reads the state of all parameters of an order that are trainable.
    mutating func read(
        _ file: borrowing OptimizerDict, _ order: borrowing ParameterOrder, _ pool: borrowing ThreadPool
    ) throws(BackboneError) {
        for position in 0..<order.entries.count where file.entries[position].isPresent {
            try checkKind(position, file)
            guard let slot = state.layout.slot(ofEntry: order.entries[position]) else {
                skippedCount += 1
                continue
            }
            switch kind {
            case .sgd: try addBuffer(position, slot, file)
            case .adamW: try addAverages(position, slot, file)
            }
        }
        try file.tensors.read(destinations, pool)
        for slot in 0..<sources.count { try takeStep(slot) }
        try checkSquares()
    }

    consuming func finish(
        _ order: borrowing ParameterOrder, _ graph: borrowing Graph, _ layoutID: UInt64,
        _ differences: consuming UniqueArray<Message>
    ) throws(BackboneError) -> LoadedOptimizerState {
        var missing = 0
        for slot in 0..<state.layout.slots.count {
            let progress = state.progress[slot]
            if !progress.hasBuffer && (kind == .sgd || progress.steps == 0) { missing += 1 }
        }
        var note: Message = "optimizer state of \(order.description)"
        if missing > 0 { note = "\(note); \(missing) trainable ones have none" }
        if skippedCount > 0 { note = "\(note); that of \(skippedCount) frozen ones was skipped" }
        var warnings = differences
        if let spoiled = spoiledValues(graph) { try warnings.append(spoiled) }
        return LoadedOptimizerState(state: state, layoutID: layoutID, note: note, warnings: warnings)
    }

    // MARK: - One parameter

    /// - Throws: `mismatch` if another kind of optimiser saved the state.
    private func checkKind(_ position: Int, _ file: borrowing OptimizerDict) throws(BackboneError) {
        let keys: [2 of StaticString] =
            kind == .sgd ? ["exp_avg", "square_avg"] : ["momentum_buffer", "max_exp_avg_sq"]
        for index in keys.indices where try file.find(position, keys[index]) != nil {
            let key = keys[index]
            let name: StaticString = kind == .sgd ? "SGD" : "AdamW without amsgrad"
            throw BackboneError(
                .mismatch,
                "its optimizer state has '\(key)', which \(name) does not keep; use the optimizer that saved it")
        }
    }

    private mutating func addBuffer(
        _ position: Int, _ slot: Int, _ file: borrowing OptimizerDict
    ) throws(BackboneError) {
        guard let tensor = try file.find(position, "momentum_buffer") else { return }
        try checkFloats(tensor, file)
        // Without momentum it is not used.
        guard state.averages.count > 0 else { return }
        try addDestination(tensor, state.averages.start + state.layout.slots[slot].offset, slot)
        state.progress[slot].hasBuffer = true
    }

    private mutating func addAverages(
        _ position: Int, _ slot: Int, _ file: borrowing OptimizerDict
    ) throws(BackboneError) {
        let offset = state.layout.slots[slot].offset
        let average = try require("exp_avg", position, file)
        let square = try require("exp_avg_sq", position, file)
        try checkFloats(average, file)
        try checkFloats(square, file)
        try addDestination(average, state.averages.start + offset, slot)
        try addDestination(square, state.squares.start + offset, slot)
        if let step = file.entries[position].step {
            integerSteps.start[slot] = Int64(step)
            sources[slot] = .integer
        } else {
            try addStep(try require("step", position, file), slot, file)
        }
    }

    private mutating func addStep(
        _ tensor: Int, _ slot: Int, _ file: borrowing OptimizerDict
    ) throws(BackboneError) {
        guard let dtype = file.tensors.dtype(tensor) else { throw notATensor(tensor, file) }
        let shape = file.tensors.shape(tensor)
        guard shape.isEmpty || shape.count == 1 && shape[0] == 1 else {
            throw BackboneError(
                .badCheckpoint,
                """
                '\(file.tensors.nameInFile(tensor))' of its optimizer state has shape \(shape: shape), expected one \
                number
                """
            )
        }
        if dtype.isFloatingPoint {
            try destinations.append(TensorDestination(tensor: tensor, float32: floatSteps.start + slot))
            sources[slot] = .float
        } else {
            try destinations.append(TensorDestination(tensor: tensor, int64: integerSteps.start + slot))
            sources[slot] = .integer
        }
    }

    private mutating func addDestination(
        _ tensor: Int, _ memory: UnsafeMutablePointer<Float>, _ slot: Int
    ) throws(BackboneError) {
        try destinations.append(TensorDestination(tensor: tensor, float32: memory, faults: faults.start + slot))
    }

    // MARK: - Values

    /// - Throws: `badCheckpoint` if a mean of squares is negative: its root would make the parameter NaN.
    private func checkSquares() throws(BackboneError) {
        for index in 0..<state.squares.count where state.squares.start[index] < 0 {
            let square = Double(state.squares.start[index])
            throw BackboneError(
                .badCheckpoint, "an exp_avg_sq of its optimizer state is \(square), expected a mean of squares")
        }
    }

    /// A warning for a state with values that the next step would spread; nil if all are finite.
    private func spoiledValues(_ graph: borrowing Graph) -> Message? {
        for slot in 0..<state.layout.slots.count {
            let seen = faults.start[slot]
            guard seen.hasNaN || seen.hasInfinity || seen.hasOverflow else { continue }
            let name = graph.name(of: graph.entries[state.layout.slots[slot].entry])
            return """
                the optimizer state of '\(name)' has NaN or infinities, which the next step would put into the \
                weights; load an earlier file
                """
        }
        return nil
    }

    /// Checks the step that was read: the number of a step that a Double counts exactly.
    private mutating func takeStep(_ slot: Int) throws(BackboneError) {
        let number: Double
        switch sources[slot] {
        case .none: return
        case .float: number = Double(floatSteps.start[slot])
        case .integer: number = Double(integerSteps.start[slot])
        }
        guard number >= 0, number <= 0x1p53, number == number.rounded(.towardZero) else {
            throw BackboneError(
                .badCheckpoint, "a step of its optimizer state is \(number), expected a number of steps")
        }
        state.progress[slot].steps = Int(number)
    }

    // MARK: - Errors

    private func require(
        _ key: StaticString, _ position: Int, _ file: borrowing OptimizerDict
    ) throws(BackboneError) -> Int {
        if let tensor = try file.find(position, key) { return tensor }
        throw BackboneError(
            .badCheckpoint, "its optimizer state has no '\(key)' of parameter \(position), which AdamW keeps")
    }

    /// - Throws: `badCheckpoint` unless a value is a tensor of floating point.
    private func checkFloats(_ tensor: Int, _ file: borrowing OptimizerDict) throws(BackboneError) {
        guard let dtype = file.tensors.dtype(tensor) else { throw notATensor(tensor, file) }
        guard dtype.isFloatingPoint else {
            throw BackboneError(
                .badCheckpoint,
                """
                '\(file.tensors.nameInFile(tensor))' of its optimizer state is a tensor of \(dtype.name), expected \
                floating \
                point
                """)
        }
    }

    private func notATensor(_ tensor: Int, _ file: borrowing OptimizerDict) -> BackboneError {
        BackboneError(
            .badCheckpoint,
            """
            '\(file.tensors.nameInFile(tensor))' of its optimizer state is \(file.tensors.obstacle(tensor)), expected \
            a \
            tensor
            """)
    }
}
