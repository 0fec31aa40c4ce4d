// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// Consecutive steps that are done for some images, or for a band of rows of one image, before they are done for the next
/// ones, so that what one step writes is still in the cache when the next one reads it, and weights are read for as many
/// pixels as possible.
package struct PlanSection: BitwiseCopyable {
    package let firstStep: Int
    package let endStep: Int
    /// At least 1; 1 for a section in bands.
    package let imagesTogether: Int
    /// 1 where each step computes all rows.
    package var bandCount = 1
    /// Where the first step of the first band stands in `Plan.bands`; each band has all steps.
    var firstBand = 0

    var stepCount: Int { endStep - firstStep }
}

/// Steps that belong together: those of the stem or of a residual block, with the output of its features. They reach as far
/// as the next piece.
struct PlanPiece: BitwiseCopyable {
    let firstStep: Int
    /// 0 for the stem.
    let stage: Int
}

extension PlanStep {
    /// The tensor that it reads window by window; nil for the input of the network.
    var source: Int? {
        switch self {
        case .input: nil
        case .convolution(let convolution): convolution.from
        case .maxPooling(let from, _): from
        case .output(_, let from): from
        }
    }

    /// The tensor that it adds.
    var residual: Int? {
        guard case .convolution(let convolution) = self else { return nil }
        return convolution.residual
    }

    /// The tensor that it writes; nil for the features that go to the caller.
    var target: Int? {
        switch self {
        case .input(let to): to
        case .convolution(let convolution): convolution.to
        case .maxPooling(_, let to): to
        case .output: nil
        }
    }
}

extension Plan {
    /// A section for each stage, the stem's included in the first. Where one image is too much for the cache, a section for
    /// each piece of the stage, in bands if the weights, which are read for each band anew, leave room for one.
    mutating func addSections(
        _ network: borrowing Network, _ pieces: borrowing UniqueArray<PlanPiece>, _ planner: Planner
    ) throws(BackboneError) {
        let cachedFloats = planner.cachedFloats
        var first = 0
        while first < pieces.count {
            var end = first + 1
            while end < pieces.count && max(1, pieces[end].stage) == max(1, pieces[first].stage) { end += 1 }
            let steps = pieces[first].firstStep..<(end < pieces.count ? pieces[end].firstStep : self.steps.count)
            var largest = 1
            for step in steps { largest = max(largest, floatCount(of: self.steps[step])) }
            if largest <= cachedFloats || !addsInPlace {
                try sections.append(
                    PlanSection(
                        firstStep: steps.lowerBound, endStep: steps.upperBound,
                        imagesTogether: max(1, cachedFloats / largest)))
            } else {
                for piece in first..<end {
                    let last = piece + 1 < pieces.count ? pieces[piece + 1].firstStep : self.steps.count
                    try addBands(
                        PlanSection(firstStep: pieces[piece].firstStep, endStep: last, imagesTogether: 1), network,
                        planner)
                }
            }
            first = end
        }
    }

    private mutating func addBands(
        _ section: PlanSection, _ network: borrowing Network, _ planner: Planner
    ) throws(BackboneError) {
        var section = section
        if weightCount(of: section, network, planner) <= planner.cachedFloats {
            section.firstBand = bands.count
            var bandPlanner = try BandPlanner(self, section, network)
            let rows = bandPlanner.rows(floats: planner.cachedFloats / 4 * 3, self)
            section.bandCount = try bandPlanner.list(bandRows: rows, &bands)
            bandPlanner.shrink(&tensors)
        }
        try sections.append(section)
    }

    /// Floats of the weights of a section, as they are packed.
    private func weightCount(of section: PlanSection, _ network: borrowing Network, _ planner: Planner) -> Int {
        var count = 0
        for index in section.firstStep..<section.endStep {
            guard case .convolution(let convolution) = steps[index] else { continue }
            let input = tensors[convolution.from]
            let shape = ConvolutionShape(network.units[convolution.unit], height: input.height, width: input.width)
            count += planner.kernels[convolution.algorithm, shape].packedCount(shape)
        }
        return count
    }

    /// Floats of tensors that a step reads and writes for one image.
    private func floatCount(of step: PlanStep) -> Int {
        var count: Int? = 0
        if let source = step.source { count = checkedSum(count, tensors[source].floatCount) }
        if let target = step.target { count = checkedSum(count, tensors[target].floatCount) }
        if let residual = step.residual, residual != step.target {
            count = checkedSum(count, tensors[residual].floatCount)
        }
        return count ?? .max
    }

    /// What a step does in one band of its section, or all it does.
    func rows(of step: Int, _ section: PlanSection, band: Int) -> BandStep {
        if section.bandCount > 1 {
            return bands[section.firstBand + band * section.stepCount + step - section.firstStep]
        }
        let source = steps[step].source
        let target = steps[step].target
        let height = (target ?? source).map { tensors[$0].height } ?? 0
        let targetFirstRow = target.map { tensors[$0].firstRow } ?? 0
        return BandStep(
            start: 0, end: height, sourceFirstRow: source.map { tensors[$0].firstRow } ?? 0,
            targetFirstRow: targetFirstRow, previousFirstRow: targetFirstRow)
    }
}
