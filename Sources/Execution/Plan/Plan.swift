// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The steps that compute the features of images of one size, their order and their memory.
///
/// It depends on the program, the kernels, the size of the image and whether BatchNorms use the statistics of the batch:
/// never on weights, the number of threads or the number of images.
package struct Plan: ~Copyable {
    package let height: Int
    package let width: Int
    /// Whether sums are computed in place of one of their terms, the residual. A BatchNorm that needs the unchanged
    /// output of the convolution does not allow that.
    package let addsInPlace: Bool
    package internal(set) var tensors = UniqueArray<PlanTensor>()
    /// One for each step of the program.
    package private(set) var steps = UniqueArray<PlanStep>()
    /// All steps, in order.
    package internal(set) var sections = UniqueArray<PlanSection>()
    /// The steps of all sections in bands.
    var bands = UniqueArray<BandStep>()

    /// Floats that the tensors of one image take up together; tensors that are never needed at the same time share them.
    package private(set) var activationCount = 0
    /// The most of them that images take up together, unless a single one takes more.
    private let batchFloats: Int

    /// - Throws: `invalidArgument` where the image is too large to be addressed, `outOfMemory`.
    package init(
        _ program: borrowing Program, _ planner: Planner, height: Int, width: Int, addsInPlace: Bool
    ) throws(BackboneError) {
        self.height = height
        self.width = width
        self.addsInPlace = addsInPlace
        batchFloats = planner.batchFloats
        for index in 0..<program.steps.count { try addStep(index, program, planner) }
        try addSections(program, planner)
        var memory = PlanMemory()
        activationCount = try memory.place(&tensors, steps, sections)
    }

    /// How many of `count` images are given memory at the same time: as equal shares as possible of what fits.
    func imagesTogether(of count: Int) -> Int {
        let fitting = max(1, batchFloats / activationCount)
        let passes = (count - 1) / fitting + 1
        return (count - 1) / passes + 1
    }
}

/// The activations between two steps of a plan, as laid out in memory for each image.
package struct PlanTensor: BitwiseCopyable {
    package let height: Int
    package let width: Int
    package let channels: Int
    /// Zero pixels around the image: as many as the widest padding of the convolutions that read it.
    package let border: Int
    /// Rows that are kept at a time: all of them with the border, or, for a tensor that is used only within one section
    /// in bands, just enough rows for pending readers.
    private(set) var keptRows: Int
    /// Floats of all rows, with the border.
    let wholeFloatCount: Int
    /// Floats of the rows that are kept, rounded up so that the next tensor is aligned.
    package private(set) var floatCount: Int
    /// Offset of its first float in the activations of one image.
    package var offset = 0

    fileprivate init(height: Int, width: Int, channels: Int, border: Int) throws(BackboneError) {
        let pixels = checkedProduct(checkedSum(height, 2 * border), checkedSum(width, 2 * border))
        guard let count = checkedProduct(pixels, channels), let aligned = Heap.aligned(count, Float.self) else {
            throw BackboneError(
                .invalidArgument,
                "input is too large: \(channels) x \(height) x \(width) activations; use smaller images")
        }
        self.height = height
        self.width = width
        self.channels = channels
        self.border = border
        keptRows = height + 2 * border
        wholeFloatCount = count
        floatCount = aligned
    }

    /// The first of the rows that are kept when nothing has been computed yet.
    var firstRow: Int { -border }

    /// Keeps no more than so many rows at a time.
    mutating func keep(rows: Int) {
        guard rows < keptRows, let aligned = Heap.aligned(rows * (width + 2 * border) * channels, Float.self) else {
            return
        }
        keptRows = rows
        floatCount = aligned
    }
}

/// One step of a plan. `source`, `scale`, `residual` and `target` are tensors.
package struct PlanStep: BitwiseCopyable {
    /// The step of the program.
    package let step: ProgramStep
    /// The algorithm of its convolution, if it has one.
    package let algorithm: ConvolutionAlgorithm
    /// The tensor that it reads window by window; nil for the input of the network.
    package let source: Int?
    /// The tensor that has one factor for each channel.
    package let scale: Int?
    /// The tensor that it adds.
    package let residual: Int?
    /// The tensor that it writes; nil for the features that go to the caller.
    package let target: Int?

    package var kind: StepKind { step.kind }
    var window: Window { step.window }

    package var convolution: ConvolutionStep? {
        step.convolution.map { ConvolutionStep(convolution: $0, algorithm: algorithm) }
    }

    /// Rows of the target are computed by so many at a time, from the first one on.
    var rowsTogether: Int { algorithm.tileSize }
}

/// A convolution, and how it is computed.
package struct ConvolutionStep: BitwiseCopyable {
    package let convolution: FusedConvolution
    package let algorithm: ConvolutionAlgorithm
}

extension Plan {
    /// Adds a step of the program, on the tensors of those before it.
    private mutating func addStep(
        _ index: Int, _ program: borrowing Program, _ planner: Planner
    ) throws(BackboneError) {
        let step = program.steps[index]
        // Every step whose result is read has a tensor.
        let source = step.source.flatMap { steps[$0].target }
        let residual = step.addend.flatMap { steps[$0].target }
        let (sourceHeight, sourceWidth) = source.map { (tensors[$0].height, tensors[$0].width) } ?? (height, width)
        let (targetHeight, targetWidth) = (
            step.window.outputSize(sourceHeight), step.window.outputSize(sourceWidth)
        )
        guard targetHeight > 0 && targetWidth > 0 else {
            throw BackboneError(
                .invalidArgument,
                """
                input is too small: \(sourceHeight) x \(sourceWidth) pixels in windows of \(step.window.size); use \
                larger images
                """)
        }
        if let residual, tensors[residual].height != targetHeight || tensors[residual].width != targetWidth {
            throw BackboneError.unequalTerms(
                (targetHeight, targetWidth), (tensors[residual].height, tensors[residual].width))
        }
        var algorithm = ConvolutionAlgorithm.direct
        if let convolution = step.convolution {
            let isRectified = step.source.map { program.steps[$0].function == .relu && program.steps[$0].addend == nil }
            algorithm = planner.algorithm(
                for: ConvolutionShape(convolution.definition, height: sourceHeight, width: sourceWidth),
                isRectified: isRectified ?? false)
        }
        var target: Int?
        if let addend = step.addend, canReplace(addend, by: index, program) {
            target = residual
        } else if step.kind == .elementwise, let read = step.source, canReplace(read, by: index, program) {
            target = source
        }
        if step.lastReader >= 0 && target == nil {
            target = tensors.count
            try tensors.append(
                PlanTensor(height: targetHeight, width: targetWidth, channels: step.channels, border: step.border))
        }
        try steps.append(
            PlanStep(
                step: step, algorithm: algorithm, source: source, scale: step.scale.flatMap { steps[$0].target },
                residual: residual, target: target))
    }

    /// Whether the output of a step may replace a tensor of the same shape that it reads pixel by pixel: if no later
    /// step reads that.
    private func canReplace(_ read: Int, by step: Int, _ program: borrowing Program) -> Bool {
        addsInPlace && program.steps[read].lastReader == step
            && program.steps[read].border == program.steps[step].border
    }
}
