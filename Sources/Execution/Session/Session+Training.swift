// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

// Passes with a tape. Calls with one tape wait for each other; calls with several tapes run side by side, except passes
// that change running statistics.
extension Session {
    /// Computes the outputs of a batch as `forward` does, and keeps the data for the backward pass on the tape.
    ///
    /// - Throws: `invalidArgument` before anything but the tape has changed, which is then empty; `outOfMemory` and
    ///   `cancelled`, with undefined outputs.
    package func forwardTrain(
        _ tape: Tape, _ arguments: ForwardArguments, _ cancellation: Cancellation
    ) throws(BackboneError) {
        try check(arguments)
        guard arguments.input.shape.n > 0 else {
            throw BackboneError(
                .invalidArgument, "input.shape \(dimensions: arguments.input.shape): N must be 1 or more")
        }
        tape.state.pointee.lock.lock()
        defer { tape.state.pointee.lock.unlock() }
        try checkOwner(tape)
        tape.state.pointee.isFull = false
        try lockForTraining(cancellation)
        defer { unlock() }
        try compute(tape, arguments, cancellation)
    }

    private func checkOwner(_ tape: Tape) throws(BackboneError) {
        guard tape.state.pointee.session == identity else {
            throw BackboneError(.stale, "the tape belongs to another network; create one for this network")
        }
    }

    /// Takes the lock, with values: exclusive if running statistics will change. Frees memory of earlier passes in
    /// evaluation mode that the next one could not use.
    private func lockForTraining(_ cancellation: Cancellation) throws(BackboneError) {
        try lockShared(cancellation)
        releaseWorkspaces()
        if network.pointee.hasValues && !network.pointee.usesBatchStatistics && !hasUnneededWeights { return }
        unlock()
        try lockExclusive(cancellation)
        do throws(BackboneError) {
            try network.pointee.requireValues(cancellation)
        } catch {
            unlock()
            throw error
        }
        releaseUnneededWeights()
        if !network.pointee.usesBatchStatistics { downgrade() }
    }

    private func compute(
        _ tape: Tape, _ arguments: ForwardArguments, _ cancellation: Cancellation
    ) throws(BackboneError) {
        let state = tape.state
        // Checked before engines are made: an engine needs at least one node.
        guard network.pointee.trainableCount > 0 || state.pointee.options.wantsInputGradient else {
            throw BackboneError(
                .invalidArgument,
                "no parameter is trainable; freeze fewer stages, or create the tape with the option input_gradient")
        }
        try withEngine { engine throws(BackboneError) in
            try state.pointee.prepareEngines(network.pointee, engine.pointee)
        }
        if let prefix = state.pointee.prefix {
            let run = try PrefixRun(prefix, network, arguments, cancellation)
            defer { run.end() }
            let pass = try prepare(tape, arguments, run.boundary, cancellation, run)
            try finish(tape, pass, arguments, cancellation)
        } else {
            let shape = arguments.input.shape
            let pass = try prepare(tape, arguments, (shape.h, shape.w), cancellation, nil)
            try finish(tape, pass, arguments, cancellation)
        }
    }

    /// Plans a pass through the trained part, from an image of the boundary's size on, in the memory of the tape, and
    /// computes its input.
    private func prepare(
        _ tape: Tape, _ arguments: ForwardArguments, _ size: (height: Int, width: Int), _ cancellation: Cancellation,
        _ prefix: PrefixRun?
    ) throws(BackboneError) -> TrainingPass {
        let (state, shape) = (tape.state, arguments.input.shape)
        guard let trained = state.pointee.trained else { preconditionFailure("engines are prepared first") }
        let key = TapeKey(
            imageCount: shape.n, height: shape.h, width: shape.w, layoutRevision: network.pointee.layoutRevision,
            usesBatchStatistics: network.pointee.usesBatchStatistics)
        let isNew = state.pointee.key != key
        let plan = try trained.pointee.plans.take(
            trained.pointee.program, trained.pointee.planner, height: size.height, width: size.width,
            addsInPlace: false)
        defer { trained.pointee.plans.giveBack(plan) }
        if isNew {
            state.pointee.key = nil
            try state.pointee.layOut(network.pointee)
            if let old = state.pointee.plan { Heap.destroy(old) }
            state.pointee.plan = nil
            state.pointee.plan = try Heap.make(
                try TapePlan(
                    trained.pointee.program, plan.pointee, trained.pointee.planner, network.pointee,
                    imageCount: shape.n, state.pointee.options))
        }
        guard let tapePlan = state.pointee.plan else { preconditionFailure("a plan was made") }
        if network.pointee.usesBatchStatistics { try network.pointee.checkBatchStatistics(tapePlan.pointee) }
        var pass = TrainingPass(network: network, engine: trained, plan: tapePlan, cancellation: cancellation)
        pass.times = state.pointee.times
        if isNew {
            state.pointee.isSet = try UniqueArray(repeating: false, count: tapePlan.pointee.tensors.count)
            state.pointee.size = try pass.measure(arguments)
        }
        guard let size = state.pointee.size else { preconditionFailure("the pass was measured") }
        let memory = try reserve(tape, for: pass, size, prefix)
        pass.use(memory, size)
        if let prefix { try run(prefix, tape, pass, memory) }
        state.pointee.key = key
        return pass
    }

