// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

/// A forward and backward pass of a batch of images through the trained part of a network, in the memory of a tape.
struct TrainingPass {
    let network: UnsafeMutablePointer<Network>
    let engine: UnsafePointer<Engine>
    let plan: UnsafePointer<TapePlan>
    let cancellation: Cancellation
    private var runner: TaskRunner
    private var extra: TapeExtra?
    /// Nil if times are not measured.
    var times: UnsafeMutablePointer<TrainingTimes>?
    /// The part of the time that the present tasks count to.
    var part = TrainingPart.rest

    init(
        network: UnsafeMutablePointer<Network>, engine: UnsafePointer<Engine>, plan: UnsafePointer<TapePlan>,
        cancellation: Cancellation
    ) {
        self.network = network
        self.engine = engine
        self.plan = plan
        self.cancellation = cancellation
        runner = TaskRunner(engine, cancellation)
    }

    var kernels: KernelTable { engine.pointee.kernels }
    var imageCount: Int { plan.pointee.imageCount }
    var isMeasuring: Bool { runner.memory == nil }

    /// The images that are computed one by one; a single one while memory is measured, since all need the same.
    var visitedImages: Range<Int> { 0..<(isMeasuring ? 1 : imageCount) }

    // MARK: - Memory

    /// The memory that a pass in both directions needs.
    ///
    /// - Throws: `invalidArgument` if no memory could hold it.
    mutating func measure(_ arguments: ForwardArguments) throws(BackboneError) -> TapeSize {
        runner.startMeasuring()
        extra = nil
        forward(arguments)
        var backward = BackwardState.measuring
        self.backward(&backward)
        guard
            let size = TapeSize(plan.pointee, scratch: runner.scratchCount, shared: runner.sharedCount, engine.pointee)
        else {
            throw BackboneError(
                .invalidArgument,
                """
                input.shape \(dimensions: arguments.input.shape) is too large for training; use fewer or smaller \
                images
                """
            )
        }
        return size
    }

    mutating func use(_ memory: UnsafeMutableRawPointer, _ size: TapeSize) {
        let workspace = Workspace(block: memory, size: size.workspace)
        runner.memory = workspace
        extra = TapeExtra(workspace, size)
    }

    mutating func perform<Task: KernelTask>(_ kernel: Kernel<Task>, _ task: Task) {
        guard let times else { return runner.perform(kernel, task) }
        let start = shims_nanoseconds()
        runner.perform(kernel, task)
        times.pointee.add(part, since: start)
    }

    /// Adds what began at `start` to a part.
    func note(_ part: TrainingPart, since start: Int) { times?.pointee.add(part, since: start) }

    // While memory is measured, addresses are meaningless and not read.
    private static var nowhere: UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(bitPattern: Heap.alignment).unsafelyUnwrapped
    }

    var floats: UnsafeMutablePointer<Float> {
        runner.memory?.activations ?? Self.nowhere.assumingMemoryBound(to: Float.self)
    }

    /// The tensors of a batch; the first image of them.
    func activation(_ tensor: Int) -> Activation { plan.pointee.tensors[tensor].activation(floats) }

    /// The input of the trained part.
    var boundary: Activation { activation(plan.pointee.steps[0].value) }

    /// Bytes from the beginning of the memory to the end of that input. It is needed before all else, so it comes
    /// first.
    var boundaryByteCount: Int { plan.pointee.tensors[plan.pointee.steps[0].value].end * MemoryLayout<Float>.stride }

    func activation(_ tensor: Int, image: Int) -> Activation { activation(tensor).image(image) }

    func statistics(_ step: TapeStep) -> TapeStatistics {
        let start = runner.memory?.statistics ?? Self.nowhere.assumingMemoryBound(to: Double.self)
        return TapeStatistics(start + step.statistics, channels: step.step.channels)
    }

    /// Memory that a step uses while it is done.
    var temporary: TapeExtra { extra ?? TapeExtra(nowhere: Self.nowhere) }

    /// Sets the borders of a tensor to zero.
    mutating func clearBorder(_ tensor: Int) {
        guard plan.pointee.tensors[tensor].border > 0 else { return }
        for image in visitedImages {
            perform(
                kernels.borderZeroing,
                BorderZeroingTask(activation: activation(tensor, image: image), cancellation: cancellation))
        }
    }

    /// A convolution whose weights are not folded with its norm.
    func isApart(_ step: TapeStep) -> Bool { step.convolved >= 0 }
}

/// The memory of a tape that a step uses while it is done.
struct TapeExtra: BitwiseCopyable {
    let packedWeights: UnsafeMutablePointer<Float>
    let bias: UnsafeMutablePointer<Float>

    init(_ memory: Workspace, _ size: TapeSize) {
        packedWeights = UnsafeMutableRawPointer(memory.statistics + size.workspace.statistics)
            .assumingMemoryBound(to: Float.self)
        bias = packedWeights + size.packed
    }

    init(nowhere: UnsafeMutableRawPointer) {
        packedWeights = nowhere.assumingMemoryBound(to: Float.self)
        bias = packedWeights
    }
}
