// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The tensors of a step of a training pass, as numbers of tensors of the tape; -1 for none.
struct TapeStep: BitwiseCopyable {
    let step: ProgramStep
    /// The algorithm of the forward pass.
    let algorithm: ConvolutionAlgorithm
    /// The algorithm of the gradient of a convolution with respect to its input.
    var gradientAlgorithm = ConvolutionAlgorithm.direct
    /// Its source, its residual, and its scale.
    let source: Int
    let addend: Int
    let scale: Int
    /// Its result.
    let value: Int
    /// The result of its convolution, for a norm that uses the statistics of the batch.
    var convolved = -1
    /// The gradient of its result, after the ReLU's gradient.
    var gradient = -1
    /// The gradient of its convolution's result, if that needs memory of its own.
    var convolvedGradient = -1
    /// Only at a stride: the gradient with pixels in between, or that of the pixels that a pointwise convolution reads.
    var spread = -1
    /// Whether its result, and that of its convolution, are recomputed in the backward pass.
    var computesValueAgain = false
    var convolvesAgain = false
    /// Whether the gradient of its residual has the place of its own.
    var sharesGradient = false
    /// Images computed together.
    let imagesTogether: Int
    /// Whether its norm uses the statistics of the batch.
    let usesBatchStatistics: Bool
    /// The offset of its norm's statistics among those of the tape; see `TapeStatistics`.
    let statistics: Int
}

extension TapeStep {
    /// The results of the forward pass that its gradient needs, except that of its convolution; -1 for none.
    var valuesReadBackward: InlineArray<3, Int> {
        // The mask of a ReLU is its result; SiLU is computed from its input, sigmoid from its result.
        let result = step.function != nil ? value : -1
        switch step.kind {
        case .convolution, .normalization, .groupNormalization, .maxPooling, .linear, .channelConvolution:
            return [source, -1, result]
        case .elementwise: return [scale >= 0 || step.function == .silu ? source : -1, scale, result]
        case .input, .output, .averagePooling, .globalPooling, .subsample, .blur: return [-1, -1, result]
        }
    }
}

/// The steps of a training pass for a batch of one size, and the places of their tensors in the memory of a tape.
///
/// Time runs through all steps forward and then backward. A tensor is kept from the step that writes it to the last that reads
/// it, in either direction.
struct TapePlan: ~Copyable {
    let imageCount: Int
    let height: Int
    let width: Int
    private(set) var tensors = UniqueArray<TapeTensor>()
    private(set) var steps = UniqueArray<TapeStep>()
    /// The gradient of each tensor of activations; -1 for none.
    private(set) var gradients = UniqueArray<Int>()
    /// The output that each tensor is; -1 for none.
    private(set) var outputs = UniqueArray<Int>()
    /// The step that normalises again to restore each tensor in the backward pass; -1 for kept ones.
    private(set) var restorers = UniqueArray<Int>()
    /// Floats of all tensors.
    private(set) var floatCount = 0
    private(set) var statisticsCount = 0
    /// Floats of the largest packed weights of a convolution, in either direction, and of the largest bias.
    private(set) var mostPacked = 0
    private(set) var mostChannels = 0

    private var count: Int { steps.count }

    /// The time of a step in the backward pass. Recomputing a segment precedes its backward steps and has as many time
    /// steps.
    private func backward(_ step: Int) -> Int {
        let segment = segment(of: step)
        return count + 2 * (count - segment.upperBound) + segment.count + (segment.upperBound - 1 - step)
    }

    /// The time when a step is recomputed.
    private func again(_ step: Int) -> Int {
        let segment = segment(of: step)
        return count + 2 * (count - segment.upperBound) + step - segment.lowerBound
    }

    /// The steps of the segment that a step belongs to.
    func segment(of step: Int) -> Range<Int> {
        var (first, end) = (step, step + 1)
        while first > 0 && steps[first - 1].step.segment == steps[step].step.segment { first -= 1 }
        while end < count && steps[end].step.segment == steps[step].step.segment { end += 1 }
        return first..<end
    }

