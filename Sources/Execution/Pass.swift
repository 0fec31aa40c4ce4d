// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// Some images on their way through a plan: one in evaluation, a whole batch where BatchNorms need its statistics.
struct Pass {
    let network: UnsafeMutablePointer<Network>
    let engine: UnsafePointer<Engine>
    let plan: UnsafePointer<Plan>
    let arguments: ForwardArguments
    let imageCount: Int

    /// The image of the batch that is the first of the pass.
    var firstImage = 0

    private let usesBatchStatistics: Bool
    /// Nil while the pass only finds out how much scratch memory its kernels want.
    private var memory: Workspace?
    private var scratchCount = 0

    init(
        network: UnsafeMutablePointer<Network>, engine: UnsafePointer<Engine>, plan: UnsafePointer<Plan>,
        arguments: ForwardArguments, imageCount: Int
    ) {
        self.network = network
        self.engine = engine
        self.plan = plan
        self.arguments = arguments
        self.imageCount = imageCount
        usesBatchStatistics = network.pointee.usesBatchStatistics
    }

    /// The memory that `run` needs.
    ///
    /// - Throws: `invalidArgument` where no memory could hold it.
    mutating func measure() throws(BackboneError) -> WorkspaceSize {
        memory = nil
        scratchCount = 0
        performSteps()
        let activations = checkedProduct(plan.pointee.activationCount, imageCount)
        guard let activations, let scratch = Heap.aligned(scratchCount, Float.self) else {
            throw BackboneError(
                .invalidArgument, "input.shape \(dimensions: arguments.input.shape) is too large to be computed")
        }
        var statistics = 0
        if usesBatchStatistics {
            for unit in 0..<network.pointee.units.count {
                statistics = max(statistics, 2 * network.pointee.units[unit].outputChannels)
            }
        }
        return WorkspaceSize(
            activations: activations, scratch: scratch, workers: engine.pointee.threadCount, statistics: statistics)
    }

    mutating func run(in memory: Workspace) {
        self.memory = memory
        performSteps()
    }

    /// Scratch memory is the same for every image.
    private var imagesToPerform: Int { memory == nil ? 1 : imageCount }

    private mutating func performSteps() {
        for step in 0..<plan.pointee.steps.count { perform(plan.pointee.steps[step]) }
    }

    private mutating func perform(_ step: PlanStep) {
        switch step {
        case .input(let to):
            for image in 0..<imagesToPerform {
                zeroBorder(to, image)
                perform(.inputConversion(inputConversion(to, image)))
            }
        case .convolution(let unit, let from, let to, let residual, let relu):
            for image in 0..<imagesToPerform { zeroBorder(to, image) }
            if network.pointee.usesBatchStatistics(unit: unit) {
                for image in 0..<imagesToPerform {
                    perform(.convolution(convolution(unit, from, to, residual: nil, relu: false, image)))
                }
                normalize(unit, to, residual: residual, relu: relu)
            } else {
                for image in 0..<imagesToPerform {
                    perform(.convolution(convolution(unit, from, to, residual: residual, relu: relu, image)))
                }
            }
        case .maxPooling(let from, let to):
            for image in 0..<imagesToPerform {
                zeroBorder(to, image)
                perform(
                    .maxPooling(
                        MaxPoolingTask(
                            kernelSize: StemPooling.kernelSize, stride: StemPooling.stride,
                            padding: StemPooling.padding, input: activation(from, image),
                            output: activation(to, image))))
            }
        case .output(let stage, let from):
            for image in 0..<imagesToPerform {
                perform(.outputConversion(outputConversion(stage, from, image)))
            }
        }
    }

    private mutating func perform(_ work: Work) {
        if let memory {
            work.run(engine.pointee.kernels, engine.pointee.pool, memory)
        } else {
            scratchCount = max(scratchCount, work.scratchCount(engine.pointee.kernels))
        }
    }
}

// MARK: - Tasks

extension Pass {
    private func activation(_ index: Int, _ image: Int) -> Activation {
        let tensor = plan.pointee.tensors[index]
        // Without memory yet, tasks have the right sizes at addresses that nobody looks at.
        let block =
            switch memory {
            case .some(let memory): memory.activations + (tensor.offset * imageCount + tensor.floatCount * image)
            case .none: UnsafeMutablePointer<Float>(bitPattern: Heap.alignment).unsafelyUnwrapped
            }
        return Activation(
            block: block, height: tensor.height, width: tensor.width, channels: tensor.channels, border: tensor.border)
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

    private func convolution(
        _ unit: Int, _ from: Int, _ to: Int, residual: Int?, relu: Bool, _ image: Int
    ) -> ConvolutionTask {
        let input = activation(from, image)
        let weights = engine.pointee.packedAddresses(unit: unit)
        return ConvolutionTask(
            shape: ConvolutionShape(network.pointee.units[unit], height: input.height, width: input.width),
            input: input, packedWeights: weights.weights, bias: weights.bias,
            residual: residual.map { activation($0, image) }, relu: relu, output: activation(to, image))
    }

    /// BatchNorm of `tensor` in place with the statistics of the batch, which the network takes into its running ones.
    private mutating func normalize(_ unit: Int, _ tensor: Int, residual: Int?, relu: Bool) {
        let first = activation(tensor, 0)
        let mean =
            switch memory {
            case .some(let memory): memory.statistics
            case .none: UnsafeMutablePointer<Double>(bitPattern: Heap.alignment).unsafelyUnwrapped
            }
        let variance = mean + first.channels
        perform(
            .batchStatistics(
                BatchStatisticsTask(
                    input: first, imageCount: imageCount, imageStride: plan.pointee.tensors[tensor].floatCount,
                    mean: mean, variance: variance)))
        if memory != nil {
            network.pointee.updateRunningStatistics(
                unit: unit, mean: mean, variance: variance, count: imageCount * first.height * first.width)
        }
        let parameters = network.pointee.units[unit]
        for image in 0..<imagesToPerform {
            let output = activation(tensor, image)
            perform(
                .batchNormalization(
                    BatchNormalizationTask(
                        input: output, mean: mean, variance: variance, epsilon: BatchNorm.epsilon,
                        weight: network.pointee.floats + parameters.normWeightOffset,
                        bias: network.pointee.floats + parameters.normBiasOffset,
                        residual: residual.map { activation($0, image) }, relu: relu, output: output)))
        }
    }
}
