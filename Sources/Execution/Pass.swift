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

    /// Nanoseconds that each step of the plan has taken, for profiles; nil where nobody wants to know.
    var times: UnsafeMutablePointer<Int>?

    private let usesBatchStatistics: Bool
    /// Images of a share but the last, which may have fewer.
    private let shareCount: Int
    /// The image of the batch that is the first of the share.
    private var firstImage = 0
    /// Nil while the pass only finds out how much scratch memory its kernels want.
    private var memory: Workspace?
    private var scratchCount = 0
    private var sharedCount = 0

    init(
        network: UnsafeMutablePointer<Network>, engine: UnsafePointer<Engine>, plan: UnsafePointer<Plan>,
        arguments: ForwardArguments
    ) {
        self.network = network
        self.engine = engine
        self.plan = plan
        self.arguments = arguments
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
            for unit in 0..<network.pointee.units.count {
                statistics = max(statistics, 2 * network.pointee.units[unit].outputChannels)
            }
        }
        return WorkspaceSize(
            activations: activations, shared: shared, scratch: scratch, workers: engine.pointee.threadCount,
            statistics: statistics)
    }

    private var tooLarge: BackboneError {
        BackboneError(
            .invalidArgument, "input.shape \(dimensions: arguments.input.shape) is too large to be computed")
    }

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
                for step in section.firstStep..<section.endStep { perform(step: step, images) }
                first = memory == nil ? imageCount : images.upperBound
            }
        }
    }

    private mutating func perform(step: Int, _ images: Range<Int>) {
        guard let times, memory != nil else { return perform(plan.pointee.steps[step], images) }
        let start = shims_nanoseconds()
        perform(plan.pointee.steps[step], images)
        times[step] += shims_nanoseconds() - start
    }

    private mutating func perform(_ step: PlanStep, _ images: Range<Int>) {
        switch step {
        case .input(let to):
            for image in visited(images) {
                zeroBorder(to, image)
                perform(.inputConversion(inputConversion(to, image)))
            }
        case .convolution(let convolution):
            for image in visited(images) { zeroBorder(convolution.to, image) }
            let normalizes = network.pointee.usesBatchStatistics(unit: convolution.unit)
            perform(.convolution(task(convolution, images, isAlone: normalizes), convolution.algorithm))
            if normalizes { normalize(convolution, images) }
        case .maxPooling(let from, let to):
            for image in visited(images) {
                zeroBorder(to, image)
                perform(
                    .maxPooling(
                        MaxPoolingTask(
                            kernelSize: StemPooling.kernelSize, stride: StemPooling.stride,
                            padding: StemPooling.padding, input: activation(from, image),
                            output: activation(to, image))))
            }
        case .output(let stage, let from):
            for image in visited(images) { perform(.outputConversion(outputConversion(stage, from, image))) }
        }
    }

    /// The images that are gone through one by one; a single one while the pass is measured, since all need the same
    /// memory and there may be any number of them.
    private func visited(_ images: Range<Int>) -> Range<Int> {
        memory == nil ? images.lowerBound..<images.lowerBound + 1 : images
    }

    private mutating func perform(_ work: Work) {
        if let memory {
            work.run(engine.pointee.kernels, engine.pointee.pool, memory)
        } else {
            scratchCount = max(scratchCount, work.scratchCount(engine.pointee.kernels))
            sharedCount = max(sharedCount, work.sharedCount(engine.pointee.kernels))
        }
    }
}

// MARK: - Tasks

extension Pass {
    /// A tensor of one of the share's images, or of that and the ones behind it: each image has a block of memory of its
    /// own for all its tensors, so that groups of images may be at different steps.
    private func activation(_ index: Int, _ image: Int) -> Activation {
        let tensor = plan.pointee.tensors[index]
        // Without memory yet, tasks have the right sizes at addresses that nobody looks at.
        let block =
            switch memory {
            case .some(let memory): memory.activations + (plan.pointee.activationCount * image + tensor.offset)
            case .none: UnsafeMutablePointer<Float>(bitPattern: Heap.alignment).unsafelyUnwrapped
            }
        return Activation(
            block: block, height: tensor.height, width: tensor.width, channels: tensor.channels, border: tensor.border,
            imageStride: plan.pointee.activationCount)
    }

    /// Memory is shared by tensors that follow each other, so a border is written anew in each pass.
    private mutating func zeroBorder(_ tensor: Int, _ image: Int) {
        guard plan.pointee.tensors[tensor].border > 0 else { return }
        perform(.borderZeroing(BorderZeroingTask(activation: activation(tensor, image))))
    }

    private func inputConversion(_ to: Int, _ image: Int) -> InputConversionTask {
        let view = arguments.input
        return InputConversionTask(
            source: view.address(image: firstImage + image), element: view.element, channelStride: view.strides.c,
            rowStride: view.strides.h, columnStride: view.strides.w, mean: engine.pointee.normalization.means,
            standardDeviation: engine.pointee.normalization.standardDeviations,
            reversesChannels: engine.pointee.normalization.reversesChannels, output: activation(to, image))
    }

    private func outputConversion(_ stage: Int, _ from: Int, _ image: Int) -> OutputConversionTask {
        let view = arguments.outputs[network.pointee.configuration.outStages.index(of: stage)]
        return OutputConversionTask(
            input: activation(from, image),
            destination: view.address(image: firstImage + image).assumingMemoryBound(to: Float.self),
            channelStride: view.strides.c, rowStride: view.strides.h, columnStride: view.strides.w)
    }

    /// - Parameter isAlone: Whether residual sum and ReLU are left to a BatchNorm behind it.
    private func task(_ step: ConvolutionStep, _ images: Range<Int>, isAlone: Bool) -> ConvolutionTask {
        let input = activation(step.from, images.lowerBound)
        let weights = engine.pointee.packedAddresses(step)
        return ConvolutionTask(
            shape: ConvolutionShape(network.pointee.units[step.unit], height: input.height, width: input.width),
            imageCount: images.count, input: input, packedWeights: weights.weights, bias: weights.bias,
            residual: isAlone ? nil : step.residual.map { activation($0, images.lowerBound) },
            relu: step.relu && !isAlone, output: activation(step.to, images.lowerBound))
    }

    /// BatchNorm of a convolution's output in place with the statistics of the batch, which the network takes into its
    /// running ones.
    private mutating func normalize(_ step: ConvolutionStep, _ images: Range<Int>) {
        let first = activation(step.to, images.lowerBound)
        let mean =
            switch memory {
            case .some(let memory): memory.statistics
            case .none: UnsafeMutablePointer<Double>(bitPattern: Heap.alignment).unsafelyUnwrapped
            }
        let variance = mean + first.channels
        perform(
            .batchStatistics(
                BatchStatisticsTask(input: first, imageCount: images.count, mean: mean, variance: variance)))
        if memory != nil {
            network.pointee.updateRunningStatistics(
                unit: step.unit, mean: mean, variance: variance, count: images.count * first.height * first.width)
        }
        let parameters = network.pointee.units[step.unit]
        for image in visited(images) {
            let output = activation(step.to, image)
            perform(
                .batchNormalization(
                    BatchNormalizationTask(
                        input: output, mean: mean, variance: variance,
                        epsilon: network.pointee.configuration.normEpsilon,
                        weight: network.pointee.floats + parameters.normWeightOffset,
                        bias: network.pointee.floats + parameters.normBiasOffset,
                        residual: step.residual.map { activation($0, image) }, relu: step.relu, output: output)))
        }
    }
}