    /// - Parameter plan: Of the same program, for the sizes and the algorithms.
    init(
        _ program: borrowing Program, _ plan: borrowing Plan, _ planner: Planner, _ network: borrowing Network,
        imageCount: Int, _ options: TapeOptions
    ) throws(BackboneError) {
        let wantsInputGradient = options.wantsInputGradient
        self.imageCount = imageCount
        height = plan.height
        width = plan.width
        for index in 0..<program.steps.count { try addStep(index, plan, planner, network) }
        let forwardTensors = tensors.count
        if options.recomputes { for index in 1..<max(count, 1) { chooseAgain(index) } }
        for index in 0..<count { chooseRestored(index) }
        for index in 0..<steps.count { useForward(index) }
        // The first step gives the input of the trained part, whose gradient is only needed if it is the image.
        for index in stride(from: program.steps.count - 1, through: 0, by: -1) {
            try addGradients(index, planner, wantsInputGradient: wantsInputGradient)
        }
        for index in 0..<steps.count { useBackward(index) }
        if options.isRetained {
            for index in 0..<forwardTensors where !tensors[index].isComputedAgain { useTensor(index, at: 3 * count) }
        }
        for index in 0..<tensors.count { try tensors[index].measure(imageCount: imageCount) }
        let placement = try TapePlacement(tensors)
        floatCount = try placement.place(&tensors)
    }

    // MARK: - Forward

    private mutating func add(_ tensor: TapeTensor) throws(BackboneError) -> Int {
        try tensors.append(tensor)
        try gradients.append(-1)
        try outputs.append(-1)
        try restorers.append(-1)
        return tensors.count - 1
    }

    private mutating func addStep(
        _ index: Int, _ plan: borrowing Plan, _ planner: Planner, _ network: borrowing Network
    ) throws(BackboneError) {
        let planned = plan.steps[index]
        let step = planned.step
        let source = step.source.map { steps[$0].value } ?? -1
        let addend = step.addend.map { steps[$0].value } ?? -1
        let scale = step.scale.map { steps[$0].value } ?? -1
        var value = -1
        if let target = planned.target {
            let tensor = plan.tensors[target]
            value = try add(
                TapeTensor(height: tensor.height, width: tensor.width, channels: tensor.channels, border: tensor.border)
            )
        } else if step.kind == .output {
            assert(outputs[source] < 0, "two outputs are the same")
            outputs[source] = step.output
        }
        var together = 1
        for section in 0..<plan.sections.count {
            if plan.sections[section].firstStep..<plan.sections[section].endStep ~= index {
                together = plan.sections[section].imagesTogether
            }
        }
        var added = TapeStep(
            step: step, algorithm: planned.algorithm, source: source, addend: addend, scale: scale, value: value,
            imagesTogether: min(together, imageCount),
            usesBatchStatistics: step.norm.map { network.usesBatchStatistics(node: $0) } ?? false,
            statistics: statisticsCount)
        if step.kind == .convolution, added.usesBatchStatistics, value >= 0 {
            let tensor = tensors[value]
            added.convolved = try add(
                TapeTensor(height: tensor.height, width: tensor.width, channels: tensor.channels, border: 0))
        }
        if let convolution = step.convolution?.definition {
            let shape = ConvolutionShape(convolution, height: 1, width: 1)
            notePacked(planner.kernels[planned.algorithm, shape].packedCount(shape), channels: shape.outputChannels)
        }
        if step.norm != nil || step.kind == .convolution {
            statisticsCount += TapeStatistics.count(channels: step.channels)
        }
        try steps.append(added)
    }

    private mutating func notePacked(_ count: Int, channels: Int) {
        mostPacked = max(mostPacked, count)
        mostChannels = max(mostChannels, channels)
    }