    /// Makes room for a pass in both directions, and before that for the frozen part.
    private func reserve(
        _ tape: Tape, for pass: TrainingPass, _ size: TapeSize, _ prefix: PrefixRun?
    ) throws(BackboneError) -> UnsafeMutableRawPointer {
        var byteCount = size.byteCount
        if let prefix {
            let prefixSize = try prefix.size(to: pass.boundary).byteCount
            guard let count = checkedSum(pass.boundaryByteCount, prefixSize) else {
                throw BackboneError(.outOfMemory, "cannot allocate the memory of a tape; \(Heap.noMemoryCure)")
            }
            byteCount = max(byteCount, count)
        }
        try tape.state.pointee.reserve(byteCount)
        guard let memory = tape.state.pointee.memory else { preconditionFailure("memory was reserved") }
        return memory
    }

    /// Computes the frozen part, in the memory of the tape after its last result.
    private func run(
        _ prefix: PrefixRun, _ tape: Tape, _ pass: TrainingPass, _ memory: UnsafeMutableRawPointer
    ) throws(BackboneError) {
        let start = shims_nanoseconds()
        let size = try prefix.size(to: pass.boundary)
        try prefix.compute(
            to: pass.boundary, in: Workspace(block: memory + pass.boundaryByteCount, size: size))
        tape.state.pointee.times?.pointee.add(.frozen, since: start)
    }

    private func finish(
        _ tape: Tape, _ pass: TrainingPass, _ arguments: ForwardArguments, _ cancellation: Cancellation
    ) throws(BackboneError) {
        var pass = pass
        if pass.kernels.usesBLAS { try BLASThreading.enter(threads: pass.engine.pointee.threadCount) }
        pass.forward(arguments)
        if pass.kernels.usesBLAS { BLASThreading.leave(threads: pass.engine.pointee.threadCount) }
        // Checked once: the error and the kept state must agree.
        if cancellation.isCancelled { return try cancellation.check() }
        pass.keepStatistics()
        tape.state.pointee.valueRevision = network.pointee.valueRevision
        tape.state.pointee.isFull = true
    }

    // MARK: - Backward

    /// Runs the backward pass of a tape, which is empty afterwards unless its options retain it.
    ///
    /// - Parameter count: Floats of the gradients.
    /// - Throws: `stale` for a tape that is empty, of another network, or of one that has changed since; `invalidArgument`; both
    ///   before anything has changed. `cancelled`, with undefined gradients.
    package func backward(
        _ tape: Tape, _ arguments: BackwardArguments, count: Int, _ cancellation: Cancellation
    ) throws(BackboneError) {
        tape.state.pointee.lock.lock()
        defer { tape.state.pointee.lock.unlock() }
        try checkOwner(tape)
        try lockShared(cancellation)
        defer { unlock() }
        let state = tape.state
        guard state.pointee.isFull, let key = state.pointee.key, let plan = state.pointee.plan,
            let trained = state.pointee.trained, let memory = state.pointee.memory, let size = state.pointee.size
        else {
            throw BackboneError(.stale, "the tape is empty; call backbone_forward_train first")
        }
        guard key.layoutRevision == network.pointee.layoutRevision else {
            throw BackboneError(
                .stale,
                "other stages or parameters were frozen since the tape was filled; call backbone_forward_train again")
        }
        guard state.pointee.valueRevision == network.pointee.valueRevision else {
            throw BackboneError(
                .stale, "weights were written since the tape was filled; call backbone_forward_train again")
        }
        let input = Dimensions(key.imageCount, network.pointee.graph.inputChannels, key.height, key.width)
        try network.pointee.check(
            arguments, input: input, count: count, expected: state.pointee.gradientCount,
            takesInputGradient: state.pointee.options.wantsInputGradient)
        if let views = arguments.featureGradients {
            try network.pointee.checkFeatureGradients(views, input: input, plan.pointee)
        }
        var pass = TrainingPass(network: network, engine: trained, plan: plan, cancellation: cancellation)
        pass.times = state.pointee.times
        pass.use(memory, size)
        if pass.kernels.usesBLAS { try BLASThreading.enter(threads: pass.engine.pointee.threadCount) }
        if !state.pointee.options.isRetained { state.pointee.isFull = false }
        let (isSet, isWritten) = (state.pointee.isSet.mutableElements, state.pointee.isWritten.mutableElements)
        isSet.update(repeating: false)
        isWritten.update(repeating: false)
        var progress = BackwardState(
            arguments: arguments, isSet: isSet.baseAddress, offsets: state.pointee.offsets.elements.baseAddress,
            isWritten: isWritten.baseAddress)
        pass.backward(&progress)
        if pass.kernels.usesBLAS { BLASThreading.leave(threads: pass.engine.pointee.threadCount) }
        try cancellation.check()
    }

    /// Bytes of a tape.
    package func byteCount(of tape: Tape) -> Int {
        tape.state.pointee.lock.lock()
        defer { tape.state.pointee.lock.unlock() }
        return tape.state.pointee.byteCount
    }
}
