// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

/// A batch of images on its way through a plan.
///
/// The images go through in shares, for each of which there is memory at the same time, and in each section of the plan
/// in groups: see `PlanSection`. Where BatchNorms need the statistics of the batch all images go together.
struct Pass {
    let network: UnsafeMutablePointer<Network>
    let engine: UnsafePointer<Engine>
    let plan: UnsafePointer<Plan>
    let arguments: ForwardArguments
    let cancellation: Cancellation

    /// Nanoseconds that each step of the plan has taken, for profiles; nil where nobody wants to know.
    var times: UnsafeMutablePointer<Int>?

    private let usesBatchStatistics: Bool
    /// Images of a share but the last, which may have fewer.
    private let shareCount: Int
    /// The image of the batch that is the first of the share.
    private(set) var firstImage = 0
    /// Nil while the pass only finds out how much scratch memory its kernels want.
    private(set) var memory: Workspace?
    private var scratchCount = 0
    private var sharedCount = 0

    init(
        network: UnsafeMutablePointer<Network>, engine: UnsafePointer<Engine>, plan: UnsafePointer<Plan>,
        arguments: ForwardArguments, cancellation: Cancellation
    ) {
        self.network = network
        self.engine = engine
        self.plan = plan
        self.arguments = arguments
        self.cancellation = cancellation
        usesBatchStatistics = network.pointee.usesBatchStatistics
        let count = arguments.input.shape.n
        shareCount = usesBatchStatistics ? count : plan.pointee.imagesTogether(of: count)
    }

    /// The memory that `run` needs.
    ///
    /// - Throws: `invalidArgument` where no memory could hold it.
    mutating func measure() throws(BackboneError) -> WorkspaceSize {
        memory = nil
        scratchCount = 0
        sharedCount = 0
        let activations = checkedProduct(plan.pointee.activationCount, shareCount)
        guard let activations, checkedProduct(activations, MemoryLayout<Float>.stride) != nil else { throw tooLarge }
        performSections(imageCount: shareCount)
        guard let scratch = Heap.aligned(scratchCount, Float.self), let shared = Heap.aligned(sharedCount, Float.self)
        else { throw tooLarge }
        var statistics = 0
        if usesBatchStatistics {
            statistics = statisticsOffset(unit: network.pointee.units.count)
        }
        return WorkspaceSize(
            activations: activations, shared: shared, scratch: scratch, workers: engine.pointee.threadCount,
            statistics: statistics)
    }

    private var tooLarge: BackboneError {
        BackboneError(
            .invalidArgument, "input.shape \(dimensions: arguments.input.shape) is too large to be computed")
    }

    /// Once cancelled it ends soon, with anything in the outputs.
    mutating func run(in memory: Workspace) {
        self.memory = memory
        firstImage = 0
        while firstImage < arguments.input.shape.n {
            let count = min(shareCount, arguments.input.shape.n - firstImage)
            performSections(imageCount: count)
            firstImage += count
        }
    }

    /// Does all steps for the first images of the memory; while it is measured, for the first group of them alone.
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
                first = memory == nil ? imageCount : images.upperBound
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
        switch step {
        case .input(let to):
            for image in visited(images) { perform(.inputConversion(inputConversion(to, rows, image))) }
        case .convolution(let convolution):
            let normalizes = network.pointee.usesBatchStatistics(unit: convolution.unit)
            perform(.convolution(task(convolution, rows, images, isAlone: normalizes), convolution.algorithm))
            if normalizes { normalize(convolution, rows, images) }
        case .maxPooling(let from, let to):
            for image in visited(images) { perform(.maxPooling(maxPooling(from, to, rows, image))) }
        case .output(let stage, let from):
            for image in visited(images) { perform(.outputConversion(outputConversion(stage, from, rows, image))) }
        }
    }

    /// The images that are gone through one by one; a single one while the pass is measured, since all need the same
    /// memory and there may be any number of them.
    func visited(_ images: Range<Int>) -> Range<Int> {
        memory == nil ? images.lowerBound..<images.lowerBound + 1 : images
    }

    mutating func perform(_ work: Work) {
        if let memory {
            work.run(engine.pointee.kernels, engine.pointee.pool, memory, cancellation)
        } else {
            scratchCount = max(scratchCount, work.scratchCount(engine.pointee.kernels))
            sharedCount = max(sharedCount, work.sharedCount(engine.pointee.kernels))
        }
    }
}