    /// Chooses whether the backward pass restores a BatchNorm's result from its input, which is kept: one more pass
    /// over memory, less memory held until then.
    private mutating func chooseRestored(_ index: Int) {
        let step = steps[index]
        guard step.value >= 0, step.addend < 0, !step.computesValueAgain, !step.convolvesAgain else { return }
        if step.convolved < 0 {
            guard step.step.kind == .normalization, !tensors[step.source].isComputedAgain else { return }
        }
        restorers[step.value] = index
        tensors[step.value].computeAgain(after: count)
    }

    /// Chooses whether a step is recomputed: in all segments but the last, if nothing after its segment reads its
    /// result.
    private mutating func chooseAgain(_ index: Int) {
        let (step, segment) = (steps[index], segment(of: index))
        guard segment.upperBound < count, step.value >= 0 else { return }
        if step.convolved >= 0 {
            steps[index].convolvesAgain = true
            tensors[step.convolved].computeAgain(after: count)
        }
        if isRead(step.value, in: segment.upperBound..<count) { return }
        steps[index].computesValueAgain = true
        tensors[step.value].computeAgain(after: count)
    }

    /// Notes the reads and writes of a step in the forward pass, and when it is recomputed.
    private mutating func useForward(_ index: Int) {
        useAll(of: index, at: index)
        let step = steps[index]
        if step.computesValueAgain || step.convolvesAgain { useAll(of: index, at: again(index)) }
    }

    private mutating func useAll(of index: Int, at time: Int) {
        let step = steps[index]
        useTensor(step.source, at: time)
        useTensor(step.addend, at: time)
        useTensor(step.scale, at: time)
        useTensor(step.convolved, at: time)
        useTensor(step.value, at: time)
    }

    // MARK: - Backward

    private mutating func useTensor(_ tensor: Int, at time: Int) {
        if tensor >= 0 { tensors[tensor].use(at: time) }
    }

    private mutating func useGradient(of tensor: Int, at time: Int) {
        if tensor >= 0 { useTensor(gradients[tensor], at: time) }
    }

    /// Whether a step is the last of the program that reads another's result.
    private func isLastReader(_ index: Int, of tensor: Int) -> Bool { !isRead(tensor, in: index + 1..<count) }

    /// Whether any of some steps reads a tensor.
    private func isRead(_ tensor: Int, in range: Range<Int>) -> Bool {
        for index in range {
            let step = steps[index]
            if step.source == tensor || step.addend == tensor || step.scale == tensor { return true }
        }
        return false
    }

    private mutating func addGradients(
        _ index: Int, _ planner: Planner, wantsInputGradient: Bool
    ) throws(BackboneError) {
        let step = steps[index]
        guard step.value >= 0, index > 0 || wantsInputGradient else { return }
        let tensor = tensors[step.value]
        if gradients[step.value] < 0 {
            gradients[step.value] = try add(
                TapeTensor(height: tensor.height, width: tensor.width, channels: tensor.channels, border: 0))
        }
        let gradient = gradients[step.value]
        steps[index].gradient = gradient
        // A residual receives the same gradient: in the same place if nothing else contributes before.
        if step.addend >= 0 && step.addend != step.source && step.step.kind != .normalization
            && gradients[step.addend] < 0 && outputs[step.addend] < 0
            && hasGradient(step.addend, wantsInputGradient: wantsInputGradient)
            && isLastReader(index, of: step.addend)
        {
            gradients[step.addend] = gradient
            steps[index].sharesGradient = true
        }
        if step.step.kind == .convolution {
            try addConvolutionGradients(index, tensor, planner, wantsInputGradient: wantsInputGradient)
        }
    }

    /// Whether the backward pass reaches an output: not if nothing before it is trained.
    func hasGradient(ofOutput output: Int) -> Bool {
        for value in 0..<outputs.count where outputs[value] == output { return gradients[value] >= 0 }
        return false
    }

    /// Whether the gradient of a tensor is needed.
    private func hasGradient(_ tensor: Int, wantsInputGradient: Bool) -> Bool {
        tensor >= 0 && (wantsInputGradient || tensor != steps[0].value)
    }

