// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

/// The computation of a batch of images by a plan.
///
/// The images go through in shares, each with all its memory at once, and in each section of the plan in groups: see
/// `PlanSection`. Where BatchNorms need the statistics of the batch all images go together.
struct Pass {
    let network: UnsafeMutablePointer<Network>
    let engine: UnsafePointer<Engine>
    let plan: UnsafePointer<Plan>
    let arguments: ForwardArguments
    let cancellation: Cancellation

    /// Nanoseconds of each step of the plan, for profiles; nil if not measured.
    var times: UnsafeMutablePointer<Int>?

    private let usesBatchStatistics: Bool
    /// Images of a share but the last, which may have fewer.
    let shareCount: Int
    /// The image of the batch that is the first of the share.
    private(set) var firstImage = 0
    private var runner: TaskRunner
    /// Nil while the pass only measures the scratch memory of its kernels.
    var memory: Workspace? { runner.memory }

    init(
        network: UnsafeMutablePointer<Network>, engine: UnsafePointer<Engine>, plan: UnsafePointer<Plan>,
        arguments: ForwardArguments, usesBatchStatistics: Bool, cancellation: Cancellation
    ) {
        self.network = network
        self.engine = engine
        self.plan = plan
        self.arguments = arguments
        self.cancellation = cancellation
        self.usesBatchStatistics = usesBatchStatistics
        runner = TaskRunner(engine, cancellation)
        let count = arguments.input.shape.n
        shareCount = usesBatchStatistics ? count : plan.pointee.imagesTogether(of: count)
    }

    /// The memory that `run` needs.
    ///
    /// - Throws: `invalidArgument` if no memory could hold it.
    mutating func measure() throws(BackboneError) -> WorkspaceSize {
        runner.startMeasuring()
        let activations = checkedProduct(plan.pointee.activationCount, shareCount)
        guard let activations, checkedProduct(activations, MemoryLayout<Float>.stride) != nil else { throw tooLarge }
        performSections(imageCount: shareCount)
        // Fewer images may need more: a kernel cuts them into larger parts.
        if shareCount > 0 { performSections(imageCount: arguments.input.shape.n % shareCount) }
        guard let scratch = Heap.aligned(runner.scratchCount, Float.self),
            let shared = Heap.aligned(runner.sharedCount, Float.self)
        else { throw tooLarge }
        var statistics = 0
        if usesBatchStatistics || engine.pointee.program.hasNormalization {
            statistics = engine.pointee.program.statisticsCount
        }
        return WorkspaceSize(
            activations: activations, shared: shared, scratch: scratch, workers: engine.pointee.threadCount,
            statistics: statistics)
    }

    var tooLarge: BackboneError {
        BackboneError(
            .invalidArgument,
            "input.shape \(dimensions: arguments.input.shape) is too large; use fewer or smaller images")
    }

    /// Once cancelled it ends soon, with undefined outputs.
    mutating func run(in memory: Workspace) {
        runner.memory = memory
        firstImage = 0
        while firstImage < arguments.input.shape.n {
            let count = min(shareCount, arguments.input.shape.n - firstImage)
            performSections(imageCount: count)
            firstImage += count
        }
    }

    /// Does all steps for the first images of the memory; while it is measured, for the first group of them and for the last
    /// one, if that is smaller.
    private mutating func performSections(imageCount: Int) {
        for index in 0..<plan.pointee.sections.count {
            let section = plan.pointee.sections[index]
            let together = usesBatchStatistics ? imageCount : min(section.imagesTogether, imageCount)
            var first = 0
            while first < imageCount {
                let images = first..<min(first + together, imageCount)
                for band in 0..<section.bandCount {
                    for step in section.firstStep..<section.endStep {
                        if cancellation.isCancelled { return }
                        perform(step, plan.pointee.rows(of: step, section, band: band), images)
                    }
                }
                first = images.upperBound
                if memory == nil { first = max(first, imageCount - imageCount % together) }
            }
        }
    }

    private mutating func perform(_ step: Int, _ rows: BandStep, _ images: Range<Int>) {
        if rows.rows.isEmpty { return }
        guard let times, memory != nil else { return performUntimed(step, rows, images) }
        let start = shims_nanoseconds()
        performUntimed(step, rows, images)
        times[step] += shims_nanoseconds() - start
    }

    private mutating func performUntimed(_ index: Int, _ rows: BandStep, _ images: Range<Int>) {
        let step = plan.pointee.steps[index]
        if let target = step.target { for image in visited(images) { prepare(target, rows, image) } }
        switch step.kind {
        case .convolution: if let convolution = step.convolution { convolve(step, convolution, rows, images) }
        case .normalization: normalize(step, rows, images)
        default: for image in visited(images) { perform(step, rows, image: image) }
        }
    }

    /// Does a step, of those that are done image by image.
    private mutating func perform(_ step: PlanStep, _ rows: BandStep, image: Int) {
        switch step.kind {
        case .input: perform(engine.pointee.kernels.inputConversion, inputConversion(step, rows, image))
        case .output where memory != nil && network.pointee.isCollecting: return
        case .output: perform(engine.pointee.kernels.outputConversion, outputConversion(step, rows, image))
        case .maxPooling: perform(engine.pointee.kernels.maxPooling, maxPooling(step, rows, image))
        case .averagePooling: perform(engine.pointee.kernels.averagePooling, averagePooling(step, rows, image))
        case .globalPooling: perform(engine.pointee.kernels.globalPooling, globalPooling(step, rows, image))
        case .elementwise: perform(engine.pointee.kernels.elementwise, elementwise(step, rows, image))
        case .groupNormalization:
            if let task = groupNormalization(step, rows, image) {
                perform(engine.pointee.kernels.groupNormalization, task)
            }
        case .subsample: perform(engine.pointee.kernels.subsample, subsample(step, rows, image))
        case .blur: perform(engine.pointee.kernels.blur, blur(step, rows, image))
        case .linear: perform(engine.pointee.kernels.linear, linear(step, rows, image))
        case .channelConvolution:
            perform(engine.pointee.kernels.channelConvolution, channelConvolution(step, rows, image))
        case .convolution, .normalization: return
        }
    }

    private mutating func convolve(
        _ step: PlanStep, _ convolution: ConvolutionStep, _ rows: BandStep, _ images: Range<Int>
    ) {
        // A norm that uses the statistics of the batch needs the unchanged result of the convolution.
        let isAlone = step.step.norm.map { usesBatchStatistics(of: $0) } ?? false
        let task = task(step, convolution, rows, images, isAlone: isAlone)
        perform(engine.pointee.kernels.convolutions[convolution.algorithm, task.shape].kernel, task)
        if isAlone { normalize(step, rows, images) }
    }

    /// Whether a norm uses the statistics of the batch; while the pass is measured, whether it might, since the
    /// measurement is kept when other norms are frozen.
    func usesBatchStatistics(of norm: Int) -> Bool {
        memory == nil ? usesBatchStatistics : network.pointee.usesBatchStatistics(node: norm)
    }

    /// The images that are computed one by one; a single one while the pass is measured, since all need the same
    /// memory and their number is not limited.
    func visited(_ images: Range<Int>) -> Range<Int> {
        memory == nil ? images.lowerBound..<images.lowerBound + 1 : images
    }

    /// Computes a task, or measures the memory that it will need.
    mutating func perform<Task: KernelTask>(_ kernel: Kernel<Task>, _ task: Task) { runner.perform(kernel, task) }
}