    private mutating func addConvolutionGradients(
        _ index: Int, _ tensor: TapeTensor, _ planner: Planner, wantsInputGradient: Bool
    ) throws(BackboneError) {
        let step = steps[index]
        guard let convolution = step.step.convolution?.definition else { return }
        let window = convolution.window
        let border = window.stride == 1 ? window.extent - 1 - window.padding : 0
        if step.convolved >= 0 && step.sharesGradient {
            steps[index].convolvedGradient = try add(
                TapeTensor(height: tensor.height, width: tensor.width, channels: tensor.channels, border: border))
        } else {
            tensors[step.gradient].widen(to: border)
        }
        guard hasGradient(step.source, wantsInputGradient: wantsInputGradient) else { return }
        let source = tensors[step.source]
        if window.stride > 1 {
            let isPointwise = window.size == 1
            steps[index].spread = try add(
                isPointwise
                    ? TapeTensor(height: tensor.height, width: tensor.width, channels: source.channels, border: 0)
                    : TapeTensor(
                        height: source.height + 2 * window.padding - window.extent + 1,
                        width: source.width + 2 * window.padding - window.extent + 1, channels: tensor.channels,
                        border: window.extent - 1 - window.padding))
        }
        let shape = DataGradient(convolution, source: source, output: tensor).shape
        steps[index].gradientAlgorithm = planner.algorithm(for: shape)
        notePacked(
            planner.kernels[steps[index].gradientAlgorithm, shape].packedCount(shape), channels: shape.outputChannels)
    }

    /// Notes the reads and writes of a step in the backward pass.
    private mutating func useBackward(_ index: Int) {
        let step = steps[index]
        let time = backward(index)
        if step.step.kind == .output {
            // The first contributor converts the caller's gradient.
            return useGradient(of: step.source, at: time)
        }
        guard step.gradient >= 0 else { return }
        useTensor(step.gradient, at: time)
        useTensor(step.convolvedGradient, at: time)
        useTensor(step.spread, at: time)
        useTensor(step.convolved, at: time)
        useGradient(of: step.source, at: time)
        useGradient(of: step.addend, at: time)
        useGradient(of: step.scale, at: time)
        let values = step.valuesReadBackward
        for position in values.indices { useTensor(values[position], at: time) }
    }
}

/// The doubles that a norm keeps in a tape, one for each channel: the statistics that it normalised with, and the sums of its
/// gradient.
struct TapeStatistics {
    let mean: UnsafeMutablePointer<Double>
    let variance: UnsafeMutablePointer<Double>
    let sum: UnsafeMutablePointer<Double>
    let productSum: UnsafeMutablePointer<Double>
    /// The factors of the weights before it.
    let scale: UnsafeMutablePointer<Double>

    static func count(channels: Int) -> Int { 5 * channels }

    init(_ start: UnsafeMutablePointer<Double>, channels: Int) {
        mean = start
        variance = start + channels
        sum = start + 2 * channels
        productSum = start + 3 * channels
        scale = start + 4 * channels
    }
}

/// The gradient of a convolution with respect to its input, which is a convolution of the gradient of its output: with the
/// weights of each tap at the opposite one, and with input and output channels exchanged.
struct DataGradient {
    /// The shape, at a stride above 1, on the gradient with pixels in between; for a pointwise convolution, on the
    /// pixels that it reads.
    let shape: ConvolutionShape

    init(_ convolution: Convolution, source: TapeTensor, output: TapeTensor) {
        let window = convolution.window
        let isPointwise = window.size == 1
        shape = ConvolutionShape(
            inputChannels: convolution.outputChannels, outputChannels: convolution.inputChannels,
            kernelSize: window.size, stride: 1, padding: window.extent - 1 - window.padding,
            groups: convolution.groups, dilation: window.dilation,
            inputHeight: isPointwise ? output.height : source.height + 2 * window.padding - window.extent + 1,
            inputWidth: isPointwise ? output.width : source.width + 2 * window.padding - window.extent + 1)
    }
}
